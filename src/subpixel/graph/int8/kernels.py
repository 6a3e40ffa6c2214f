"""The weights of a network in 8-bit integers, laid out for pixels taken together.

What is narrow is dear: a convolution of three channels takes as long as one of sixteen. So some
pixels of a row are taken as one wider pixel, which in ``(N, H, W, C)`` is but another name for the
same numbers, and a filter stands in the weights once for each pixel of such a group.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from subpixel.graph.int8.grid import FilterWeights, diffuse_rounding, grid_step
from subpixel.graph.int8.qdq import Kernel
from subpixel.imaging.resample import phase_weights
from subpixel.spec import next_multiple

Number = TypeVar("Number", np.float64, np.int8)

CHANNEL_BLOCK = 16
"""Output channels come in multiples of this: ONNX Runtime's fast 8-bit convolutions ask for it."""
COLOURS = 3
FIRST_IN, FIRST_OUT = 4, 8
"""Pixels that the first layer reads as one, and that it makes as one."""
ROW = 4
"""Pixels that the last convolutions make as one."""
LUMA = (34, 67, 13)
WHOLE = sum(LUMA)
"""BT.601 luma in 114ths, off by 0.0008 at most: of the denominators below 128 the one that fits
best. In whole steps, the luma that is taken from RGB and the luma that is put back cancel."""


def pad_channels(count: int) -> int:
    """``count``, rounded up to whole blocks of channels."""
    return next_multiple(count, CHANNEL_BLOCK)


def luma_kernel() -> Kernel:
    """RGB of 16 pixels → their luma, both in code values."""
    weights = np.kron(np.eye(CHANNEL_BLOCK), np.array([LUMA])).astype(np.int8)
    return Kernel(
        weights[:, :, None, None], np.full(CHANNEL_BLOCK, 1 / WHOLE), np.zeros(CHANNEL_BLOCK)
    )


def layer_kernel(layer: Kernel, inputs: int) -> Kernel:
    """A layer between others; its output channels are filled up with zeros, its input channels,
    which were, to ``inputs``."""
    return _fill_channels(layer.weights, layer.steps, layer.bias, inputs)


def first_kernel(layer: Kernel) -> Kernel:
    """The layer that looks at luma: 8 pixels at a time, out of groups of 4."""
    one = layer_kernel(layer, 1)
    return Kernel(
        shift_filters(one.weights), np.tile(one.steps, FIRST_OUT), np.tile(one.bias, FIRST_OUT)
    )


def shift_filters(weights: NDArray[Number]) -> NDArray[Number]:
    """``(out, 1, height, width)`` filters, moved on by a pixel for each of the group."""
    out, _, height, width = weights.shape
    groups = -(-(FIRST_OUT + width - 1) // FIRST_IN)
    wide = np.zeros((FIRST_OUT, out, height, groups * FIRST_IN), weights.dtype)
    for pixel in range(FIRST_OUT):
        wide[pixel, :, :, pixel : pixel + width] = weights[:, 0]
    split = wide.reshape(FIRST_OUT * out, height, groups, FIRST_IN)
    return split.transpose(0, 3, 1, 2)


def last_kernel(layer: Kernel, inputs: int, scale: int) -> Kernel:
    """The layer that makes sub-pixels: rows of them apart by :func:`row_channels`."""
    places = [row * row_channels(scale) + column for row, column in np.ndindex(scale, scale)]
    plain = layer_kernel(layer, inputs)
    channels = pad_channels(scale * row_channels(scale))
    whole = np.zeros((channels, *plain.weights.shape[1:]), np.int8)
    steps, bias = np.ones(channels), np.zeros(channels)
    for own, place in enumerate(places):
        whole[place], steps[place] = plain.weights[own], plain.steps[own]
        bias[place] = plain.bias[own]
    return Kernel(whole, steps, bias)


def row_channels(scale: int) -> int:
    """Channels for a row of ``scale`` sub-pixels: a power of two, which moves in one piece."""
    return 1 << (scale - 1).bit_length()


def column_kernel(taps: NDArray[np.float64], channels: int) -> Kernel:
    """Interpolation along columns, of each channel by itself, in code values."""
    filters = taps.reshape(1, 1, -1, 1)
    steps = 1 / np.floor(1 / grid_step(filters))  # so that even areas stay themselves
    whole = np.repeat(diffuse_rounding(filters, steps), channels, axis=0)
    return Kernel(whole, np.repeat(steps, channels), np.zeros(channels))


def row_kernel(scale: int, share: int, zero: int, *, residual: bool) -> Kernel:
    """What makes a row of sub-pixels, RGB, of four pixels.

    In come RGB of eight pixels interpolated along columns, with ``residual`` luma of the four, and
    what the network says of their sub-pixels: ``share`` 114ths of a code value a step, counted
    from ``zero``. Interpolated along the row, RGB loses its luma and gets the network's.
    """
    counts = [2 * ROW * COLOURS, ROW * residual, ROW * row_channels(scale)]
    colour, luma, deep = np.split(
        np.zeros((ROW, scale, COLOURS, sum(counts))), np.cumsum(counts)[:2], axis=3
    )
    for column, taps in enumerate(_colour_taps(scale)):
        for pixel in range(ROW):
            first = pixel * COLOURS
            colour[pixel, column, :, first : first + taps.shape[1]] = taps
            luma[pixel, column, :, pixel : pixel + 1] = WHOLE
            deep[pixel, column, :, pixel * row_channels(scale) + column] = share
    weights = np.concatenate([colour, luma, deep], axis=3).reshape(-1, sum(counts), 1, 1)
    steps = np.full(len(weights), 1 / WHOLE)
    return _fill_channels(weights.astype(np.int8), steps, -share * zero * steps, sum(counts))


def _colour_taps(scale: int) -> NDArray[np.float64]:
    """``(scale, 3, 5 * 3)``: a pixel's colour without luma, from five pixels' RGB, in 114ths.

    What a colour's taps come to is kept, so that an even area stays as it is.
    """
    colour = WHOLE * np.eye(COLOURS) - np.array(LUMA)
    exact = np.einsum("st,ci->scit", phase_weights(scale), colour)
    whole: FilterWeights = np.diff(np.rint(np.cumsum(exact, axis=3)), axis=3, prepend=0.0)
    return whole.transpose(0, 1, 3, 2).reshape(scale, COLOURS, -1)


def _fill_channels(
    whole: NDArray[np.int8], steps: NDArray[np.float64], bias: NDArray[np.float64], inputs: int
) -> Kernel:
    more = (0, pad_channels(len(whole)) - len(whole))
    weights = np.pad(whole, (more, (0, inputs - whole.shape[1]), (0, 0), (0, 0)))
    return Kernel(weights, np.pad(steps, more, constant_values=1.0), np.pad(bias, more))
