"""The networks of the presets, and the form in which they are trained."""

import torch
from torch import nn

from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.train.presets import BlockKind, Preset
from subpixel.train.reparam.collapsible import CollapsibleConv2d, widen_convolutions
from subpixel.train.reparam.edge import EdgeConv2d
from subpixel.train.reparam.growth import grow_network
from subpixel.train.reparam.passing import PassingNet


def build_network(preset: Preset, scale: int, seed: int) -> nn.Module:
    """The preset's network, its convolutions in the form in which they are trained, in float32 on
    the CPU, its weights drawn from ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if preset.network == "reference":
            return _to_trained_form(PassingNet(scale), preset.block)
        return _to_trained_form(PlainNet(scale, preset.channels, preset.depth), preset.block)


def _to_trained_form(net: nn.Module, block: BlockKind) -> nn.Module:
    if block == "plain":
        return net
    return widen_convolutions(net, EdgeConv2d if block == "edge" else CollapsibleConv2d)


def fit_warm_start(warm_start: nn.Module, preset: Preset, seed: int) -> nn.Module:
    """A smaller PlainNet grown to the preset's size, the tutorial's network in the form in which it
    is trained; any other network unchanged.

    Raises :class:`CheckpointError` for a larger PlainNet, and for a SuperResolutionNet that was
    trained elsewhere.
    """
    if preset.network == "plain" and isinstance(warm_start, PlainNet):
        return grow_network(warm_start, preset.channels, preset.depth, seed)
    if preset.network == "reference" and isinstance(warm_start, SuperResolutionNet):
        return PassingNet.of(warm_start)
    return warm_start


def to_published_form(trained: nn.Module) -> nn.Module:
    """A trained and collapsed network in the form in which it is published."""
    return trained.fold() if isinstance(trained, PassingNet) else trained
