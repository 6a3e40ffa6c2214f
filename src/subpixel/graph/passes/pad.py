"""Padding and cropping in the graph, for networks that work only on certain sizes."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.helper import make_attribute

from subpixel.errors import NetworkError
from subpixel.graph.geometry.propagate import onnx_opset, picture_inputs
from subpixel.spec import ModelSpec, Padding

PAD_PREFIX = "pad/"
"""The prefix of every name that is added here, except ``input`` and ``output``."""

MIN_OPSET = 12
"""The first opset in which Pad takes its widths as an input, and Min and Max take integers."""


def with_padding(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """``model``, which works on ``spec``'s sizes, as a network for pictures of any size.

    The picture is padded at its right and lower edge by ``spec.padding``, and the result is cropped
    accordingly. A picture of a valid size is not changed. Raises
    :class:`~subpixel.errors.NetworkError` below opset 12.
    """
    if onnx_opset(model) < MIN_OPSET:
        raise NetworkError(
            f"this network works only on certain sizes, and padding inside the graph needs opset "
            f"{MIN_OPSET} or later; {onnx_opset(model)} was asked for"
        )
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    (source,) = picture_inputs(result)
    _rename_tensors(graph, {source.name: "pad/picture", graph.output[0].name: "pad/result"})
    constants, before = _padding(source.name, "pad/picture", spec)
    more, behind = _crop_result("pad/result", graph.output[0].name, spec.scale)
    nodes = [*before, *graph.node, *behind]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants + more)
    del graph.value_info[:]  # they declare the sizes before padding
    _open_sizes(source, graph.output[0], spec.scale)
    return result


def without_padding(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto | None:
    """``model`` as it was before :func:`with_padding`, for pictures of ``spec``'s sizes alone.

    It may have been wrapped since, with a prefix before its names. None where its nodes are not
    exactly those that pad to ``spec``'s sizes.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    shape = next((n for n in graph.node if n.output[0].endswith("pad/shape")), None)
    if shape is None:
        return None
    prefix = shape.output[0].removesuffix("pad/shape")
    picture, whole = prefix + "pad/picture", prefix + "pad/result"
    target = next((node.output[0] for node in graph.node if whole in node.input), "")
    constants, before = _padding(shape.input[0], picture, spec)
    more, behind = _crop_result(whole, target, spec.scale)
    ours, others = _separate(graph, prefix)
    if ours != [_form(node, prefix) for node in (*before, *behind)] or not _has_constants(
        graph, prefix, [*constants, *more]
    ):
        return None
    del graph.node[:]
    graph.node.extend(others)
    _rename_tensors(graph, {picture: shape.input[0], whole: target})
    return result


NodeForm = tuple[str, tuple[str, ...], tuple[str, ...], tuple[bytes, ...]]
"""A node without its name: operator, inputs, outputs, attributes."""


def _separate(graph: onnx.GraphProto, prefix: str) -> tuple[list[NodeForm], list[NodeProto]]:
    """The nodes that are named as those here, and the others, in the graph's order."""
    start = prefix + PAD_PREFIX
    named = [node.name.startswith(start) for node in graph.node]
    ours = [_form(n, "") for n, own in zip(graph.node, named, strict=True) if own]
    return ours, [n for n, own in zip(graph.node, named, strict=True) if not own]


def _form(node: NodeProto, prefix: str) -> NodeForm:
    """With ``prefix`` before the names that are added here."""
    inputs, outputs = (
        tuple(prefix + name if name.startswith(PAD_PREFIX) else name for name in ends)
        for ends in (node.input, node.output)
    )
    attributes = tuple(each.SerializeToString() for each in node.attribute)
    return node.op_type, inputs, outputs, attributes


def _has_constants(graph: onnx.GraphProto, prefix: str, constants: Sequence[TensorProto]) -> bool:
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    return all(
        np.array_equal(stored.get(prefix + each.name, np.empty(0)), numpy_helper.to_array(each))
        for each in constants
    )


