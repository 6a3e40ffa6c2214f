"""Sums of 8-bit codes that lie so near the middle between two results that processors differ.

Each runtime adds codes in its own way (:mod:`subpixel.graph.exact.sums`): in float32, in one of
several orders, or in fixed point. All give the nearest code, unless the exact sum lies nearer to
the middle between two codes than their rounding errors reach. There are 65 536 pairs of codes: a
sum is judged by all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from subpixel.graph.exact.sums import Term, add_in_fixed_point
from subpixel.graph.int8.qdq import QuantGrid

FLOAT32_ROUNDING = 2.0**-24
"""How far float32's nearest number lies from the exact one, at most, relative to it."""

ALL_CODES = np.arange(256, dtype=np.int64)
LAST_CODE = 255

PairMask = NDArray[np.bool_]
"""``(256, 256)``: for the code of the first term, and of the second."""
PairValues = NDArray[np.float64]


@dataclass(frozen=True)
class CodeSum:
    """One sum of two tensors of 8-bit codes, with the grids of both and of the result."""

    first: QuantGrid
    second: QuantGrid
    result: QuantGrid
    name: str = ""
    """That of its result in the graph."""


def list_code_sums(model: onnx.ModelProto) -> Sequence[CodeSum]:
    """The sums of codes in ``model``, in the order of its nodes: an Add between two
    DequantizeLinear and a QuantizeLinear, of uint8 and with one step for all."""
    reader = _SumReader(model)
    sums = [reader.read(node) for node in model.graph.node if node.op_type == "QuantizeLinear"]
    return [sum_ for sum_ in sums if sum_ is not None]


def find_close_pairs(sum_: CodeSum) -> PairMask:
    """The pairs of codes to which processors may give different sums."""
    exact = _exact_sums(sum_)
    return _near_the_middle(exact, _bound_float_errors(sum_)) | _otherwise_in_fixed_point(
        sum_, exact
    )


def clear_step(sum_: CodeSum, steps: Iterable[np.float32]) -> np.float32 | None:
    """The first of ``steps`` for the result with which no pair is close; None where each has one.

    The zero point stays. The steps must lie within a hundredth of the sum's own.
    """
    errors = _bound_float_errors(sum_) * 0.98  # for each step they are a little larger or smaller
    for step in steps:
        trial = replace(sum_, result=replace(sum_.result, step=float(step)))
        if not (
            _near_the_middle(_exact_sums(trial), errors).any() or find_close_pairs(trial).any()
        ):
            return step
    return None


class _SumReader:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._parameters = {tensor.name: tensor for tensor in model.graph.initializer}

    def read(self, quantize: NodeProto) -> CodeSum | None:
        add = self._makers.get(quantize.input[0])
        if add is None or add.op_type != "Add":
            return None
        ends = [self._makers.get(name) for name in add.input]
        if any(node is None or node.op_type != "DequantizeLinear" for node in ends):
            return None
        first, second, result = (self._grid(node) for node in (*ends, quantize) if node)
        if first is None or second is None or result is None:
            return None
        return CodeSum(first, second, result, quantize.output[0])

    def _grid(self, node: NodeProto) -> QuantGrid | None:
        """Of a QuantizeLinear or DequantizeLinear; None if it isn't one step, of uint8."""
        tensors = [self._parameters.get(name) for name in node.input[1:]]
        if len(tensors) != 2 or tensors[0] is None or tensors[1] is None:
            return None
        step, zero = (numpy_helper.to_array(tensor) for tensor in tensors if tensor is not None)
        if step.size != 1 or zero.dtype != np.uint8:
            return None
        return QuantGrid(float(step.item()), int(zero.item()))


def _exact_sums(sum_: CodeSum) -> PairValues:
    """In steps of the result, its zero point included; of float64's 53 bits, 40 are needed."""
    first, second = (
        (ALL_CODES - grid.zero) * (grid.step / sum_.result.step)
        for grid in (sum_.first, sum_.second)
    )
    exact: PairValues = np.add.outer(first, second) + sum_.result.zero
    return exact


def _near_the_middle(exact: PairValues, errors: PairValues) -> PairMask:
    """Where another code is within ``errors``; beyond black and white all are the same."""
    below = np.floor(exact)
    between_codes = (below >= 0) & (below < LAST_CODE)
    close: PairMask = between_codes & (np.abs(exact - below - 0.5) <= errors)
    return close


def _bound_float_errors(sum_: CodeSum) -> PairValues:
    """How far kernels that add in float32 end up from the exact sum, at most.

    x86 multiplies codes by ratios of steps, and adds the zero points' share as one number; others
    go operator by operator. Each rounding adds at most ``FLOAT32_ROUNDING`` of its result, in any
    order of the additions.
    """
    step = sum_.result.step
    ratios = [grid.step / step for grid in (sum_.first, sum_.second)]
    first, second = ALL_CODES[:, None] * ratios[0], ALL_CODES[None, :] * ratios[1]
    zeros = sum_.first.zero * ratios[0], sum_.second.zero * ratios[1]
    offset, zero = sum(zeros), sum_.result.zero
    plain = np.abs(first - zeros[0]), np.abs(second - zeros[1])
    total = first + second - offset
    fixed = 2 * offset + abs(zero - offset)
    partial = np.maximum(np.abs(first + zero - offset), np.abs(second + zero - offset))
    by_ratios = first + second + fixed + partial
    operator_by_operator = 2 * np.abs(total)
    often = plain[0] + plain[1] + np.abs(total + zero)
    bound: PairValues = often + np.maximum(by_ratios, operator_by_operator)
    return FLOAT32_ROUNDING * (1 + 2.0**-20) * bound


def _otherwise_in_fixed_point(sum_: CodeSum, exact: PairValues) -> PairMask:
    """Where ARM's multipliers of 22 bits give another code than the nearest."""
    terms = [
        Term(whole.reshape(shape), np.float32(grid.step))
        for grid, shape, whole in (
            (grid, shape, ALL_CODES - grid.zero)
            for grid, shape in ((sum_.first, (-1, 1)), (sum_.second, (1, -1)))
        )
    ]
    whole = add_in_fixed_point(terms[0], terms[1], np.float32(sum_.result.step))
    codes = np.clip(whole + sum_.result.zero, 0, LAST_CODE)
    differ: PairMask = codes != np.clip(np.rint(exact), 0, LAST_CODE)
    return differ
