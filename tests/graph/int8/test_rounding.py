"""Weights that make up for one another's rounding: against a search through all roundings."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch.nn import functional

from subpixel.graph.int8.grid import FilterWeights, diffuse_rounding, fits_16_bits, grid_step
from subpixel.graph.int8.kernels import shift_filters
from subpixel.graph.int8.luma_chain import ConvolutionStep
from subpixel.graph.int8.rounding import measure_moments, round_layer, round_weights

SHAPES = st.tuples(st.integers(1, 3), st.just(1), st.sampled_from([1, 3, 5]), st.just(3))
WEIGHTS = arrays(np.float64, SHAPES, elements=st.floats(-1, 1, width=32))


def smooth(channels: int = 1) -> NDArray[np.float32]:
    """``(1, channels, 40, 50)``: neighbours are alike, as in pictures."""
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1, channels, 48, 58)))
    blurred = functional.avg_pool2d(noise, 9, stride=1).numpy().astype(np.float32)
    return np.asarray(blurred / blurred.std(), np.float32)


def loss(error: FilterWeights, covariance: NDArray[np.float64]) -> float:
    """The variance that an error of the weights makes in the filters' sums."""
    rows = error.reshape(len(error), -1)
    return float(np.einsum("ok,kl,ol->", rows, covariance, rows))


def test_moments_are_those_of_what_lies_under_a_filter() -> None:
    inputs = smooth(2)[:, :, :9, :11]
    found = measure_moments(inputs, (3, 5))
    patches = functional.unfold(torch.from_numpy(inputs).double(), (3, 5), padding=(1, 2))[0]
    assert found.places == 9 * 11
    assert np.allclose(found.mean, patches.mean(dim=1))
    assert np.allclose(found.covariance, np.cov(patches.numpy(), bias=True), atol=1e-6)
    both = found + measure_moments(inputs[..., ::-1], (3, 5))
    assert both.places == 2 * found.places


def test_large_pictures_are_looked_at_in_places() -> None:
    inputs = np.ones((1, 1, 400, 300), np.float32)
    found = measure_moments(inputs, (3, 3))
    assert 1000 < found.places < 2000
    assert found.mean[4] == 1, "what lies in the middle is the picture"
    assert 0.8 < found.mean[0] < 1, "and all around it is black"


def test_a_filters_sums_stay_nearer_than_by_rounding_each_weight() -> None:
    weights = np.random.default_rng(1).normal(size=(4, 3, 3, 3))
    covariance = measure_moments(smooth(3), (3, 3)).covariance
    step = np.full(4, 0.2)
    alone = np.rint(weights / 0.2) * 0.2
    carried_over = diffuse_rounding(weights, step) * 0.2
    together = round_weights(weights, step, covariance) * 0.2
    found = loss(together - weights, covariance)
    assert found < 0.5 * loss(carried_over - weights, covariance)
    assert found < 0.5 * loss(alone - weights, covariance)


def test_it_comes_near_to_the_best_of_all_roundings() -> None:
    weights = np.random.default_rng(2).normal(size=(1, 1, 3, 3))
    covariance, step = measure_moments(smooth(), (3, 3)).covariance, np.array([0.5])
    below = np.floor(weights / 0.5)
    every = [below + np.reshape(up, below.shape) for up in product((0, 1), repeat=9)]
    losses = sorted(loss(whole * 0.5 - weights, covariance) for whole in every)
    found = loss(round_weights(weights, step, covariance) * 0.5 - weights, covariance)
    assert found <= losses[len(losses) // 50], "among the best fiftieth"


def test_what_pictures_never_show_is_rounded_to_the_nearest() -> None:
    weights = np.random.default_rng(3).normal(size=(2, 1, 3, 3))
    whole = round_weights(weights, np.full(2, 0.1), np.zeros((9, 9)))
    assert np.array_equal(whole, np.rint(weights / 0.1))


@pytest.mark.parametrize("laid_out", [lambda weights: weights, shift_filters])
@given(weights=WEIGHTS)
@settings(max_examples=30)
def test_pairs_of_products_stay_in_16_bits(
    laid_out: Callable[[FilterWeights], FilterWeights], weights: FilterWeights
) -> None:
    layer = ConvolutionStep("x", "y", weights, np.zeros(len(weights)), relu=False)
    shown = measure_moments(smooth(), layer.size)
    kernel = round_layer(layer, shown, laid_out)
    assert fits_16_bits(laid_out(kernel.weights.astype(np.float64))).all()
    finest = grid_step(laid_out(weights)).reshape(-1, len(weights)).max(axis=0)
    assert (kernel.steps >= finest).all()


@given(weights=WEIGHTS)
@settings(max_examples=30)
def test_the_bias_keeps_the_mean(weights: FilterWeights) -> None:
    layer = ConvolutionStep("x", "y", weights, np.ones(len(weights)), relu=False)
    shown = measure_moments(np.abs(smooth()), layer.size)
    kernel = round_layer(layer, shown)
    said = (kernel.weights * kernel.steps[:, None, None, None]).reshape(len(weights), -1)
    exact = weights.reshape(len(weights), -1) @ shown.mean + layer.bias
    assert np.allclose(said @ shown.mean + kernel.bias, exact, atol=1e-9)
