"""Sums of codes moved off the middle between two codes, so that every processor rounds them alike.

A sum's step is changed by a few millionths, and with it what reads the sum: its own
DequantizeLinear nodes, and the bias of the convolutions behind them, which is in steps of that.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.exact.ties import CodeSum, clear_step, find_close_pairs, list_code_sums

MOVING = ("Transpose", "Reshape", "Slice", "Squeeze")
"""Operators that carry codes to another place and leave them as they are."""
MAX_STRAY = 2**13
"""By how many of float32's numbers a step may be changed: about a thousandth."""


def clear_sums(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` in which no pair of codes lies so near the middle between two sums that
    processors differ (:func:`~subpixel.graph.exact.ties.find_close_pairs`).

    A sum with such pairs gets the nearest step that has none; others stay as they are. Raises
    :class:`~subpixel.errors.NetworkError` where there is no such step within a thousandth, and
    where a sum's codes go to a node whose steps can't follow.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for place in range(len(list_code_sums(result))):
        sum_ = list_code_sums(result)[place]  # the step of one may have changed the next
        if find_close_pairs(sum_).any():
            _Rewriter(result).change_step(sum_, _choose_step(sum_))
    return result


def _choose_step(sum_: CodeSum) -> np.float32:
    step = clear_step(sum_, _nearest_steps(np.float32(sum_.result.step)))
    if step is None:
        raise NetworkError(
            f"its sum {sum_.name} has no step near {sum_.result.step:g} with which all processors "
            "round it alike; quantize it again, on other photographs"
        )
    return step


def _nearest_steps(step: np.float32) -> Iterator[np.float32]:
    """The float32 numbers around ``step``, by their distance, without itself."""
    bits = int(step.view(np.int32))
    for stray in range(1, MAX_STRAY + 1):
        for near in (bits - stray, bits + stray):
            yield np.int32(near).view(np.float32)


class _Rewriter:
    """Changes a graph in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._parameters = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def change_step(self, sum_: CodeSum, step: np.float32) -> None:
        quantize = next(node for node in self._graph.node if sum_.name in node.output)
        name = self._add_parameter(f"{sum_.name}/clear/step", np.asarray(step))
        quantize.input[1] = name
        for node in list(self._find_readers(sum_.name)):
            node.input[1] = name
            for conv in self._takers(node.output[0]):
                if conv.op_type == "Conv" and len(conv.input) > 2:
                    self._change_bias(conv, sum_.result.step, step)
        self._drop_unused()

    def _find_readers(self, codes: str) -> Iterator[NodeProto]:
        """The DequantizeLinear nodes that read ``codes``, moved or not."""
        if any(end.name == codes for end in self._graph.output):
            raise NetworkError(f"the sum {codes} is the network's output; its step can't change")
        for node in self._takers(codes):
            if node.op_type == "DequantizeLinear":
                yield node
            elif node.op_type in MOVING:
                yield from self._find_readers(node.output[0])
            else:
                raise NetworkError(f"the sum {codes} goes to {node.op_type}; its step can't change")

    def _takers(self, name: str) -> Sequence[NodeProto]:
        return [node for node in self._graph.node if name in node.input]

    def _change_bias(self, conv: NodeProto, before: float, after: np.float32) -> None:
        """A convolution's bias in steps of the new input's."""
        dequantize = next(node for node in self._graph.node if conv.input[2] in node.output)
        whole, steps = (self._parameters[name] for name in dequantize.input[:2])
        new_steps = (steps.astype(np.float64) / before * float(after)).astype(np.float32)
        new_whole = np.rint(whole * (before / float(after))).astype(whole.dtype)
        copy = NodeProto()
        copy.CopyFrom(dequantize)
        copy.name = copy.output[0] = conv.input[2] = f"{conv.output[0]}/clear/bias"
        copy.input[0] = self._add_parameter(copy.name + "/whole", new_whole)
        copy.input[1] = self._add_parameter(copy.name + "/step", new_steps)
        place = list(self._graph.node).index(dequantize)
        self._graph.node.insert(place, copy)

    def _add_parameter(self, name: str, values: NDArray[np.generic]) -> str:
        self._parameters[name] = values
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def _drop_unused(self) -> None:
        """The constants and parameters that nothing reads any more."""
        for node in list(self._graph.node):
            if not self._read_names().intersection(node.output):
                self._graph.node.remove(node)
        read = self._read_names()
        for tensor in list(self._graph.initializer):
            if tensor.name not in read:
                self._graph.initializer.remove(tensor)

    def _read_names(self) -> set[str]:
        ends = {end.name for end in self._graph.output}
        return ends.union(*(node.input for node in self._graph.node))
