"""SRCNN, the first convolutional network for super-resolution."""

import torch
from torch import Tensor, nn

from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    Layout,
    colour_of,
    fill,
    find_layers,
)
from subpixel.nets.architectures.variants import RANGE, RESIDUAL, activation_setting
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.nets.layers.bicubic import on_enlarged
from subpixel.spec import ModelSpec


class SRCNN(nn.Module):
    """Dong et al., arXiv 1501.00092: three convolutions on the bicubically enlarged picture.

    ``(N, C, H, W)`` in 0 … 1 → the same shape. ``kernels`` are 9-1-5, 9-3-5 or 9-5-5 in the
    paper, ``widths`` 64 and 32. The size is kept by zeros around every layer's input.
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


def _layout(*layers: str) -> Layout:
    return Layout(frozenset(f"{layer}.weight" for layer in layers), lambda weights: layers)


LAYOUTS = (
    _layout("conv1", "conv2", "conv3"),  # yjn870/SRCNN-pytorch
    _layout("features.0", "map.0", "reconstruction"),  # Lornatang/SRCNN-PyTorch
    _layout("layers.0", "layers.1", "layers.2"),  # this module's own
)


def _load(weights: Weights, scale: int | None) -> Checkpoint:
    """The network as it is, which restores; or, where a scale is given, with the enlargement.

    The weights don't tell the scale: the same network may be used at any.
    """
    layers = first, second, last = find_layers(weights, LAYOUTS)
    kernels = (first.kernel, second.kernel, last.kernel)
    with torch.device("meta"):  # shapes alone: nothing is drawn, and no size can fill the memory
        module = SRCNN(first.inputs, (first.outputs, second.outputs), kernels)
    fill(module, weights, layers)
    colour = colour_of(first.inputs)
    settings = (activation_setting("relu"), RESIDUAL, RANGE)
    return on_enlarged(module, ModelSpec("SRCNN", 1, colour, colour, "SRCNN"), scale, settings)


ARCHITECTURE = Architecture("SRCNN", tuple(layout.signature for layout in LAYOUTS), _load)
