"""The halo against three oracles: impulses, PyTorch's gradients, and tiles."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from faults.hosts import host
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from torch import nn
from torch.nn import functional

from graphs import Graph, run, traced
from rounding import graph_bound
from subpixel.graph.geometry.receptive import Reach, find_reach, halo, size_multiple
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet

Block = Callable[[Graph, str], str]


def _conv(kernel: int, dilation: int, before: int) -> Block:
    """Of the same size; ``before`` of the padding lies at the top and left."""
    total = (kernel - 1) * dilation
    first = min(before, total)
    pads = [first, first, total - first, total - first]

    def build(graph: Graph, source: str) -> str:
        return graph.conv(source, 2, kernel, dilations=[dilation] * 2, pads=pads)

    return build


def _same(kernel: int, auto_pad: str) -> Block:
    return lambda graph, source: graph.conv(source, 2, kernel, auto_pad=auto_pad)


def _residual(inner: Block) -> Block:
    def build(graph: Graph, source: str) -> str:
        one = graph.conv(source, 2, 1)
        return graph.node("Add", one, graph.node("Relu", inner(graph, one)))

    return build


def _pool(operator: str) -> Block:
    def build(graph: Graph, source: str) -> str:
        return graph.node(operator, source, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    return build


def _below(down: int, inner: Block, up: str) -> Block:
    """Down by a strided convolution, ``inner``, and up again."""

    def build(graph: Graph, source: str) -> str:
        kernel = down + 1
        low = graph.conv(source, 2, kernel, strides=[down] * 2, pads=[1, 1, kernel - 2, kernel - 2])
        low = inner(graph, low)
        if up == "shuffle":
            return graph.shuffle(low, down)
        if up == "resize":
            scales = graph.constant([1, 1, down, down], np.float32)
            return graph.node("Resize", low, "", scales, mode="nearest")
        weights = graph.weights(graph.channels, 2, down + 1, down + 1)
        graph.channels = 2
        return graph.node("ConvTranspose", low, weights, strides=[down] * 2, pads=[0, 0, 1, 1])

    return build


def _unshuffled(block: int, inner: Block) -> Block:
    def build(graph: Graph, source: str) -> str:
        low = graph.node("SpaceToDepth", source, blocksize=block)
        graph.channels *= block**2
        return graph.shuffle(inner(graph, low), block)

    return build


def _resized(scale: int, mode: str, places: str) -> Block:
    def build(graph: Graph, source: str) -> str:
        scales = graph.constant([1, 1, scale, scale], np.float32)
        return graph.node(
            "Resize", source, "", scales, mode=mode, coordinate_transformation_mode=places
        )

    return build


CONVOLUTIONS = st.one_of(
    st.builds(_conv, st.integers(1, 4), st.integers(1, 2), st.integers(0, 3)),
    st.builds(_same, st.integers(2, 3), st.sampled_from(["SAME_UPPER", "SAME_LOWER"])),
)
BLOCKS = st.one_of(
    CONVOLUTIONS,
    st.builds(_residual, CONVOLUTIONS),
    st.builds(_pool, st.sampled_from(["MaxPool", "AveragePool"])),
    st.builds(
        _below,
        st.integers(2, 3),
        CONVOLUTIONS,
        st.sampled_from(["shuffle", "resize", "transpose"]),
    ),
    st.builds(_unshuffled, st.integers(2, 3), CONVOLUTIONS),
)
ENLARGEMENTS = st.one_of(
    st.just((1, lambda graph, source: source)),
    st.sampled_from([2, 3]).map(lambda s: (s, lambda graph, source: graph.shuffle(source, s))),
    st.builds(
        lambda s, mode, places: (s, _resized(s, mode, places)),
        st.sampled_from([2, 3]),
        st.sampled_from(["nearest", "linear", "cubic"]),
        st.sampled_from(["half_pixel", "asymmetric"]),
    ),
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[onnx.ModelProto, int]:
    """A random local network with positive weights, and its scale."""
    graph, result = Graph(seed=draw(st.integers(0, 99))), "input"
    for block in draw(st.lists(BLOCKS, min_size=1, max_size=3)):
        result = block(graph, result)
    scale, enlarge = draw(ENLARGEMENTS)
    result = enlarge(graph, result)
    if draw(st.booleans()):
        result = draw(CONVOLUTIONS)(graph, result)
    return graph.model(result, into=graph.channels), scale


def impulse_halo(model: onnx.ModelProto, found: Reach) -> int:
    """The halo as seen: the farthest output pixel that answers to one white pixel on black."""
    scale, multiple = found.scale, found.size_multiple
    side = multiple * -(-(2 * found.halo + 48) // multiple)  # far more than what was found
    centre = side // 2 // multiple * multiple
    farthest = 0
    for place in range(centre, centre + multiple):
        black = np.zeros((1, 1, side, side), np.float32)
        black[0, 0, place, place] = 1.0
        answers = np.argwhere(run(model, black)[0].any(axis=0)) // scale
        farthest = max(farthest, int(np.abs(answers - place).max(initial=0)))
    return farthest


@settings(max_examples=60)
@given(networks())
def test_the_halo_is_what_an_impulse_shows(drawn: tuple[onnx.ModelProto, int]) -> None:
    model, scale = drawn
    found = find_reach(model)
    assert found is not None
    assert found.scale == scale
    assert found.halo == impulse_halo(model, found)


@settings(max_examples=40)
@given(networks(), st.integers(0, 30), st.integers(1, 30))
def test_a_tile_with_the_halo_equals_the_whole(
    drawn: tuple[onnx.ModelProto, int], begin: int, length: int
) -> None:
    assert_tile_equals_whole(drawn[0], begin, length)


def assert_tile_equals_whole(model: onnx.ModelProto, begin: int, length: int) -> None:
    """Columns ``begin …`` of the whole, from a tile cut with the halo and aligned outwards."""
    found = find_reach(model)
    assert found is not None
    side = found.size_multiple * -(-48 // found.size_multiple)
    end = min(begin + length, side)
    picture = np.random.default_rng(1).random((1, 1, side, side), np.float32)
    left = max(begin - found.halo, 0) // found.size_multiple * found.size_multiple
    right = min(-(-(end + found.halo) // found.size_multiple) * found.size_multiple, side)
    tile = run(model, picture[..., left:right])
    whole = run(model, picture)[..., begin * found.scale : end * found.scale]
    part = tile[..., (begin - left) * found.scale : (end - left) * found.scale]
    np.testing.assert_allclose(part, whole, rtol=0, atol=graph_bound(model, picture))


def gradient_halo(module: nn.Module, scale: int, side: int) -> int:
    """The halo as PyTorch's gradients see it, every weight made positive."""
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.1)
    farthest = 0
    for phase in range(scale):
        luma = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
        place = side // 2 * scale + phase
        module.double()(luma)[0, 0, place, place].backward()
        assert luma.grad is not None
        needed = torch.nonzero(luma.grad[0, 0])
        farthest = max(farthest, int((needed - side // 2).abs().max()))
    return farthest


LUMA_NETWORKS = pytest.mark.parametrize(
    ("build", "scale", "expected"),
    [
        (lambda: SuperResolutionNet(3), 3, 5),
        (lambda: PlainNet(2, channels=4, depth=9), 2, 12),
        (lambda: PlainNet(4, channels=4, depth=2), 4, 5),
    ],
)


@LUMA_NETWORKS
@pytest.mark.parametrize("opset", [7, 9, 10, 11, 13, 18])
def test_exported_networks(
    build: Callable[[], nn.Module], scale: int, expected: int, opset: int
) -> None:
    # Opsets below 11 write the pixel shuffle as Reshape, Transpose, Reshape.
    model = traced(build(), opset, torch.rand(1, 1, 8, 9))
    assert find_reach(model) == Reach(scale, expected, 1)


@LUMA_NETWORKS
def test_the_halo_is_what_gradients_show(
    build: Callable[[], nn.Module], scale: int, expected: int
) -> None:
    assert gradient_halo(build(), scale, 27) == expected


class Unshuffled(nn.Module):
    """Works at half the resolution and normalises over channels, held last meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 16, 3, padding=1)
        self.norm = nn.LayerNorm(16)

    def forward(self, luma: torch.Tensor) -> torch.Tensor:
        low = self.conv(functional.pixel_unshuffle(luma, 2))
        low = self.norm(low.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return functional.pixel_shuffle(low, 4)


@pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines,
    reason="PyTorch transposes by FBGEMM, which needs AVX2",
)
@pytest.mark.parametrize("opset", [10, 11, 13, 18])
def test_pixel_unshuffle_and_channels_last(opset: int) -> None:
    # Opset 10 halves the picture's size by arithmetic on its shape.
    model = traced(Unshuffled(), opset, torch.rand(1, 1, 10, 12))
    assert find_reach(model) == Reach(scale=2, halo=3, size_multiple=2)


def test_the_wrapped_network_keeps_the_greater_of_both_halos() -> None:
    graph = Graph()
    pointwise = graph.model(graph.shuffle("input", 2))
    assert halo(pointwise) == 0
    assert halo(rgb_from_luma(pointwise, 2)) == 2


@pytest.mark.parametrize("mode", ["reflect", "edge"])
@pytest.mark.parametrize(("before", "expected"), [(1, 3), (0, 4)])
def test_mirrored_padding(mode: str, before: int, expected: int) -> None:
    # What looks two pixels to one side looks two to the other where it is mirrored.
    graph = Graph()
    features = graph.conv("input", 1, pads=[before, before, 2 - before, 2 - before])
    pads = graph.constant([0, 0, 2, 2, 0, 0, 2, 2])
    padded = graph.node("Pad", features, pads, mode=mode)
    model = graph.model(graph.conv(padded, 1, 5))
    assert halo(model) == expected
    for begin, length in ((0, 7), (9, 39), (20, 5)):
        assert_tile_equals_whole(model, begin, length)


def test_a_shift_to_and_fro_loses_its_edge_in_each_tile() -> None:
    # No output pixel depends on any but its own input pixel, yet a tile needs three more.
    graph = Graph()
    there = graph.node("Pad", "input", graph.constant([0, 0, 0, 3, 0, 0, 0, -3]))
    back = graph.node("Pad", there, graph.constant([0, 0, 0, -3, 0, 0, 0, 3]))
    model = graph.model(back)
    assert halo(model) == 3
    assert_tile_equals_whole(model, 5, 20)


def test_slices_crop_and_pick() -> None:
    graph = Graph()
    wide = graph.conv("input", 1, 3, pads=[2, 2, 2, 2])
    cropped = graph.node(
        "Slice", wide, graph.constant([1, 1]), graph.constant([-1, -1]), graph.constant([2, 3])
    )
    assert find_reach(graph.model(cropped)) == Reach(1, 1, 1)
    rows = [graph.constant(value) for value in ([0], [2**63 - 1], [2], [2])]
    columns = [*rows[:2], graph.constant([3]), rows[3]]
    half = graph.node("Slice", graph.node("Slice", "input", *rows), *columns)
    assert find_reach(graph.model(graph.shuffle(half, 2))) == Reach(1, 1, 2)


def test_a_fixed_size_is_followed_too() -> None:
    graph = Graph(opset=10)
    wide = graph.conv("input", 9, pads=[1, 1, 1, 1])
    split = graph.node("Reshape", wide, graph.constant([1, 1, 3, 3, 8, 10]))
    moved = graph.node("Transpose", split, perm=[0, 1, 4, 2, 5, 3])
    result = graph.node("Reshape", moved, graph.constant([1, 1, 24, 30]))
    model = graph.model(result, dims=[1, 8, 10], out_dims=[1, 24, 30])
    assert find_reach(model) == Reach(3, 1, 1)


def test_sizes_computed_from_the_picture() -> None:
    graph = Graph()
    half = graph.node("MaxPool", "input", kernel_shape=[2, 2], strides=[2, 2])
    sides = graph.node("Shape", "input", start=2)
    height = graph.node("Gather", sides, graph.constant(0))
    width = graph.node("Slice", sides, graph.constant([1]), graph.constant([2]))
    rows = graph.node(
        "Unsqueeze", graph.node("Mul", height, graph.constant(2)), graph.constant([0])
    )
    both = graph.node("Concat", rows, graph.node("Mul", width, graph.constant([2])), axis=0)
    shape = graph.node("Concat", graph.node("Shape", "input", end=2), both, axis=0)
    large = graph.node("Resize", half, "", "", shape, mode="nearest")
    assert find_reach(graph.model(large)) == Reach(scale=2, halo=1, size_multiple=2)


def test_reshapes_by_computed_sizes() -> None:
    # As the dynamo exporter writes them: every length computed, and zero not a wildcard.
    graph = Graph()
    wide = graph.conv("input", 4, pads=[1, 1, 1, 1])
    shape, two = graph.node("Shape", wide), graph.constant([2, 2])
    parts = graph.node("Slice", shape, graph.constant([2]), graph.constant([4]))
    height, width = (graph.node("Gather", parts, graph.constant([i])) for i in (0, 1))
    batch, one = graph.node("Shape", wide, end=1), graph.constant([1])
    split = graph.node("Concat", batch, one, two, height, width, axis=0)
    depth = graph.node("Reshape", wide, split, allowzero=1)
    moved = graph.node("Transpose", depth, perm=[0, 1, 4, 2, 5, 3])
    rows, columns = (graph.node("Mul", side, graph.constant([2])) for side in (height, width))
    whole = graph.node("Concat", batch, one, rows, columns, axis=0)
    model = graph.model(graph.node("Reshape", moved, whole, allowzero=1))
    assert find_reach(model) == Reach(scale=2, halo=1, size_multiple=1)
    assert impulse_halo(model, Reach(scale=2, halo=1, size_multiple=1)) == 1


def _unary(operator: str, **attributes: object) -> Block:
    return lambda graph, source: graph.node(operator, source, **attributes)


def _attention(graph: Graph, source: str) -> str:
    tokens = graph.node("Reshape", source, graph.constant([0, 1, -1]))
    weights = graph.node("MatMul", graph.node("Transpose", tokens, perm=[0, 2, 1]), tokens)
    mixed = graph.node("MatMul", tokens, graph.node("Softmax", weights))
    return graph.node("Reshape", mixed, graph.node("Shape", source))


def _windows(graph: Graph, source: str) -> str:
    split = graph.node("Reshape", source, graph.constant([-1, 1, 4, 2, 4, 2]))
    moved = graph.node("Transpose", split, perm=[0, 2, 4, 1, 3, 5])
    windows = graph.node("Reshape", moved, graph.constant([-1, 1, 2, 2]))
    return graph.node("Reshape", graph.node("Softmax", windows), graph.node("Shape", source))


def _squeeze_and_excite(graph: Graph, source: str) -> str:
    return graph.node("Mul", source, graph.node("GlobalAveragePool", source))


def _position_embedding(graph: Graph, source: str) -> str:
    return graph.node("Add", source, graph.constant(np.ones((1, 1, 8, 8)), np.float32))


def _by_size(graph: Graph, source: str) -> str:
    shape = graph.node("Cast", graph.node("Shape", source), to=onnx.TensorProto.FLOAT)
    return graph.node("Mul", source, graph.node("ReduceMax", shape, keepdims=0))


def _one_and_a_half(graph: Graph, source: str) -> str:
    return graph.node("Resize", source, "", graph.constant([1, 1, 1.5, 1.5], np.float32))


@pytest.mark.parametrize(
    "build",
    [
        _attention,
        _windows,
        _squeeze_and_excite,
        _position_embedding,
        _by_size,
        _one_and_a_half,
        _unary("ReduceMean"),
        _unary("Softmax"),
        _unary("Transpose", perm=[0, 1, 3, 2]),
        _unary("LpNormalization", axis=2),
        _unary("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        _unary("FastGelu", domain="com.microsoft"),
        _unary("Conv"),
        lambda graph, source: graph.conv(source, 1, 3),
        lambda graph, source: graph.conv(source, 1, 4, strides=[2, 2], pads=[1, 1, 1, 1]),
        lambda graph, source: "nowhere",
    ],
)
def test_what_is_not_local_or_not_understood_has_no_halo(build: Block) -> None:
    graph = Graph()
    model = graph.model(build(graph, "input"))
    assert find_reach(model) is None
    assert halo(model) is None
    assert size_multiple(model) is None


def test_instance_normalisation_is_not_local() -> None:
    graph = Graph()
    ones = graph.constant([1.0], np.float32)
    model = graph.model(graph.node("InstanceNormalization", "input", ones, ones))
    assert halo(model) is None


def test_a_branch_that_leads_nowhere_does_not_matter() -> None:
    graph = Graph()
    graph.node("GlobalAveragePool", "input")
    assert halo(graph.model(graph.conv("input", 1, 3, pads=[1, 1, 1, 1]))) == 1


def test_local_functions_are_looked_into() -> None:
    graph = Graph()
    weights = graph.weights(1, 1, 3, 3)
    model = graph.model(graph.node("Blur", "input", weights, domain="own"))
    body = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    imports = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "Blur", ["x", "w"], ["y"], body, imports))
    model.opset_import.append(helper.make_opsetid("own", 1))
    assert halo(model) == 1


@pytest.mark.slow
@pytest.mark.parametrize("multiple", [None, 2, 6])
def test_a_network_on_a_coarser_grid_is_local_on_its_multiples(multiple: int | None) -> None:
    assert find_reach(host("nested").model) == Reach(1, 7, 2)
    assert halo(host("nested").model, multiple) == 7


@pytest.mark.parametrize("multiple", [1, 3])
def test_at_other_sizes_it_is_not(multiple: int) -> None:
    """A U-Net resizes by other ratios there, which hang on the picture's size."""
    assert halo(host("nested").model, multiple) is None


def test_constants_that_overflow_pass_in_silence() -> None:
    graph = Graph()
    blurred = graph.conv("input", 1, 3, pads=[1, 1, 1, 1])
    large = graph.node("Mul", *[graph.constant([3e38], np.float32)] * 2)
    assert halo(graph.model(graph.node("Min", blurred, large))) == 1
