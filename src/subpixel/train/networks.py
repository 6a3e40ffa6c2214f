"""The networks that presets name."""

import torch
from torch import nn

from subpixel.nets.collapsible import widened
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
