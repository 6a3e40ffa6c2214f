"""Channels of one tensor brought to ranges that share its 8 bits well; the network stays the same.

A ReLU passes a factor through: what a layer's filter makes can be smaller, and what the next layer
does with it larger. G. Xiao et al., "SmoothQuant" (arXiv 2211.10438, equation 4), after
M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"
(arXiv 1906.04721).
"""

from dataclasses import replace

import numpy as np

from subpixel.graph.int8.calibrate import Channels, Learnt
from subpixel.graph.int8.luma_chain import Layer, LumaChain

ALPHA = 0.75
"""1 makes the channels' ranges equal, 0 those of the weights that look at them, whose rounding
:mod:`subpixel.graph.int8.rounding` makes up for. Of 0.5, 0.75 and 1 it kept most on photographs of
any size with the tutorial's network."""


def equalised(chain: LumaChain, learnt: Learnt) -> tuple[LumaChain, Learnt]:
    """A chain that computes the same, and what pictures would have shown of it."""
    for place, step in enumerate(chain.steps):
        reader = _only_reader(chain, step.result)
        if isinstance(step, Layer) and step.relu and reader is not None:
            factors = _factors(learnt.high[step.result], reader)
            chain = _moved(chain, place, chain.steps.index(reader), factors)
            learnt = _as_moved(learnt, step.result, reader, factors)
    return chain, learnt


def _only_reader(chain: LumaChain, name: str) -> Layer | None:
    """The layer that reads a tensor, if nothing else does."""
    sums = [step for step in chain.steps if not isinstance(step, Layer) and name in step.sources]
    readers = [layer for layer in chain.layers if layer.source == name]
    return readers[0] if len(readers) == 1 and not sums else None


def _factors(high: Channels, reader: Layer) -> Channels:
    """What each channel is divided by; 1 where it says nothing, or nobody listens."""
    heard: Channels = np.abs(reader.weights).max(axis=(0, 2, 3))
    used = (high > 0) & (heard > 0)
    factors = np.ones_like(high)
    factors[used] = high[used] ** ALPHA / heard[used] ** (1 - ALPHA)
    return factors


def _moved(chain: LumaChain, maker: int, reader: int, factors: Channels) -> LumaChain:
    steps = list(chain.steps)
    made, read = steps[maker], steps[reader]
    assert isinstance(made, Layer)
    assert isinstance(read, Layer)
    weights, bias = made.weights / factors[:, None, None, None], made.bias / factors
    steps[maker] = replace(made, weights=weights, bias=bias)
    steps[reader] = replace(read, weights=read.weights * factors[:, None, None])
    return replace(chain, steps=tuple(steps))


def _as_moved(learnt: Learnt, name: str, reader: Layer, factors: Channels) -> Learnt:
    height, width = reader.size
    seen = learnt.shown[reader.result].divided(np.repeat(factors, height * width))
    return Learnt(
        {**learnt.low, name: learnt.low[name] / factors},
        {**learnt.high, name: learnt.high[name] / factors},
        {**learnt.shown, reader.result: seen},
    )
