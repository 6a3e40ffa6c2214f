"""Calibration: the ranges of a chain's tensors on pictures, and the moments of its layers'
inputs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from subpixel.errors import NetworkError
from subpixel.graph.execute import runtime_engine
from subpixel.graph.int8.luma_chain import LumaChain
from subpixel.graph.int8.qdq import QuantGrid
from subpixel.graph.int8.rounding import Moments, measure_moments

PictureBatch = NDArray[np.float32]
"""``(N, C, H, W)``"""
Channels = NDArray[np.float64]
"""One number per channel."""


BINS = 4096
"""Of a :class:`Histogram`, for a unit."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often values from -1 to 1 came, a bin for each 1 / :data:`BINS`; what lies beyond counts
    at the ends."""

    counts: NDArray[np.int64]
    """``(2 * BINS + 1,)``"""

    def add(self, values: NDArray[np.float64]) -> "Histogram":
        """With more of them."""
        places = np.clip(np.rint(values.ravel() * BINS), -BINS, BINS).astype(np.int64) + BINS
        return Histogram(self.counts + np.bincount(places, minlength=len(self.counts)))

    def rounding_error(self, grid: QuantGrid) -> float:
        """The mean square by which values change when they are rounded to ``grid``."""
        values = np.arange(-BINS, BINS + 1) / BINS
        codes = np.clip(np.rint(values / grid.step) + grid.zero, 0, 255)
        changes = ((codes - grid.zero) * grid.step - values) ** 2
        return float(self.counts @ changes / max(1, self.counts.sum()))


@dataclass(frozen=True, eq=False)
class Statistics:
    """What was measured on the pictures, by the name of each step's result."""

    low: Mapping[str, Channels]
    """The minimum of each channel, at most zero."""
    high: Mapping[str, Channels]
    """The maximum, at least zero."""
    moments: Mapping[str, Moments]
    """Those of each layer's input patches."""
    output: Histogram
    """Of the last step's result."""

    def range(self, name: str) -> tuple[float, float]:
        """Minimum and maximum over all channels."""
        return float(self.low[name].min()), float(self.high[name].max())


def collect_statistics(
    model: onnx.ModelProto, chain: LumaChain, pictures: Iterable[PictureBatch]
) -> Statistics:
    """Run ``model``, from which ``chain`` was read, on ``pictures``.

    Raises :class:`NetworkError` where there are none.
    """
    exposed, engine = _expose_steps(model, chain), runtime_engine()
    low: dict[str, Channels] = {}
    high: dict[str, Channels] = {}
    moments_by_layer: dict[str, Moments] = {}
    output = Histogram(np.zeros(2 * BINS + 1, np.int64))
    for picture in pictures:
        values = engine(exposed, {chain.picture: picture})
        for step in chain.steps:
            name, seen = step.result, values[step.result].astype(np.float64)
            low[name] = np.minimum(low.get(name, 0.0), seen.min(axis=(0, 2, 3)))
            high[name] = np.maximum(high.get(name, 0.0), seen.max(axis=(0, 2, 3)))
        output = output.add(values[chain.last.result])
        for layer in chain.layers:
            new = measure_moments(values[layer.source], layer.size)
            name = layer.result
            moments_by_layer[name] = (
                moments_by_layer[name] + new if name in moments_by_layer else new
            )
    if not any(values.any() for values in high.values()):
        raise NetworkError(
            "the network can't be quantised: there was no picture to calibrate it on"
        )
    return Statistics(low, high, moments_by_layer, output)


def _expose_steps(model: onnx.ModelProto, chain: LumaChain) -> onnx.ModelProto:
    """The network with luma and the results of all steps as outputs."""
    exposed, names = onnx.ModelProto(), [chain.luma, *(step.result for step in chain.steps)]
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    return exposed
