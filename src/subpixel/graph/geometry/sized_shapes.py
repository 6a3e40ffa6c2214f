"""The shapes of a graph's tensors for a picture of one size, without running it.

:mod:`subpixel.graph.geometry.propagate` follows pictures of any size, and can't where a graph
rounds their width up to whole groups, as networks in 8-bit integers do. For one size that is
arithmetic on constants, after which ONNX's own shape inference knows the rest.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from subpixel.graph.geometry.lines import NotLocalError
from subpixel.graph.geometry.propagate import compute_constants, onnx_opset, picture_inputs
from subpixel.graph.geometry.tensors import ConstantTensor

SIZE_ARITHMETIC = frozenset(
    {"Add", "Cast", "Concat", "Div", "Gather", "Mul", "Slice", "Squeeze", "Sub", "Unsqueeze"}
)
"""Operators with which a graph computes sizes of a picture's shape."""

Shape = tuple[int, ...]


def infer_sized_shapes(model: onnx.ModelProto, picture: Shape) -> Mapping[str, Shape]:
    """The shapes of those tensors of ``model``, by name, that follow from the picture's.

    Raises :class:`~subpixel.graph.geometry.lines.NotLocalError` where the graph can't take a
    picture of that shape.
    """
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    (image,) = picture_inputs(sized)[:1]
    for dim, length in zip(image.type.tensor_type.shape.dim, picture, strict=True):
        dim.dim_value = length
    _fold_sizes(sized, {image.name: picture})
    try:
        graph = shape_inference.infer_shapes(sized).graph
    except (shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise NotLocalError(f"its shapes contradict each other: {error}") from error
    known = {one.name: _read_shape(one) for one in [*graph.value_info, *graph.output]}
    stored = {one.name: tuple(one.dims) for one in graph.initializer}
    return {name: shape for name, shape in known.items() if shape is not None} | stored


def _fold_sizes(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> None:
    """Replace what is computed of the picture's shape by its value."""
    graph, opset = model.graph, onnx_opset(model)
    known = {
        one.name: ConstantTensor(numpy_helper.to_array(one))
        for one in graph.initializer
        if one.data_type == onnx.TensorProto.INT64
    }
    left: list[onnx.NodeProto] = []
    for node in graph.node:
        result = _fold_node(node, shapes, known, opset)
        if result is None:
            left.append(node)
            continue
        known[node.output[0]] = result
        graph.initializer.append(numpy_helper.from_array(result.array, node.output[0]))
    del graph.node[:]
    graph.node.extend(left)


def _fold_node(
    node: onnx.NodeProto,
    shapes: Mapping[str, Shape],
    known: Mapping[str, ConstantTensor],
    opset: int,
) -> ConstantTensor | None:
    if node.op_type == "Shape" and node.input[0] in shapes and not node.attribute:
        return ConstantTensor(np.array(shapes[node.input[0]], np.int64))
    if node.op_type not in SIZE_ARITHMETIC or not all(name in known for name in node.input):
        return None
    results: Sequence[object] = compute_constants(node, [known[n] for n in node.input], opset)
    (result,) = results
    return result if isinstance(result, ConstantTensor) else None


def _read_shape(value: onnx.ValueInfoProto) -> Shape | None:
    dims = value.type.tensor_type.shape.dim
    if not value.type.tensor_type.HasField("shape") or any(not dim.dim_value for dim in dims):
        return None
    return tuple(dim.dim_value for dim in dims)
