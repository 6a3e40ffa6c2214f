"""Weights in whole steps, where each makes up for the rounding of those before it.

Rounded by themselves, a filter's hundreds of weights each add an error of their own. Here those
that are still exact move, after each that is rounded, to where they take back most of what it did
to the filter's sums on pictures: E. Frantar et al., "GPTQ: Accurate Post-training Quantization for
Generative Pre-trained Transformers" (arXiv 2210.17323), descended from B. Hassibi and D. Stork,
"Second order derivatives for network pruning: Optimal Brain Surgeon" (NIPS 1992).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from subpixel.graph.int8.grid import (
    MAX_WEIGHT,
    FilterWeights,
    Steps,
    WholeWeights,
    fits_16_bits,
    grid_step,
)
from subpixel.graph.int8.luma_chain import ConvolutionStep
from subpixel.graph.int8.qdq import Kernel

SAMPLES_PER_PICTURE = 1024
"""In one picture, evenly spaced. Twice or eight times as many gained 0.1 to 0.2 dB."""
EDGE_SAMPLES = 2
"""Rows and columns on each side that are always looked at: only they show what black around a
picture does."""
DAMPING = 1e-4
"""Share of the mean variance that is added to each: what pictures never show moves no weight."""
STEP_GROWTH = 1.01


@dataclass(frozen=True, eq=False)
class Moments:
    """What a layer's filters see on pictures: sums over places, of what lies under a filter,
    (in, height, width) in a row of K numbers."""

    places: int
    sums: NDArray[np.float64]
    """``(K,)``"""
    products: NDArray[np.float64]
    """``(K, K)``"""

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.places + other.places, self.sums + other.sums, self.products + other.products
        )

    def divide(self, factors: NDArray[np.float64]) -> "Moments":
        """Of inputs that are smaller by ``(K,)`` factors."""
        products = self.products / np.outer(factors, factors)
        return Moments(self.places, self.sums / factors, products)

    @property
    def mean(self) -> NDArray[np.float64]:
        return self.sums / self.places

    @property
    def covariance(self) -> NDArray[np.float64]:
        return self.products / self.places - np.outer(self.mean, self.mean)


def measure_moments(inputs: NDArray[np.float32], size: tuple[int, int]) -> Moments:
    """Of a layer's inputs ``(N, C, H, W)`` under filters of ``size``, black around the picture."""
    height, width = size
    room = [(0, 0), (0, 0), (height // 2,) * 2, (width // 2,) * 2]
    windows = sliding_window_view(np.pad(inputs, room), size, axis=(2, 3))
    every = max(1, math.isqrt(inputs[0, 0].size // SAMPLES_PER_PICTURE))
    rows, columns = (_sample_positions(side, every) for side in inputs.shape[2:])
    chosen = windows[:, :, rows][:, :, :, columns]
    seen = chosen.transpose(0, 2, 3, 1, 4, 5).reshape(-1, inputs.shape[1] * height * width)
    exact = seen.astype(np.float64)
    return Moments(len(exact), exact.sum(axis=0), exact.T @ exact)


def _sample_positions(side: int, every: int) -> NDArray[np.intp]:
    ends = [*range(EDGE_SAMPLES), *range(side - EDGE_SAMPLES, side)]
    return np.unique(np.clip([*range(every // 2, side, every), *ends], 0, side - 1))


def round_layer(
    layer: ConvolutionStep,
    moments: Moments,
    arrange: Callable[[FilterWeights], FilterWeights] = lambda weights: weights,
) -> Kernel:
    """A layer's weights on the finest steps with which no pair of products leaves 16 bits.

    The pairs are those of ``arrange``: the weights as they will stand in the graph, each filter
    some times, (times, filters) in a row. The bias takes up what rounding did to the mean.
    """
    filters = len(layer.weights)
    step = grid_step(arrange(layer.weights)).reshape(-1, filters).max(axis=0)
    while True:
        whole = round_weights(layer.weights, step, moments.covariance)
        fits = fits_16_bits(arrange(whole)).reshape(-1, filters).all(axis=0)
        if fits.all():
            break
        step = np.where(fits, step, step * STEP_GROWTH)
    lost = (layer.weights - whole * step[:, None, None, None]).reshape(filters, -1)
    return Kernel(whole.astype(np.int8), step, layer.bias + lost @ moments.mean)


def round_weights(
    weights: FilterWeights, step: Steps, covariance: NDArray[np.float64]
) -> WholeWeights:
    """The weights in whole steps, one step for each filter.

    ``covariance`` is that of what lies under a filter: its inverse says by how much a weight can
    make up for another. A filter's sums are kept as nearly as this order of rounding allows.
    """
    exact = weights.reshape(len(weights), -1).copy()
    damping = DAMPING * max(float(covariance.diagonal().mean()), 1e-12)
    inverse = np.linalg.inv(covariance + damping * np.eye(len(covariance)))
    moves = np.linalg.cholesky(inverse).T
    whole = np.empty_like(exact)
    for i, row in enumerate(moves):
        whole[:, i] = np.clip(np.rint(exact[:, i] / step), -MAX_WEIGHT, MAX_WEIGHT)
        error = (exact[:, i] - whole[:, i] * step) / row[i]
        exact[:, i + 1 :] -= np.outer(error, row[i + 1 :])
    return whole.reshape(weights.shape)
