"""Flat areas in 8-bit integers: which levels come out as others, and what keeps them.

What rounding in the layers adds up to varies from pixel to pixel in pictures; in a flat area it is
the same everywhere, and half a code value of it makes another level of all of them.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from subpixel.graph.execute import runtime_engine
from subpixel.graph.int8.kernels import last_channels
from subpixel.graph.int8.luma_chain import LumaChain

LEVELS = 256
BATCH = 16
"""Flat pictures that are computed at once."""
SPARE = 0.02
"""Of the room for errors, the share that is left to processors that round differently."""

FlatErrors = NDArray[np.float64]
"""``(256, scale²)``: by how many code values the last layer's sub-pixels are off in a flat picture
of each level, away from borders, before they are rounded."""


@dataclass(frozen=True, eq=False)
class FlatShift:
    """What is added to each channel of the last layer, in code values, and the room for errors that
    its steps must leave, in code values on either side."""

    shifts: NDArray[np.float64]
    """``(scale²,)``"""
    room: float


def room_for_errors(step: float) -> float:
    """By how many code values the output may be off before rounding to ``step`` code values so that
    the level, to which it is added before the next rounding, stays."""
    whole = int(np.ceil(0.5 / step)) - 1  # steps that don't reach half a code value
    return (whole + 0.5) * step


def measure_flat_errors(model: onnx.ModelProto, chain: LumaChain) -> FlatErrors:
    """Run the network in integers ``model``, made of ``chain``, on flat pictures of every level."""
    reach = sum(max(layer.size) // 2 for layer in chain.layers)
    sums, side = chain.last.result + "/sums", 2 * reach + 1
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.append(helper.make_tensor_value_info(sums, TensorProto.FLOAT, None))
    engine, middles = runtime_engine(), []
    for first in range(0, LEVELS, BATCH):
        levels = np.arange(first, first + BATCH, dtype=np.uint8)
        pictures = np.broadcast_to(levels[:, None, None, None], (BATCH, side, side, 3))
        values = engine(exposed, {"input": np.ascontiguousarray(pictures)})[sums]
        middles.append(values[:, last_channels(chain.scale), reach, reach])
    results = np.concatenate(middles).astype(np.float64) * (LEVELS - 1)
    return results if chain.residual else results - np.arange(LEVELS)[:, None]


def shift_flats(errors: FlatErrors, step: float, max_room: float) -> FlatShift | None:
    """What keeps every level, or as many as ``max_room`` can; None where rounding to ``step`` code
    values keeps them as it is.

    Each channel is shifted as little as brings its errors within the room there is, and the room is
    no larger than the channel whose errors lie furthest apart needs.
    """
    low, high = errors.min(axis=0), errors.max(axis=0)
    room = room_for_errors(step)
    if max(-low.min(), high.max()) < room:
        return None
    needed = float((high - low).max()) / 2 / (1 - SPARE)
    room = max(room, min(needed, max_room))
    within = room * (1 - SPARE)
    down, up = np.minimum(within - high, 0), np.maximum(-within - low, 0)
    middle = -(low + high) / 2
    fits = high - low <= 2 * within
    return FlatShift(np.where(fits, down + up, middle), room)
