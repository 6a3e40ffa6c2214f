"""GPTQ: weights in whole steps, where each compensates for the rounding of those before it.

Rounded independently, each of a filter's hundreds of weights adds its own error. Here, after a
weight is rounded, those not yet rounded are updated so that they cancel most of its effect on the
filter's outputs for the calibration pictures: E. Frantar et al., "GPTQ: Accurate
Post-training Quantization for Generative Pre-trained Transformers" (arXiv 2210.17323), descended
from B. Hassibi and D. Stork, "Second order derivatives for network pruning: Optimal Brain
Surgeon" (NIPS 1992).
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
"""Positions per picture, evenly spaced. Twice or eight times as many gained 0.1 to 0.2 dB."""
EDGE_SAMPLES = 2
"""Rows and columns on each side that are always sampled: only they show the effect of the zero
padding."""
DAMPING = 1e-4
"""Share of the mean variance that is added to every variance, so that the covariance has an inverse
and inputs that never vary on the pictures move no weight."""
STEP_GROWTH = 1.01
"""The factor by which a step grows until the rounded weights fit."""


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of a layer's input patches, each the K = in · height · width numbers
    under a filter, in that order."""

    places: int
    """How many patches were summed."""
    sums: NDArray[np.float64]
    """``(K,)``"""
    products: NDArray[np.float64]
    """``(K, K)``"""

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.places + other.places, self.sums + other.sums, self.products + other.products
        )

    def divide(self, factors: NDArray[np.float64]) -> "Moments":
        """The moments of the same inputs divided by ``(K,)`` factors."""
        products = self.products / np.outer(factors, factors)
        return Moments(self.places, self.sums / factors, products)

    @property
    def mean(self) -> NDArray[np.float64]:
        return self.sums / self.places

    @property
    def covariance(self) -> NDArray[np.float64]:
        return self.products / self.places - np.outer(self.mean, self.mean)


def measure_moments(inputs: NDArray[np.float32], size: tuple[int, int]) -> Moments:
    """The moments of a layer's inputs ``(N, C, H, W)`` under zero-padded filters of ``size``."""
    height, width = size
    room = [(0, 0), (0, 0), (height // 2,) * 2, (width // 2,) * 2]
    windows = sliding_window_view(np.pad(inputs, room), size, axis=(2, 3))
    every = max(1, math.isqrt(inputs[0, 0].size // SAMPLES_PER_PICTURE))
    rows, columns = (_sample_positions(side, every) for side in inputs.shape[2:])
    patches = windows[:, :, rows][:, :, :, columns]
    rows_of_patches = patches.transpose(0, 2, 3, 1, 4, 5).reshape(
        -1, inputs.shape[1] * height * width
    )
    exact = rows_of_patches.astype(np.float64)
    return Moments(len(exact), exact.sum(axis=0), exact.T @ exact)


def _sample_positions(side: int, every: int) -> NDArray[np.intp]:
    ends = [*range(EDGE_SAMPLES), *range(side - EDGE_SAMPLES, side)]
    return np.unique(np.clip([*range(every // 2, side, every), *ends], 0, side - 1))


def round_layer(
    layer: ConvolutionStep,
    moments: Moments,
    arrange: Callable[[FilterWeights], FilterWeights] = lambda weights: weights,
) -> Kernel:
    """A layer's weights rounded to the finest steps with which no pair of products exceeds 16 bits.

    ``arrange`` gives the weights as they are laid out in the graph, whose pairs count; where it
    repeats filters, its first axis is (repetitions, filters). The bias absorbs the change of the
    mean output.
    """
    filters = len(layer.weights)
    step = grid_step(arrange(layer.weights)).reshape(-1, filters).max(axis=0)
    # Compensation can push a weight beyond the values that the step was computed for, and with it a
    # pair of products beyond 16 bits; the filters with such a pair get a coarser step.
    while True:
        whole = round_weights(layer.weights, step, moments.covariance)
        fits = fits_16_bits(arrange(whole)).reshape(-1, filters).all(axis=0)
        if fits.all():
            break
        step = np.where(fits, step, step * STEP_GROWTH)
    # Compensation preserves the variance of the output; its mean is corrected exactly, in the bias.
    lost = (layer.weights - whole * step[:, None, None, None]).reshape(filters, -1)
    return Kernel(whole.astype(np.int8), step, layer.bias + lost @ moments.mean)


def round_weights(
    weights: FilterWeights, step: Steps, covariance: NDArray[np.float64]
) -> WholeWeights:
    """The weights in whole steps, one step for each filter.

    ``covariance`` is that of the input patches, ``(K, K)``. The expected squared error of a
    filter's output is minimised greedily: weight by weight, in their order.
    """
    exact = weights.reshape(len(weights), -1).copy()
    damping = DAMPING * max(float(covariance.diagonal().mean()), 1e-12)
    inverse = np.linalg.inv(covariance + damping * np.eye(len(covariance)))
    # Row i of the upper Cholesky factor of the inverse is, up to a factor, how the optimal values
    # of the weights after i depend on the error of weight i once the weights before it are fixed.
    # One factorisation replaces updating the inverse after every weight (section 3.3 there).
    updates = np.linalg.cholesky(inverse).T
    whole = np.empty_like(exact)
    for i, row in enumerate(updates):
        whole[:, i] = np.clip(np.rint(exact[:, i] / step), -MAX_WEIGHT, MAX_WEIGHT)
        error = (exact[:, i] - whole[:, i] * step) / row[i]
        exact[:, i + 1 :] -= np.outer(error, row[i + 1 :])
    return whole.reshape(weights.shape)
