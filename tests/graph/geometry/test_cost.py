import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn

from graphs import Graph, traced
from subpixel.graph.geometry.cost import (
    WINDOW_FACTOR,
    estimate_cost,
    multiply_adds_per_pixel,
    parameters,
)
from subpixel.graph.int8.quantize import to_int8
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.zoo.manifest import find_bundled


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


def test_a_network_of_integers_from_end_to_end() -> None:
    model = onnx.load(find_bundled("fast-int8", 2).path)
    luma, first, last = 48 * 16 / 16, 128 * 4 * 5 * 3 / 8, 16 * 16 * 9
    columns, rows = 2 * 5 * 48 / 16, 2 * 32 * 36 / 4
    counted = luma + first + 4 * 16 * 16 * 9 + last + columns + rows
    assert multiply_adds_per_pixel(model) == counted
    assert parameters(model) > parameters(onnx.load(find_bundled("fast", 2).path))


def three_layers(seed: int = 0) -> onnx.ModelProto:
    graph = Graph(seed=seed)
    inner = graph.conv(graph.conv("input", 8, pads=[1] * 4), 8, pads=[1] * 4)
    return graph.model(graph.node("DepthToSpace", graph.conv(inner, 4, 1), blocksize=2))


def test_qdq_nodes_change_no_count() -> None:
    model = three_layers()
    picture = np.random.default_rng(0).random((1, 1, 16, 16), np.float32)
    quantised = to_int8(model, [picture])
    assert {t.data_type for t in quantised.graph.initializer} >= {TensorProto.INT8}
    assert parameters(quantised) == parameters(model) == 9 * 8 + 9 * 64 + 8 * 4
    assert multiply_adds_per_pixel(quantised) == multiply_adds_per_pixel(model)


def test_operators_on_integers() -> None:
    graph = Graph()
    step, zero = graph.constant(0.1, np.float32), graph.constant(0, np.uint8)
    flat, bias = graph.constant(0, np.int8), graph.constant([0] * 6, np.int32)
    codes = graph.node("QuantizeLinear", "input", step, zero)
    wide = graph.constant(np.ones((6, 1, 3, 3)), np.int8)
    grid = step, zero
    made = graph.node("QLinearConv", codes, *grid, wide, step, flat, *grid, bias, pads=[1] * 4)
    deep = graph.constant(np.ones((4, 6, 1, 1)), np.int8)
    whole = graph.node("Cast", graph.node("ConvInteger", made, deep), to=TensorProto.FLOAT)
    model = graph.model(graph.node("DepthToSpace", whole, blocksize=2))
    assert parameters(model) == 6 * 9 + 6 + 4 * 6
    assert multiply_adds_per_pixel(model) == 6 * 9 + 4 * 6


def test_what_takes_codes_and_can_not_be_followed_is_unknown() -> None:
    """It looks at as many rows as the picture is bright."""
    graph = Graph(channels=3)
    real = graph.node("Cast", "input", to=TensorProto.FLOAT)
    brightest = graph.node("ReduceMax", real, keepdims=0)
    end = graph.node("Cast", brightest, to=TensorProto.INT64)
    end = graph.node("Reshape", end, graph.constant([1]))
    start, axes = graph.constant([0]), graph.constant([1])
    planes = graph.node("Transpose", graph.node("Slice", real, start, end, axes), perm=[0, 3, 1, 2])
    model = graph.model(graph.conv(planes, 4), kind=TensorProto.UINT8)
    for dim, name in zip(
        model.graph.input[0].type.tensor_type.shape.dim, ("n", "h", "w", 3), strict=True
    ):
        if isinstance(name, str):
            dim.dim_param = name
        else:
            dim.dim_value = name
    assert multiply_adds_per_pixel(model) is None
