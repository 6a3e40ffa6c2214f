"""Weights as 8-bit integers: the finest grid that they can have, and rounding to it."""

import numpy as np
from numpy.typing import NDArray

FilterWeights = NDArray[np.float64]
"""``(out, in, height, width)``."""

WholeWeights = NDArray[np.float64]
"""The same in whole steps."""
Steps = NDArray[np.float64]
"""``(out,)``"""

MAX_WEIGHT = 127
MAX_PAIR = 126
"""The largest sum of the weights of one sign in a pair. x86 processors without VNNI add two
products of 8-bit numbers in 16 bits: 255 * 128 fits, and rounding adds at most one to each
weight."""


def grid_step(weights: FilterWeights) -> Steps:
    """The finest step for each filter with which no pair of products exceeds 16 bits."""
    largest = np.abs(weights).max(axis=(1, 2, 3))
    step = np.maximum(largest / MAX_WEIGHT, _largest_pair(weights) / MAX_PAIR)
    return np.where(step > 0, step, 1.0)


def fits_16_bits(whole: WholeWeights) -> NDArray[np.bool_]:
    """Whether every pair of products of a filter with 8-bit samples fits."""
    return _largest_pair(whole) * 255 <= np.iinfo(np.int16).max


def _largest_pair(weights: FilterWeights) -> NDArray[np.float64]:
    """The largest sum of two paired weights of one sign, for each filter.

    Which weights form a pair depends on the runtime's layout of the picture: neighbours in the
    order (in, height, width), or in (height, width, in).
    """
    orders = (weights, weights.transpose(0, 2, 3, 1))
    pairs = [_largest_neighbours(order.reshape(len(weights), -1)) for order in orders]
    return np.asarray(np.max(pairs, axis=0))


def _largest_neighbours(rows: FilterWeights) -> NDArray[np.float64]:
    even = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    signs = np.maximum(even, 0), np.maximum(-even, 0)
    sums = [sign.reshape(len(rows), -1, 2).sum(axis=2).max(axis=1) for sign in signs]
    return np.asarray(np.max(sums, axis=0))


def diffuse_rounding(
    weights: FilterWeights, step: Steps, limit: int = MAX_WEIGHT
) -> NDArray[np.int8]:
    """The weights in whole steps, one step for each filter, of at most ``limit`` steps.

    Each weight's rounding error is carried over to the next of its filter (error diffusion,
    R. Floyd and L. Steinberg, "An adaptive algorithm for spatial greyscale", 1976): neighbouring
    errors cancel, and what the filter does to a flat area stays. Rounded each to the nearest,
    the errors of a filter's hundreds of weights add up, and whole areas change their brightness.
    """
    exact = weights.reshape(len(weights), -1) / step[:, None]
    # A weight at the limit has set its filter's step. Were it rounded down, a quantiser that
    # finds the step anew from the result would choose a smaller one, and round everything again.
    at_limit = np.abs(exact) >= limit - 1e-6
    error, whole = np.zeros(len(exact)), np.empty_like(exact)
    for i, column in enumerate(exact.T):
        wanted = column + error
        nearest = np.rint(np.where(at_limit[:, i], column, wanted))
        whole[:, i] = np.clip(nearest, -limit, limit)
        error = wanted - whole[:, i]
    return whole.astype(np.int8).reshape(weights.shape)
