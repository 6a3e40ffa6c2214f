"""Colour in the graph against dense matrices and against Pillow."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from graphs import IR_VERSIONS, Graph, nearest, run
from rounding import gamma
from subpixel.errors import NetworkError
from subpixel.graph.passes.wrap import chroma_weights, rgb_from_luma
from subpixel.imaging.colour import CHROMA_TO_RGB, LUMA_WEIGHTS, RGB_TO_CHROMA
from subpixel.imaging.resample import bicubic_matrix

ROUNDING = gamma(5 * 5 * 3 + 5) * 5
"""Of chroma's filter, 5 by 5 of three channels, and of what is added; sizes of weights sum to 1 in
luma, and in chroma to at most 1 (of RGB) by 1.5 (down) by 1.5 (across) by 1.772 (to RGB)."""


def by_matrices(rgb: NDArray[Any], scale: int) -> NDArray[np.float64]:
    """What the wrapped nearest-neighbour network must give, for ``(N, 3, H, W)``."""
    luma = np.einsum("c,nchw->nhw", LUMA_WEIGHTS, rgb.astype(np.float64))
    large = np.clip(luma.repeat(scale, 1).repeat(scale, 2), 0, 1)
    chroma = np.einsum("kc,nchw->nkhw", RGB_TO_CHROMA, rgb.astype(np.float64))
    rows, columns = (bicubic_matrix(size, scale) for size in rgb.shape[2:])
    chroma = rows @ chroma @ columns.T
    return large[:, None] + np.einsum("ck,nkhw->nchw", CHROMA_TO_RGB, chroma)


@pytest.mark.parametrize("opset", IR_VERSIONS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_equals_dense_matrices_at_every_opset(scale: int, opset: int) -> None:
    model = rgb_from_luma(nearest(scale, opset), scale)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == opset
    assert model.ir_version == IR_VERSIONS[opset]
    for shape in ((2, 3, 7, 9), (1, 3, 1, 1)):
        rgb = np.random.default_rng(0).random(shape, np.float32)
        np.testing.assert_allclose(run(model, rgb), by_matrices(rgb, scale), rtol=0, atol=ROUNDING)


@pytest.fixture
def smooth() -> Image.Image:
    """A picture with strong colours and no sharp edges."""
    small = np.random.default_rng(0).integers(40, 216, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize((32, 24), Image.Resampling.BICUBIC)


def wrapped(picture: Image.Image, scale: int) -> NDArray[np.float64]:
    """``(H, W, 3)`` in 0 … 255, without the border (where Pillow ends its filters)."""
    rgb = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255
    result = run(rgb_from_luma(nearest(scale), scale), rgb)[0].transpose(1, 2, 0)
    return inner(result.astype(np.float64) * 255, scale)


def inner(picture: NDArray[Any], scale: int) -> NDArray[Any]:
    return picture[2 * scale : -2 * scale, 2 * scale : -2 * scale]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_agrees_with_pillows_resampling(smooth: Image.Image, scale: int) -> None:
    size = (smooth.width * scale, smooth.height * scale)
    rgb = np.asarray(smooth, np.float64)
    luma, chroma = rgb @ LUMA_WEIGHTS, rgb @ RGB_TO_CHROMA.T
    large = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
        for plane in (chroma[..., 0], chroma[..., 1])
    ]
    expected = np.stack(large, -1) @ CHROMA_TO_RGB.T
    expected += luma.repeat(scale, 0).repeat(scale, 1)[..., None]
    np.testing.assert_allclose(wrapped(smooth, scale), inner(expected, scale), atol=2e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_agrees_with_pillows_colours(smooth: Image.Image, scale: int) -> None:
    size = (smooth.width * scale, smooth.height * scale)
    y, cb, cr = smooth.convert("YCbCr").split()
    planes = (
        y.resize(size, Image.Resampling.NEAREST),
        cb.resize(size, Image.Resampling.BICUBIC),
        cr.resize(size, Image.Resampling.BICUBIC),
    )
    expected = np.asarray(Image.merge("YCbCr", planes).convert("RGB"), np.float64)
    # Pillow cuts off fractions twice: half a level of Y and of chroma, and half of the result.
    lost = 0.5 + 0.5 * CHROMA_TO_RGB.sum(axis=1) + 0.5
    difference = wrapped(smooth, scale) - inner(expected, scale)
    np.testing.assert_allclose(difference.mean(axis=(0, 1)), lost, atol=0.3)
    assert np.abs(difference - lost).max() < 4


def test_grey_is_left_to_the_network_alone() -> None:
    grey = np.full((1, 3, 5, 6), 0.25, np.float32)
    np.testing.assert_allclose(run(rgb_from_luma(nearest(3), 3), grey), 0.25, rtol=0, atol=ROUNDING)
    assert np.abs(chroma_weights(3).sum(axis=(1, 2, 3))).max() < 1e-12


def test_the_networks_overshoot_is_clipped() -> None:
    graph = Graph()
    doubled = graph.node("Mul", "input", graph.constant(2.0, np.float32))
    white = np.ones((1, 3, 4, 4), np.float32)
    assert run(rgb_from_luma(graph.model(doubled), 1), white).max() <= 1 + ROUNDING


@pytest.mark.parametrize("opset", [13, 18])
def test_float16_in_and_out(opset: int) -> None:
    graph = Graph(opset)
    weights = graph.constant(np.ones((4, 1, 1, 1)), np.float16)
    phases = graph.node("Conv", "input", weights)
    half = graph.node("DepthToSpace", phases, blocksize=2)
    model = rgb_from_luma(graph.model(half, kind=TensorProto.FLOAT16), 2)
    onnx.checker.check_model(model, full_check=True)
    rgb = np.random.default_rng(0).random((1, 3, 6, 5)).astype(np.float16)
    result = run(model, rgb)
    assert result.dtype == np.float16
    np.testing.assert_allclose(result, by_matrices(rgb, 2), atol=4e-3)


def test_fixed_sizes_stay_fixed_and_open_ones_open() -> None:
    fixed = rgb_from_luma(nearest(3, dims=["N", 224, "W"]), 3).graph
    assert helper.printable_value_info(fixed.input[0]) == "%input[FLOAT, batchx3x224xwidth]"
    assert dims(fixed.output[0]) == ["batch", 3, 672, "3*width"]
    assert dims(rgb_from_luma(nearest(1), 1).graph.output[0]) == ["batch", 3, "height", "width"]


def dims(value: onnx.ValueInfoProto) -> list[int | str]:
    return [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]


def test_names_inside_never_clash_and_metadata_stays() -> None:
    graph = Graph(opset=9)
    named = graph.node("Relu", "input")
    model = graph.model(named)
    model.metadata_props.add(key="author", value="someone")
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "subpixel/chroma"
    twice = rgb_from_luma(model, 1)
    onnx.checker.check_model(twice, full_check=True)
    made = [name for node in twice.graph.node for name in node.output]
    assert len(made) == len(set(made))
    assert len({node.name for node in twice.graph.node}) == len(twice.graph.node)
    assert [(p.key, p.value) for p in twice.metadata_props] == [("author", "someone")]


def test_the_given_model_is_not_touched() -> None:
    model = nearest(2)
    before = model.SerializeToString()
    rgb_from_luma(model, 2)
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nearest(2, channels=3), r"3xheight.*must be \(batch, 1, height, width\)"),
        (nearest(2, kind=TensorProto.UINT8), "UINT8"),
        (nearest(2, opset=6), "opset 6; export it again at 7"),
    ],
)
def test_what_is_no_luma_network_is_refused(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        rgb_from_luma(model, 2)


def test_a_second_input_is_refused() -> None:
    model = nearest(2)
    model.graph.input.append(helper.make_tensor_value_info("noise", TensorProto.FLOAT, [1]))
    with pytest.raises(NetworkError, match="2 inputs and 1 outputs"):
        rgb_from_luma(model, 2)
