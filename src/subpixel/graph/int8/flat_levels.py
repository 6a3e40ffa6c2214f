"""Flat areas in 8-bit integers: which levels come out as others, and what keeps them.

What rounding in the layers adds up to varies from pixel to pixel in pictures; in a flat area it is
the same everywhere, and half a code value of it makes another level of all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from subpixel.graph.execute import runtime_engine
from subpixel.graph.flow import TensorValues
from subpixel.graph.int8.kernels import COLOURS, last_channels
from subpixel.graph.int8.luma_chain import LumaChain

WHITE = 255
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


def keeps_levels(model: onnx.ModelProto, chain: LumaChain) -> bool:
    """Whether the float32 network ``model`` keeps all of them to within a code value."""
    output = chain.last.result
    found = _measure(model, chain, output, lambda flat: {chain.picture: _as_planes(flat)})
    return bool(np.abs(found).max() < 1)


def measure_flat_errors(integer: onnx.ModelProto, chain: LumaChain) -> FlatErrors:
    """Those of the network in integers ``integer``, made of ``chain``."""
    output = chain.last.result + "/sums"
    found = _measure(integer, chain, output, lambda flat: {"input": flat})
    return found[:, last_channels(chain.scale)]


def _as_planes(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.divide(pictures.transpose(0, 3, 1, 2), WHITE, dtype=np.float32)


def _measure(
    model: onnx.ModelProto,
    chain: LumaChain,
    output: str,
    feed: Callable[[NDArray[np.uint8]], TensorValues],
) -> FlatErrors:
    """By how much the channels of ``output`` differ from each level, or with ``residual`` from
    nothing, in the middle of a flat picture of it."""
    reach = sum(max(layer.size) // 2 for layer in chain.layers)
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    engine, middles = runtime_engine(), []
    for levels in np.arange(WHITE + 1, dtype=np.uint8).reshape(-1, BATCH, 1, 1, 1):
        pictures = np.tile(levels, (1, 2 * reach + 1, 2 * reach + 1, COLOURS))
        middles.append(engine(exposed, feed(pictures))[output][:, :, reach, reach])
    results = np.concatenate(middles).astype(np.float64) * WHITE
    return results if chain.residual else results - np.arange(WHITE + 1)[:, None]


def shift_flats(errors: FlatErrors, room: float, max_room: float) -> FlatShift | None:
    """What keeps every level, or as many as ``max_room`` can; None where ``room`` keeps them as it
    is.

    Each channel is shifted as little as brings its errors within the room there is, and the room is
    no larger than the channel whose errors lie furthest apart needs.
    """
    low, high = errors.min(axis=0), errors.max(axis=0)
    if max(-low.min(), high.max()) < room:
        return None
    needed = float((high - low).max()) / 2 / (1 - SPARE)
    room = max(room, min(needed, max_room))
    within = room * (1 - SPARE)
    down, up = np.minimum(within - high, 0), np.maximum(-within - low, 0)
    middle = -(low + high) / 2
    fits = high - low <= 2 * within
    return FlatShift(np.where(fits, down + up, middle), room)
