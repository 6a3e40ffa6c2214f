"""Colour inside the graph: a luma network becomes an RGB network."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import (
    AttributeProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    compose,
    helper,
    numpy_helper,
)
from onnx.helper import make_attribute

from subpixel.errors import NetworkError
from subpixel.graph.geometry.propagate import onnx_opset, picture_inputs
from subpixel.imaging.colour import CHROMA_TO_RGB, LUMA_WEIGHTS, RGB_TO_CHROMA
from subpixel.imaging.resample import BICUBIC_HALO, phase_weights
from subpixel.spec import ModelSpec

RGB_PREFIX = "subpixel/"
"""The prefix of every name that is added here, except ``input`` and ``output``."""
INNER = "luma/"
"""The prefix of every name of the luma network."""

FLOAT_KINDS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)


def spec_on_rgb(spec: ModelSpec) -> ModelSpec:
    """The facts of a luma network's graph once :func:`rgb_from_luma` has wrapped it: its chroma
    reaches as far as bicubic interpolation does."""
    halo = None if spec.halo is None else max(spec.halo, BICUBIC_HALO)
    return replace(spec, interface="rgb", halo=halo)


def rgb_from_luma(model: onnx.ModelProto, scale: int) -> onnx.ModelProto:
    """An RGB network around a luma network, with the same opset, IR version, metadata and
    floating-point type.

    ``(N, 1, H, W)`` → ``(N, 1, H * scale, W * scale)`` becomes ``(N, 3, H, W)`` → ``(N, 3, H *
    scale, W * scale)``, RGB in 0 … 1 in and out (slightly beyond that for saturated colours). The
    network's input is BT.601 full-range luma, and its result is clipped to 0 … 1; chroma is
    enlarged bicubically (a = -0.5, edge pixels repeated). RGB → CbCr, bicubic and CbCr → RGB are
    all linear, so they are one 5×5 convolution, followed by sub-pixel convolution's interleaving
    (Shi et al., arXiv 1609.05158).

    Raises :class:`~subpixel.errors.NetworkError` when ``model`` is not such a network, or its opset
    is below 7.
    """
    inner_input, inner_output = _one_channel_ends(model)
    opset, kind = onnx_opset(model), inner_input.type.tensor_type.elem_type
    inner = compose.add_prefix_graph(model.graph, INNER)
    to_luma = _rgb_node("Conv", ["input", RGB_PREFIX + "luma_weights"], INNER + inner_input.name)
    to_rgb, parameters = _add_colour(INNER + inner_output.name, scale, opset, kind)
    luma = _parameter("luma_weights", np.reshape(LUMA_WEIGHTS, (1, 3, 1, 1)), kind)
    parameters = [luma, *parameters]
    source, enlarged = _rgb_ends(inner_input, scale)
    inputs = [end for end in inner.input if end.name != INNER + inner_input.name]
    if model.ir_version < 4:  # such files list every parameter as an input too
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in parameters]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.CopyFrom(
        helper.make_graph(
            [to_luma, *inner.node, *to_rgb],
            inner.name,
            [source, *inputs],
            [enlarged],
            [*inner.initializer, *parameters],
            sparse_initializer=inner.sparse_initializer,
        )
    )
    return result


def _add_colour(
    enlarged_luma: str, scale: int, opset: int, kind: int
) -> tuple[list[NodeProto], list[TensorProto]]:
    """The nodes from the network's result and ``input`` to ``output``, and their parameters."""
    chroma = _parameter("chroma_weights", chroma_weights(scale), kind)
    clip, limits = _clip(enlarged_luma, RGB_PREFIX + "luma", opset, kind)
    pad, widths = _pad_edges("input", RGB_PREFIX + "padded", opset)
    block = make_attribute("blocksize", scale)
    nodes = [
        clip,
        pad,
        _rgb_node("Conv", [pad.output[0], chroma.name], RGB_PREFIX + "phases"),
        _rgb_node("DepthToSpace", [RGB_PREFIX + "phases"], RGB_PREFIX + "chroma", block),
        _rgb_node("Add", [RGB_PREFIX + "luma", RGB_PREFIX + "chroma"], "output"),
    ]
    return nodes, [chroma, *limits, *widths]


