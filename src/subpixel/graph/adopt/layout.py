"""Transposition of an NHWC input or output to NCHW."""

from collections.abc import Sequence

import onnx
from onnx.helper import make_attribute

from subpixel.graph.adopt.frame import Chain, frame_model, picture_input

TO_NHWC = (0, 2, 3, 1)
TO_NCHW = (0, 3, 1, 2)


def with_nchw(model: onnx.ModelProto, *, input_nhwc: bool, output_nhwc: bool) -> onnx.ModelProto:
    """A copy of ``model`` whose input, output, or both are transposed from NHWC to NCHW."""
    result = frame_model(
        model,
        "layout",
        (lambda chain: _add_transpose(chain, TO_NHWC)) if input_nhwc else None,
        (lambda chain: _add_transpose(chain, TO_NCHW)) if output_nhwc else None,
    )
    if input_nhwc:
        _permute_axes(picture_input(result), TO_NCHW)
    if output_nhwc:
        _permute_axes(result.graph.output[0], TO_NCHW)
    return result


def _add_transpose(chain: Chain, order: Sequence[int]) -> None:
    chain.add("Transpose", attributes=[make_attribute("perm", order)])


def _permute_axes(end: onnx.ValueInfoProto, order: Sequence[int]) -> None:
    shape = end.type.tensor_type.shape
    dims = [type(dim).FromString(dim.SerializeToString()) for dim in shape.dim]
    if len(dims) == len(order):
        del shape.dim[:]
        shape.dim.extend(dims[axis] for axis in order)
