"""Forms of files whose layers can't be held to those of another graph."""

import onnx
from onnx import NodeProto, TensorProto

from subpixel.errors import NetworkError
from subpixel.graph.flow import LAYOUT_DOMAINS, subgraph_nodes
from subpixel.graph.geometry.propagate import picture_inputs
from subpixel.parity.bisect.alignment.qoperator import is_known

DYNAMIC = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul")
"""Their integers mean another number for every picture, and are scaled by nodes further on."""


def expect_separable(name: str, model: onnx.ModelProto) -> None:
    """Raise :class:`~subpixel.errors.NetworkError` for a file that can only be judged as a whole:
    one in ONNX Runtime's own layouts, quantised dynamically, or that takes 8-bit pictures as they
    are. ``name`` is the file's."""
    if any(
        image.type.tensor_type.elem_type == TensorProto.UINT8 for image in picture_inputs(model)
    ):
        raise NetworkError(
            f"{name} differs, but its nodes can't be told apart: it takes 8-bit pictures and "
            "computes in integers from end to end; bisect the file that it was quantised from"
        )
    for node in subgraph_nodes(model.graph):
        reason = _inseparable_reason(node)
        if reason:
            raise NetworkError(
                f"{name} differs, but its nodes can't be told apart: {_operator(node)} "
                f"{reason}; bisect the file that it was made from"
            )


def _inseparable_reason(node: NodeProto) -> str | None:
    if node.domain in LAYOUT_DOMAINS:
        return "is ONNX Runtime's, in a layout for one processor (the file was saved optimised)"
    if node.op_type in DYNAMIC:
        return "quantises every picture anew (dynamic quantisation)"
    quantised = node.op_type.startswith(("QLinear", "QGemm", "MatMulNBits"))
    return None if not quantised or is_known(node) else "has no form in float32 here"


def _operator(node: NodeProto) -> str:
    return f"{node.op_type} ({node.name or node.output[0]})"
