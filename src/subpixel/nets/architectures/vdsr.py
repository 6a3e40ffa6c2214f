"""VDSR: a deep network that adds what bicubic enlargement lost."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    Layout,
    Setting,
    chosen_of,
    colour_of,
    fill,
    find_layers,
    numbered,
)
from subpixel.nets.architectures.variants import RANGE, Varied
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.nets.layers.bicubic import on_enlarged
from subpixel.spec import ModelSpec


class VDSR(nn.Module):
    """Kim, Lee and Lee, arXiv 1511.04587: 20 3×3 convolutions, and the input added to the last.

    ``(N, C, H, W)`` in 0 … 1, bicubically enlarged → the same shape.
    """

    def __init__(
        self, channels: int = 1, width: int = 64, depth: int = 20, *, bias: bool = False
    ) -> None:
        super().__init__()
        self.activation: nn.Module = nn.ReLU()
        self.residual = True
        planes = [channels, *[width] * (depth - 1), channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
            for inputs, outputs in pairwise(planes)
        )

    def forward(self, picture: Tensor) -> Tensor:
        *hidden, last = self.layers
        features = picture
        for layer in hidden:
            features = self.activation(layer(features))
        restored: Tensor = last(features)
        return restored + picture if self.residual else restored


def _lornatang(weights: Weights) -> list[str]:
    return ["conv1.0", *numbered(weights, "trunk.{}.conv"), "conv2"]


def _twtygqyy(weights: Weights) -> list[str]:
    return ["input", *numbered(weights, "residual_layer.{}.conv"), "output"]


def _chain(weights: Weights) -> list[str]:
    return numbered(weights, "features.{}", step=2)


def _own(weights: Weights) -> list[str]:
    return numbered(weights, "layers.{}")


LAYOUTS = (
    Layout(  # Lornatang/VDSR-PyTorch
        frozenset({"conv1.0.weight", "trunk.0.conv.weight", "conv2.weight"}), _lornatang
    ),
    Layout(  # twtygqyy/pytorch-vdsr, its released weights
        frozenset({"input.weight", "residual_layer.0.conv.weight", "output.weight"}), _twtygqyy
    ),
    Layout(  # twtygqyy/pytorch-vdsr, earlier: 20 convolutions in a row, ReLU between them
        frozenset({"features.0.weight", "features.2.weight", "features.38.weight"}), _chain
    ),
    Layout(  # this module's own
        frozenset({"layers.0.weight", "layers.1.weight", "layers.19.weight"}), _own
    ),
)


def _load(weights: Weights, scale: int | None) -> Checkpoint:
    """The network as it is, which restores; or, where a scale is given, with the enlargement.

    The weights don't tell the scale: the paper trains one network for all of them.
    """
    layers = find_layers(weights, LAYOUTS)
    first = layers[0]
    with torch.device("meta"):  # shapes alone: nothing is drawn, and no size can fill the memory
        module = VDSR(first.inputs, first.outputs, len(layers), bias=first.bias)
    fill(module, weights, layers)
    colour = colour_of(first.inputs)
    settings = (Setting("residual", ("yes", "no"), _with_residual), RANGE)
    return on_enlarged(module, ModelSpec("VDSR", 1, colour, colour, "VDSR"), scale, settings)


def _with_residual(module: nn.Module, value: str) -> nn.Module:
    inner = module.net if isinstance(module, Varied) else module
    assert isinstance(inner, VDSR)
    inner.residual = chosen_of(value, "residual", ("yes", "no")) == "yes"
    return module


ARCHITECTURE = Architecture("VDSR", tuple(layout.signature for layout in LAYOUTS), _load)
