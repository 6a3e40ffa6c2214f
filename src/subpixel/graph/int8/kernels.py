"""The weights of a network in 8-bit integers, laid out for groups of pixels.

Narrow convolutions are expensive: one of three channels takes as long as one of sixteen. So several
pixels of a row are treated as one wider pixel, which in ``(N, H, W, C)`` is a reshape without a
copy, and each filter is repeated in the weights once for each pixel of the group.
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
"""Output channels are padded to multiples of this: ONNX Runtime's fast 8-bit convolutions need
it."""
COLOURS = 3
FIRST_IN, FIRST_OUT = 4, 8
"""The group sizes of the first layer's input and output, in pixels."""
ROW = 4
"""The group size of the last convolutions' output, in pixels."""
LUMA = (34, 67, 13)
WHOLE = sum(LUMA)
"""BT.601 luma in 114ths, off by at most 0.0008: the best of the denominators below 128. In whole
steps, the luma that is subtracted from RGB and the luma that is added back cancel exactly."""


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
    """An inner layer: its output channels are padded with zeros to whole blocks, its input channels
    to ``inputs``, the padded output of the layer before."""
    return _fill_channels(layer.weights, layer.steps, layer.bias, inputs)


def first_kernel(layer: Kernel) -> Kernel:
    """The layer that reads luma: 8 pixels at a time, from groups of 4."""
    one = layer_kernel(layer, 1)
    return Kernel(
        shift_filters(one.weights), np.tile(one.steps, FIRST_OUT), np.tile(one.bias, FIRST_OUT)
    )


def shift_filters(weights: NDArray[Number]) -> NDArray[Number]:
    """``(out, 1, height, width)`` filters, repeated for each pixel of a group, shifted by one pixel
    each."""
    out, _, height, width = weights.shape
    groups = -(-(FIRST_OUT + width - 1) // FIRST_IN)
    wide = np.zeros((FIRST_OUT, out, height, groups * FIRST_IN), weights.dtype)
    for pixel in range(FIRST_OUT):
        wide[pixel, :, :, pixel : pixel + width] = weights[:, 0]
    split = wide.reshape(FIRST_OUT * out, height, groups, FIRST_IN)
    return split.transpose(0, 3, 1, 2)


def last_kernel(layer: Kernel, inputs: int, scale: int) -> Kernel:
    """The layer that computes sub-pixels, with :func:`row_channels` channels for each of their
    rows."""
    plain = layer_kernel(layer, inputs)
    channels = pad_channels(scale * row_channels(scale))
    whole = np.zeros((channels, *plain.weights.shape[1:]), np.int8)
    steps, bias = np.ones(channels), np.zeros(channels)
    for own, place in enumerate(last_channels(scale)):
        whole[place], steps[place] = plain.weights[own], plain.steps[own]
        bias[place] = plain.bias[own]
    return Kernel(whole, steps, bias)


def last_channels(scale: int) -> list[int]:
    """Which of the last layer's channels in the graph has each of its own ``scale²``."""
    return [row * row_channels(scale) + column for row, column in np.ndindex(scale, scale)]


def row_channels(scale: int) -> int:
    """Channels for a row of ``scale`` sub-pixels: a power of two, which is copied as one word."""
    return 1 << (scale - 1).bit_length()


def column_kernel(taps: NDArray[np.float64], channels: int) -> Kernel:
    """Interpolation along columns, for each channel separately, in code values."""
    filters = taps.reshape(1, 1, -1, 1)
    steps = 1 / np.floor(
        1 / grid_step(filters)
    )  # the taps then sum to one exactly, and flat areas are preserved
    whole = np.repeat(diffuse_rounding(filters, steps), channels, axis=0)
    return Kernel(whole, np.repeat(steps, channels), np.zeros(channels))


def row_kernel(scale: int, share: int, zero: int, *, residual: bool) -> Kernel:
    """The convolution that computes a row of RGB sub-pixels for four pixels.

    Its input is RGB of eight pixels interpolated along columns, with ``residual`` the luma of the
    four, and the network's output for their sub-pixels: steps of ``share`` 114ths of a code value,
    with zero point ``zero``. RGB is interpolated along the row, and its luma replaced by the
    network's.
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
    """``(scale, 3, 5 * 3)``: a sub-pixel's colour minus its luma, from five pixels' RGB, in 114ths.

    Rounding preserves the sum of each colour's taps, so flat areas are preserved.
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