def _rename_tensors(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Rename tensors inside the graph; the declared input and output keep their names."""
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]


def _padding(
    source: str, target: str, spec: ModelSpec
) -> tuple[list[TensorProto], list[NodeProto]]:
    """The constants and nodes that compute the padding from the picture's size, and pad."""
    constants = [
        _constant("pad/zeros", [0, 0]),
        _constant("pad/one", [1]),
        _constant("pad/first", [2]),
        _constant("pad/last", [4]),
        _constant("pad/multiple", [spec.size_multiple]),
        _constant("pad/nearly", [spec.size_multiple - 1]),
        _constant("pad/least", [spec.size_minimum]),
    ]
    unrounded = "pad/side" if spec.square else "pad/wanted"
    side = _pad_node("ReduceMax", ["pad/wanted"], "pad/side", make_attribute("keepdims", 1))
    nodes = [
        _pad_node("Shape", [source], "pad/shape"),
        _pad_node("Slice", ["pad/shape", "pad/first", "pad/last"], "pad/size"),
        _pad_node("Max", ["pad/size", "pad/least"], "pad/wanted"),
        *([side] if spec.square else []),
        _pad_node("Add", [unrounded, "pad/nearly"], "pad/raised"),
        _pad_node("Div", ["pad/raised", "pad/multiple"], "pad/times"),
        _pad_node("Mul", ["pad/times", "pad/multiple"], "pad/fitting"),
        _pad_node("Sub", ["pad/fitting", "pad/size"], "pad/missing"),
        *_fill_missing(source, target, spec.padding),
    ]
    return constants, nodes


def _fill_missing(source: str, target: str, padding: Padding) -> list[NodeProto]:
    """Pad by what is missing."""
    if padding != "reflect":
        return _pad_by(source, "pad/missing", "edge" if padding == "edge" else "constant", target)
    return [
        _pad_node("Sub", ["pad/size", "pad/one"], "pad/reach"),
        _pad_node("Min", ["pad/missing", "pad/reach"], "pad/mirrored"),
        _pad_node("Sub", ["pad/missing", "pad/mirrored"], "pad/repeated"),
        *_pad_by(source, "pad/mirrored", "reflect", "pad/reflected"),
        *_pad_by("pad/reflected", "pad/repeated", "edge", target),
    ]


def _pad_by(source: str, amounts: str, mode: str, target: str) -> list[NodeProto]:
    """Pad ``source`` at its right and lower edge by ``amounts``, a tensor of two numbers."""
    widths, zeros = f"{amounts}_widths", "pad/zeros"
    return [
        _pad_node("Concat", [zeros, zeros, zeros, amounts], widths, make_attribute("axis", 0)),
        _pad_node("Pad", [source, widths], target, make_attribute("mode", mode)),
    ]


def _crop_result(source: str, target: str, scale: int) -> tuple[list[TensorProto], list[NodeProto]]:
    """Crop the result to the part that belongs to the picture."""
    constants = [_constant("pad/scale", [scale]), _constant("pad/axes", [2, 3])]
    return constants, [
        _pad_node("Mul", ["pad/size", "pad/scale"], "pad/larger"),
        _pad_node("Slice", [source, "pad/zeros", "pad/larger", "pad/axes"], target),
    ]


def _pad_node(
    operator: str, inputs: Sequence[str], output: str, *attributes: AttributeProto
) -> NodeProto:
    node = helper.make_node(
        operator, inputs, [output], name=PAD_PREFIX + output.removeprefix(PAD_PREFIX)
    )
    node.attribute.extend(attributes)
    return node


def _constant(name: str, values: Sequence[int]) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def _open_sizes(source: onnx.ValueInfoProto, result: onnx.ValueInfoProto, scale: int) -> None:
    """Declare height and width free; the batch is not changed."""
    for end, factor in ((source, ""), (result, "" if scale == 1 else f"{scale}*")):
        for axis, name in ((2, "height"), (3, "width")):
            end.type.tensor_type.shape.dim[axis].dim_param = factor + name
