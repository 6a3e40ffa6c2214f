"""Conversion from 0 … 1 to the network's value range, and back."""

import numpy as np
import onnx
from numpy.typing import NDArray

from subpixel.convention import UNIT_RANGE, ValueRange
from subpixel.graph.adopt.frame import Chain, frame_model


def with_unit_range(
    model: onnx.ModelProto, input_range: ValueRange, output_range: ValueRange
) -> onnx.ModelProto:
    """A copy of ``model``, float32 NCHW, whose input and output are in 0 … 1."""
    mean, std = _broadcast_numbers(input_range)
    result_mean, result_std = _broadcast_numbers(output_range)
    return frame_model(
        model,
        "range",
        None if input_range == UNIT_RANGE else lambda chain: _affine(chain, 1 / std, -mean / std),
        None
        if output_range == UNIT_RANGE
        else lambda chain: _affine(chain, result_std, result_mean),
    )


def _broadcast_numbers(values: ValueRange) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and std, shaped to broadcast over NCHW."""
    mean, std = (np.reshape(numbers, (1, -1, 1, 1)) for numbers in (values.mean, values.std))
    return mean, std


def _affine(chain: Chain, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
    chain.add("Mul", chain.constant(factor.astype(np.float32)))
    if offset.any():
        chain.add("Add", chain.constant(offset.astype(np.float32)))
