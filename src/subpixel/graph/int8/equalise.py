"""Channels of a tensor rescaled so that they share its 8 bits well; the network computes the same.

A ReLU commutes with positive factors: a channel can be divided by one where it is computed, and the
next layer's weights for it multiplied. G. Xiao et al., "SmoothQuant" (arXiv 2211.10438, equation
4), after M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"
(arXiv 1906.04721). So does a sum where both its sides are divided: tensors that sums join share
their factors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from subpixel.graph.int8.calibrate import Channels, Statistics
from subpixel.graph.int8.luma_chain import ConvolutionStep, LumaChain, SumStep

ALPHA = 0.75
"""1 equalises the ranges of the channels, 0 those of the weights that read them, whose rounding
:mod:`subpixel.graph.int8.rounding` compensates for. Of 0.5, 0.75 and 1 it gave the best PSNR on
photographs of all sizes with the tutorial's network."""


@dataclass(frozen=True)
class _Group:
    """Tensors that sums join, or one by itself: each channel has one factor in all of them."""

    tensors: frozenset[str]
    makers: tuple[int, ...]
    """The places of the layers that compute them, among the chain's steps."""
    readers: tuple[int, ...]
    """Of the layers that read them."""


def equalise_channels(chain: LumaChain, statistics: Statistics) -> tuple[LumaChain, Statistics]:
    """A chain that computes the same, and the statistics that pictures would give for it."""
    for group in _list_groups(chain):
        factors = _factors(chain, statistics, group)
        statistics = _rescale_statistics(chain, statistics, group, factors)
        chain = _rescale_steps(chain, group, factors)
    return chain, statistics


def _list_groups(chain: LumaChain) -> Iterator[_Group]:
    """Those that layers make and layers read, by their first maker."""
    joined = {step.result: frozenset([step.result]) for step in chain.steps}
    for step in chain.steps:
        if isinstance(step, SumStep):
            names = (*step.sources, step.result)
            group = frozenset[str]().union(*(joined[name] for name in names))
            joined |= dict.fromkeys(group, group)
    for tensors in dict.fromkeys(joined.values()):
        makers = [i for i, s in _layers_of(chain) if s.result in tensors]
        readers = [i for i, s in _layers_of(chain) if s.source in tensors]
        if readers:
            yield _Group(tensors, tuple(makers), tuple(readers))


def _layers_of(chain: LumaChain) -> Iterator[tuple[int, ConvolutionStep]]:
    for place, step in enumerate(chain.steps):
        if isinstance(step, ConvolutionStep):
            yield place, step


def _layer_at(steps: Sequence[ConvolutionStep | SumStep], place: int) -> ConvolutionStep:
    step = steps[place]
    assert isinstance(step, ConvolutionStep)
    return step


def _factors(chain: LumaChain, statistics: Statistics, group: _Group) -> Channels:
    """The divisor of each channel; 1 where the channel is always zero or has no consumer."""
    ranges = [np.maximum(statistics.high[name], -statistics.low[name]) for name in group.tensors]
    weights = [np.abs(_layer_at(chain.steps, place).weights) for place in group.readers]
    largest: Channels = np.max(ranges, axis=0)
    weight_maxima: Channels = np.max([w.max(axis=(0, 2, 3)) for w in weights], axis=0)
    used = (largest > 0) & (weight_maxima > 0)
    factors = np.ones_like(largest)
    factors[used] = largest[used] ** ALPHA / weight_maxima[used] ** (1 - ALPHA)
    return factors


def _rescale_steps(chain: LumaChain, group: _Group, factors: Channels) -> LumaChain:
    steps = list(chain.steps)
    for place in group.makers:
        layer = _layer_at(steps, place)
        weights, bias = layer.weights / factors[:, None, None, None], layer.bias / factors
        steps[place] = replace(layer, weights=weights, bias=bias)
    for place in group.readers:
        layer = _layer_at(steps, place)  # which may be a maker, too
        steps[place] = replace(layer, weights=layer.weights * factors[:, None, None])
    return replace(chain, steps=tuple(steps))


def _rescale_statistics(
    chain: LumaChain, statistics: Statistics, group: _Group, factors: Channels
) -> Statistics:
    low = {name: statistics.low[name] / factors for name in group.tensors}
    high = {name: statistics.high[name] / factors for name in group.tensors}
    moments = {}
    for place in group.readers:
        layer = _layer_at(chain.steps, place)
        repeated = np.repeat(factors, layer.size[0] * layer.size[1])
        moments[layer.result] = statistics.moments[layer.result].divide(repeated)
    return replace(
        statistics,
        low={**statistics.low, **low},
        high={**statistics.high, **high},
        moments={**statistics.moments, **moments},
    )
