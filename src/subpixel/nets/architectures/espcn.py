"""ESPCN, the network of the sub-pixel convolution's paper."""

import torch
from torch import Tensor, nn

from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    colour_of_channels,
    fill_module,
    find_layers,
    make_layout,
    sub_pixel_scale,
)
from subpixel.nets.architectures.variants import OUTPUT_SETTING, RANGE_SETTING, activation_setting
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.spec import ModelSpec


class ESPCN(nn.Module):
    """Three convolutions with tanh between them, and a sub-pixel convolution (arXiv 1609.05158).

    ``(N, C, H, W)`` in 0 … 1 → ``(N, C, H * scale, W * scale)``; the paper's widths are 64 and
    32, kernels 5, 3 and 3.
    """

    def __init__(self, scale: int, channels: int = 1, wide: int = 64, narrow: int = 32) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, wide, 5, padding=2)
        self.narrow = nn.Conv2d(wide, narrow, 3, padding=1)
        self.sub_pixels = nn.Conv2d(narrow, channels * scale**2, 3, padding=1)
        self.activation: nn.Module = nn.Tanh()
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, picture: Tensor) -> Tensor:
        features = self.activation(self.narrow(self.activation(self.wide(picture))))
        enlarged: Tensor = self.shuffle(self.sub_pixels(features))
        return enlarged


ESPCN_LAYOUTS = (
    make_layout("feature_maps.0", "feature_maps.2", "sub_pixel.0"),  # Lornatang/ESPCN-PyTorch
    make_layout("first_part.0", "first_part.2", "last_part.0"),  # yjn870/ESPCN-pytorch
    make_layout("wide", "narrow", "sub_pixels"),  # this module's own
)


def _load_espcn(weights: Weights, scale: int | None) -> Checkpoint:  # noqa: ARG001 - the file says it
    layers = wide, narrow, last = find_layers(weights, ESPCN_LAYOUTS)
    enlargement = sub_pixel_scale(last, wide.inputs)
    with torch.device("meta"):  # shapes only: no random numbers, and no size can fill the memory
        module = ESPCN(enlargement, wide.inputs, wide.outputs, narrow.outputs)
    fill_module(module, weights, layers)
    colour = colour_of_channels(wide.inputs)
    spec = ModelSpec("ESPCN", enlargement, colour, colour, "ESPCN")
    settings = (activation_setting("tanh"), OUTPUT_SETTING, RANGE_SETTING)
    return Checkpoint(module, spec, settings=settings, conventional=True, plain_keys=True)


ESPCN_ARCHITECTURE = Architecture(
    "ESPCN", tuple(layout.signature for layout in ESPCN_LAYOUTS), _load_espcn
)
