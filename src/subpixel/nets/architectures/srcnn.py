"""SRCNN, the first convolutional network for super-resolution."""

import torch
from torch import Tensor, nn

from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    colour_of_channels,
    fill_module,
    find_layers,
    make_layout,
)
from subpixel.nets.architectures.variants import RANGE_SETTING, RESIDUAL_SETTING, activation_setting
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.nets.layers.bicubic import on_enlarged
from subpixel.spec import ModelSpec


class SRCNN(nn.Module):
    """Dong et al., arXiv 1501.00092: three convolutions on the bicubically enlarged picture.

    ``(N, C, H, W)`` in 0 … 1 → the same shape. ``kernels`` are 9-1-5, 9-3-5 or 9-5-5 in the paper,
    ``widths`` 64 and 32. Zero padding preserves the size.
    """

    def __init__(
        self,
        channels: int = 1,
        widths: tuple[int, int] = (64, 32),
        kernels: tuple[int, int, int] = (9, 5, 5),
    ) -> None:
        super().__init__()
        planes = (channels, *widths, channels)
        self.activation: nn.Module = nn.ReLU()
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
            for inputs, outputs, kernel in zip(planes[:-1], planes[1:], kernels, strict=True)
        )

    def forward(self, picture: Tensor) -> Tensor:
        first, second, last = self.layers
        features = self.activation(second(self.activation(first(picture))))
        restored: Tensor = last(features)
        return restored


SRCNN_LAYOUTS = (
    make_layout("conv1", "conv2", "conv3"),  # yjn870/SRCNN-pytorch
    make_layout("features.0", "map.0", "reconstruction"),  # Lornatang/SRCNN-PyTorch
    make_layout("layers.0", "layers.1", "layers.2"),  # this module's own
)


def _load_srcnn(weights: Weights, scale: int | None) -> Checkpoint:
    """The network itself, which restores; or, with a scale, including the upscaling.

    The weights don't reveal the scale: the same network may be used at any.
    """
    layers = first, second, last = find_layers(weights, SRCNN_LAYOUTS)
    kernels = (first.kernel, second.kernel, last.kernel)
    with torch.device("meta"):  # shapes only: no random numbers, and no size can fill the memory
        module = SRCNN(first.inputs, (first.outputs, second.outputs), kernels)
    fill_module(module, weights, layers)
    colour = colour_of_channels(first.inputs)
    settings = (activation_setting("relu"), RESIDUAL_SETTING, RANGE_SETTING)
    return on_enlarged(module, ModelSpec("SRCNN", 1, colour, colour, "SRCNN"), scale, settings)


SRCNN_ARCHITECTURE = Architecture(
    "SRCNN", tuple(layout.signature for layout in SRCNN_LAYOUTS), _load_srcnn
)
