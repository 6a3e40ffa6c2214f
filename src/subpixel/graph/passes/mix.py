"""A network between two of the same graph: each weight on the straight line between theirs.

Deep network interpolation (Wang et al., CVPR 2019, arXiv 1811.10515). It makes sense where one of
the two was fine-tuned from the other, so that their channels still mean the same.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from subpixel.errors import NetworkError, UsageError


def mix_weights(start: onnx.ModelProto, end: onnx.ModelProto, strength: float) -> onnx.ModelProto:
    """A copy of ``start`` whose float32 initialisers are ``(1 - strength) * start + strength *
    end``, computed in double precision and rounded once.

    ``strength`` is 0 … 1. Others must be equal in both. Raises :class:`UsageError` for a strength
    outside, and :class:`NetworkError` where the two differ in more than the values of weights.
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"strength is {strength}; it is a number of 0 to 1")
    if not _same_graph(start, end):
        raise NetworkError(
            "the two networks differ in their nodes; only networks of one graph can be mixed, "
            "such as one that was fine-tuned from the other"
        )
    result = onnx.ModelProto()
    result.CopyFrom(start)
    ends = {tensor.name: tensor for tensor in end.graph.initializer}
    for tensor in result.graph.initializer:
        tensor.CopyFrom(_mix_tensors(tensor, ends.get(tensor.name), strength))
    return result


def _same_graph(start: onnx.ModelProto, end: onnx.ModelProto) -> bool:
    names = [sorted(tensor.name for tensor in model.graph.initializer) for model in (start, end)]
    return names[0] == names[1] and all(
        getattr(start.graph, part) == getattr(end.graph, part)
        for part in ("node", "input", "output")
    )


def _mix_tensors(start: TensorProto, end: TensorProto | None, strength: float) -> TensorProto:
    if end is None or (start.data_type, start.dims) != (end.data_type, end.dims):
        raise NetworkError(f"the weights {start.name!r} have another shape or type in the other")
    first, last = numpy_helper.to_array(start), numpy_helper.to_array(end)
    if np.array_equal(first, last):
        return start
    if start.data_type != TensorProto.FLOAT:
        raise NetworkError(f"the initialiser {start.name!r} differs and isn't float32")
    mixed: NDArray[np.float64] = (1 - strength) * first.astype(np.float64) + strength * last.astype(
        np.float64
    )
    return numpy_helper.from_array(mixed.astype(np.float32), start.name)
