"""Input and output become NCHW, where they are NHWC."""

from collections.abc import Sequence

import onnx
from onnx.helper import make_attribute

from subpixel.graph.adopt.frame import Chain, framed, picture_input

TO_NHWC = (0, 2, 3, 1)
TO_NCHW = (0, 3, 1, 2)


def with_nchw(model: onnx.ModelProto, *, input_nhwc: bool, output_nhwc: bool) -> onnx.ModelProto:
    """A copy of ``model`` whose input, output, or both are transposed from NHWC to NCHW."""
    made = framed(
        model,
        "layout",
        (lambda chain: _transpose(chain, TO_NHWC)) if input_nhwc else None,
        (lambda chain: _transpose(chain, TO_NCHW)) if output_nhwc else None,
    )
    if input_nhwc:
        _declare(picture_input(made), TO_NCHW)
    if output_nhwc:
        _declare(made.graph.output[0], TO_NCHW)
    return made


def _transpose(chain: Chain, order: Sequence[int]) -> None:
    chain.add("Transpose", attributes=[make_attribute("perm", order)])


def _declare(end: onnx.ValueInfoProto, order: Sequence[int]) -> None:
    shape = end.type.tensor_type.shape
    dims = [type(dim).FromString(dim.SerializeToString()) for dim in shape.dim]
    if len(dims) == len(order):
        del shape.dim[:]
        shape.dim.extend(dims[axis] for axis in order)
