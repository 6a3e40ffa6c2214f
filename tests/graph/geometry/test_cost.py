import numpy as np
import pytest
import torch
from torch import nn

from graphs import Graph, traced
from subpixel.graph.geometry.cost import (
    WINDOW_FACTOR,
    estimate_cost,
    multiply_adds_per_pixel,
    parameters,
)
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet


@pytest.mark.parametrize("opset", [10, 18])
def test_a_plain_network(opset: int) -> None:
    module = PlainNet(3, 16, 9)
    for name, bias in module.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(bias)  # the exporter writes equal ones once
    model = traced(module, opset, torch.rand(1, 1, 8, 9))
    assert multiply_adds_per_pixel(model) == 25 * 16 + 9 * (9 * 16 * 16 + 16 * 9)
    assert parameters(model) == sum(p.numel() for p in module.parameters())


def test_the_reference_network() -> None:
    model = traced(SuperResolutionNet(3), 10, torch.rand(1, 1, 8, 9))
    assert multiply_adds_per_pixel(model) == 25 * 64 + 9 * (64 * 64 + 64 * 32 + 32 * 9)


class Mixed(nn.Module):
    """Below, at and above the input's resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(4, 8, 3, padding=1, groups=4)
        self.linear = nn.Linear(8, 6, bias=False)
        self.up = nn.ConvTranspose2d(6, 2, 4, stride=4)
        self.last = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        low = self.deep(self.down(luma)).permute(0, 2, 3, 1)
        low = self.linear(low).permute(0, 3, 1, 2)
        return self.last(self.up(low))


def test_each_weight_counts_once_per_place() -> None:
    model = traced(Mixed(), 13, torch.rand(1, 1, 8, 8))
    low = 4 * 9 + 8 * 9 + 8 * 6 + 6 * 2 * 16
    assert multiply_adds_per_pixel(model) == low / 4 + 2 * 9 * 4


def test_agrees_with_pytorchs_own_count() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    module, picture = Mixed(), torch.rand(1, 1, 8, 8)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(picture)
    counted = multiply_adds_per_pixel(traced(module, 13, picture))
    assert counted == counter.get_total_flops() / 2 / 64


def test_unknown_where_the_graph_is_not_followed() -> None:
    graph = Graph()
    mixed = graph.node("Mul", "input", graph.node("GlobalAveragePool", "input"))
    assert multiply_adds_per_pixel(graph.model(mixed)) is None


def test_parameters_are_floats() -> None:
    graph = Graph()
    padded = graph.node("Pad", "input", graph.constant([0] * 8))
    half = graph.node("Add", padded, graph.constant(np.ones((1, 5, 1, 1)), np.float32))
    assert parameters(graph.model(half)) == 5


class Squeeze(nn.Module):
    """Looks at the whole picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        return luma + self.conv(luma).softmax(-1)


def test_what_can_not_be_counted_is_guessed_from_the_parameters() -> None:
    model = traced(Squeeze(), 18, torch.rand(1, 1, 8, 9))
    assert multiply_adds_per_pixel(model) is None
    assert estimate_cost(model, local=False) == WINDOW_FACTOR * 9
    assert estimate_cost(model, local=True) == 9
    local = traced(SuperResolutionNet(3), 10, torch.rand(1, 1, 8, 9))
    assert estimate_cost(local, local=True) == multiply_adds_per_pixel(local)