def chroma_weights(scale: int) -> NDArray[np.float64]:
    """``(3 * scale², 3, 5, 5)``: colour minus luma, upscaled bicubically, one filter per phase.

    The output channels are in the order of ONNX's DepthToSpace in mode DCR: phase row, phase
    column, colour.
    """
    colour, phases = CHROMA_TO_RGB @ RGB_TO_CHROMA, phase_weights(scale)
    weights: NDArray[np.float64] = np.einsum("oi,ay,bx->aboiyx", colour, phases, phases)
    return weights.reshape(3 * scale**2, 3, 5, 5)


def _one_channel_ends(model: onnx.ModelProto) -> tuple[ValueInfoProto, ValueInfoProto]:
    inputs, outputs = picture_inputs(model), model.graph.output
    if len(inputs) != 1 or len(outputs) != 1:
        raise NetworkError(
            f"the network has {len(inputs)} inputs and {len(outputs)} outputs; "
            "a luma network has one of each"
        )
    tensor = inputs[0].type.tensor_type
    dims = tensor.shape.dim
    if len(dims) != 4 or dims[1].dim_value != 1 or tensor.elem_type not in FLOAT_KINDS:
        raise NetworkError(
            f"the network's input {helper.printable_value_info(inputs[0])} is no luma picture; "
            "it must be (batch, 1, height, width) of floating point"
        )
    if onnx_opset(model) < 7:
        raise NetworkError(
            f"the network is at opset {onnx_opset(model)}; export it again at 7 or later"
        )
    return inputs[0], outputs[0]


def _rgb_ends(inner: ValueInfoProto, scale: int) -> tuple[ValueInfoProto, ValueInfoProto]:
    """The RGB network's input and output, with the sizes that the luma network fixes."""
    kind = inner.type.tensor_type.elem_type
    batch, _, height, width = inner.type.tensor_type.shape.dim
    n = batch.dim_value or "batch"
    sides = [(height.dim_value or "height"), (width.dim_value or "width")]
    larger = [s * scale if isinstance(s, int) or scale == 1 else f"{scale}*{s}" for s in sides]
    return (
        helper.make_tensor_value_info("input", kind, [n, 3, *sides]),
        helper.make_tensor_value_info("output", kind, [n, 3, *larger]),
    )


def _rgb_node(
    operator: str, inputs: Sequence[str], output: str, *attributes: AttributeProto
) -> NodeProto:
    node = helper.make_node(
        operator, inputs, [output], name=RGB_PREFIX + output.removeprefix(RGB_PREFIX)
    )
    node.attribute.extend(attributes)
    return node


def _parameter(name: str, values: NDArray[np.float64], kind: int) -> TensorProto:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    return numpy_helper.from_array(np.asarray(values).astype(dtype), RGB_PREFIX + name)


def _clip(source: str, result: str, opset: int, kind: int) -> tuple[NodeProto, list[TensorProto]]:
    """Clip to 0 … 1; the bounds are attributes before opset 11 and inputs since."""
    if opset < 11:
        limits = make_attribute("min", 0.0), make_attribute("max", 1.0)
        return _rgb_node("Clip", [source], result, *limits), []
    bounds = [_parameter("black", np.array(0.0), kind), _parameter("white", np.array(1.0), kind)]
    return _rgb_node("Clip", [source, *(bound.name for bound in bounds)], result), bounds


def _pad_edges(source: str, result: str, opset: int) -> tuple[NodeProto, list[TensorProto]]:
    """Pad by two pixels on every side; the widths are an attribute before opset 11 and an input
    since."""
    widths = [0, 0, 2, 2, 0, 0, 2, 2]
    mode = make_attribute("mode", "edge")
    if opset < 11:
        return _rgb_node("Pad", [source], result, mode, make_attribute("pads", widths)), []
    pads = numpy_helper.from_array(np.array(widths, dtype=np.int64), RGB_PREFIX + "pads")
    return _rgb_node("Pad", [source, pads.name], result, mode), [pads]
