"""Follow a picture through a graph, operation by operation, without running it.

Each operation has one handler in a table; operations without one, or used in a way that their
handler doesn't support, give :class:`~subpixel.graph.geometry.tensors.UnknownTensor`, never a
guess.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import onnx
from onnx import helper, inliner, numpy_helper
from onnx.reference import ReferenceEvaluator

from subpixel.graph.geometry.lines import Line, NotLocalError
from subpixel.graph.geometry.operations import PICTURE_HANDLERS, SIZE_HANDLERS, Operation
from subpixel.graph.geometry.tensors import (
    AxisLength,
    ConstantTensor,
    PictureTensor,
    PlainAxis,
    Tensor,
    UnknownTensor,
    plain_length,
)

ONNX_DOMAINS = ("", "ai.onnx")


VALUE_BY_VALUE = frozenset({"GatherElements", "GatherND", "ScatterElements", "ScatterND"})
"""Operators that ONNX's reference implementation evaluates value by value in Python."""

MAX_REFERENCE_VALUES = 1 << 14
"""The largest number of values for them: they take less than a second."""


def propagate(model: onnx.ModelProto) -> dict[str, Tensor]:
    """What is known of every tensor of ``model``, by name.

    The picture is the first input that isn't a parameter. Functions are inlined; branches and loops
    are not followed.
    """
    if model.functions:
        model = inliner.inline_local_functions(model)
    opset = onnx_opset(model)
    tensors: dict[str, Tensor] = {
        parameter.name: ConstantTensor(numpy_helper.to_array(parameter))
        for parameter in model.graph.initializer
    }
    tensors |= {image.name: _picture_tensor(image) for image in picture_inputs(model)[:1]}
    for node in model.graph.node:
        results = _results(node, [_find_tensor(name, tensors) for name in node.input], opset)
        tensors |= dict(zip(node.output, results, strict=False))
    return tensors


def onnx_opset(model: onnx.ModelProto) -> int:
    """The opset version of ONNX's own operators in ``model``; 0 when it states none."""
    return max((o.version for o in model.opset_import if o.domain in ONNX_DOMAINS), default=0)


def picture_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs that are no parameters: old files list their parameters as inputs too."""
    parameters = {parameter.name for parameter in model.graph.initializer}
    return [end for end in model.graph.input if end.name not in parameters]


def _picture_tensor(image: onnx.ValueInfoProto) -> Tensor:
    dims = image.type.tensor_type.shape.dim
    if len(dims) != 4:
        return UnknownTensor(f"the input {image.name} has {len(dims)} dimensions, not 4")
    batch, channels, height, width = (dim.dim_value or None for dim in dims)
    return PictureTensor(
        (
            PlainAxis(plain_length(batch) if batch else AxisLength(Fraction(1), ("batch",))),
            PlainAxis(
                plain_length(channels) if channels else AxisLength(Fraction(1), ("channels",))
            ),
            Line("height", fixed=height),
            Line("width", fixed=width),
        )
    )


def _find_tensor(name: str, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """None for an optional input that is absent."""
    return tensors.get(name, UnknownTensor(f"{name} has no known origin")) if name else None


def _results(node: onnx.NodeProto, inputs: Sequence[Tensor | None], opset: int) -> Sequence[Tensor]:
    unknown = next((tensor for tensor in inputs if isinstance(tensor, UnknownTensor)), None)
    if unknown:
        return [unknown] * len(node.output)
    try:
        return _follow_node(node, inputs, opset)
    except NotLocalError as error:
        return [UnknownTensor(f"{node.op_type}: {error}")] * len(node.output)
    except (LookupError, ValueError) as error:  # attributes that ONNX's checker would reject
        return [
            UnknownTensor(f"{node.op_type}: its settings contradict each other: {error}")
        ] * len(node.output)


def _follow_node(
    node: onnx.NodeProto, inputs: Sequence[Tensor | None], opset: int
) -> Sequence[Tensor]:
    if node.domain not in ONNX_DOMAINS:
        raise NotLocalError(f"is an operator of {node.domain}, not of ONNX")
    if node.op_type == "Constant" or (any(inputs) and _all_known(inputs)):
        return compute_constants(node, inputs, opset)
    on_picture = any(isinstance(tensor, PictureTensor) for tensor in inputs)
    handler = (PICTURE_HANDLERS if on_picture else SIZE_HANDLERS).get(node.op_type)
    if handler is None:
        raise NotLocalError("no rule says what its result depends on")
    attributes = {
        attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    results = handler(Operation(node.op_type, attributes, tuple(inputs), len(node.output), opset))
    return results if isinstance(results, tuple) else (results,)


def _all_known(inputs: Sequence[Tensor | None]) -> bool:
    return all(tensor is None or isinstance(tensor, ConstantTensor) for tensor in inputs)


def compute_constants(
    node: onnx.NodeProto, inputs: Sequence[Tensor | None], opset: int
) -> Sequence[Tensor]:
    """The results of a node whose inputs are constants, computed by ONNX's reference
    implementation.

    Raises :class:`NotLocalError` where they can't be computed.
    """
    feeds = {
        name: tensor.array
        for name, tensor in zip(node.input, inputs, strict=True)
        if isinstance(tensor, ConstantTensor)
    }
    if (
        node.op_type in VALUE_BY_VALUE
        and max(array.size for array in feeds.values()) > MAX_REFERENCE_VALUES
    ):
        raise NotLocalError("its constants are too large to be computed one by one")
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(node, opsets={"": opset}).run(None, feeds)
    except Exception as error:  # it raises exceptions of many kinds
        raise NotLocalError(f"its constants can't be computed: {error}") from error
    return [ConstantTensor(np.asarray(result)) for result in results]
