"""The networks that presets name."""

import torch
from torch import nn

from subpixel.nets.collapsible import widened
from subpixel.nets.growth import grown
from subpixel.nets.plain import PlainNet
from subpixel.nets.superresolution import SuperResolutionNet
from subpixel.train.presets import Preset


def build(preset: Preset, scale: int, seed: int) -> nn.Module:
    """The preset's network, widened, in float32 on the CPU, its weights drawn from ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if preset.network == "reference":
            return widened(SuperResolutionNet(scale))
        return widened(PlainNet(scale, preset.channels, preset.depth))


def brought_to_size(warm_start: nn.Module, preset: Preset, seed: int) -> nn.Module:
    """A smaller PlainNet grown to the preset's size; any other network as it is.

    Raises :class:`CheckpointError` for a larger PlainNet.
    """
    if preset.network == "plain" and isinstance(warm_start, PlainNet):
        return grown(warm_start, preset.channels, preset.depth, seed)
    return warm_start
