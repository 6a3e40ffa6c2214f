"""The three ways in which runtimes add two tensors of 8-bit codes.

ONNX defines such a sum as DequantizeLinear, Add and QuantizeLinear in float32. ONNX Runtime's
kernels for it compute something else (``onnxruntime/core/mlas/lib/qladd.cpp``): about one in
100 000 pairs of codes lies so near the middle between two results that the ways differ, by one.
:mod:`subpixel.graph.exact.ties` finds such pairs, and our files have none.

A convolution's sums have no such trouble: every kernel multiplies them once in float32, by one
number for each channel, and rounds half to even before the zero point is added.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

FIXED_BITS = 21
"""The larger multiplier of the fixed-point kernel lies between 2²¹ and 2²²."""


FIXED_RATIOS = (2.0**-14, 256.0)


@dataclass(frozen=True, eq=False)
class Term:
    """Whole numbers, each standing for ``whole * step``: codes with their zero point taken off."""

    whole: Whole
    step: np.float32


Sum = Callable[[Term, Term, np.float32], Whole]
"""Two terms and the step of the result: the sum in whole steps, of any size."""


def add_as_onnx(first: Term, second: Term, step: np.float32) -> Whole:
    """Operator by operator, each rounded to float32; as ONNX Runtime does in WebAssembly."""
    reals = [term.whole.astype(np.float32) * term.step for term in (first, second)]
    return np.rint((reals[0] + reals[1]) / step).astype(np.int64)


def add_by_ratios(first: Term, second: Term, step: np.float32) -> Whole:
    """By the ratios of the steps, in float32; as ONNX Runtime does on x86."""
    shares = [term.whole.astype(np.float32) * (term.step / step) for term in (first, second)]
    return np.rint(shares[0] + shares[1]).astype(np.int64)


def add_in_fixed_point(first: Term, second: Term, step: np.float32) -> Whole:
    """By multipliers of 22 bits, half away from zero; as ONNX Runtime does on ARM, where no step is
    beyond ``FIXED_RATIOS`` of the result's."""
    ratios = [float(term.step / step) for term in (first, second)]
    if not all(FIXED_RATIOS[0] <= ratio < FIXED_RATIOS[1] for ratio in ratios):
        return add_as_onnx(first, second, step)
    shift = FIXED_BITS - int(np.floor(np.log2(max(ratios))))
    multipliers = [round(ratio * 2**shift) for ratio in ratios]
    total = first.whole * multipliers[0] + second.whole * multipliers[1]
    rounded: Whole = np.sign(total) * ((np.abs(total) + (1 << (shift - 1))) >> shift)
    return rounded


SUMS: Mapping[str, Sum] = {
    "onnx": add_as_onnx,
    "ratios": add_by_ratios,
    "fixed-point": add_in_fixed_point,
}
"""A picture for which they all agree has one result, on every processor."""
