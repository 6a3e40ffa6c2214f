"""What pictures show of a chain's tensors: ranges, and what lies under its filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from subpixel.errors import NetworkError
from subpixel.graph.execute import runtime_engine
from subpixel.graph.int8.luma_chain import LumaChain
from subpixel.graph.int8.rounding import Moments, moments

Pixels = NDArray[np.float32]
"""``(N, C, H, W)``"""
Channels = NDArray[np.float64]
"""A number for each channel."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """What pictures showed, by the name of what a step makes."""

    low: Mapping[str, Channels]
    """The least value of each channel, or zero."""
    high: Mapping[str, Channels]
    """The greatest, or zero."""
    shown: Mapping[str, Moments]
    """A layer's inputs under its filters."""

    def range(self, name: str) -> tuple[float, float]:
        """Of all channels."""
        return float(self.low[name].min()), float(self.high[name].max())


def learn(model: onnx.ModelProto, chain: LumaChain, pictures: Iterable[Pixels]) -> Learnt:
    """Run the network that ``chain`` was read from on ``pictures``.

    Raises :class:`NetworkError` where there are none.
    """
    watched, engine = _watched(model, chain), runtime_engine()
    low: dict[str, Channels] = {}
    high: dict[str, Channels] = {}
    shown: dict[str, Moments] = {}
    for picture in pictures:
        values = engine(watched, {chain.picture: picture})
        for step in chain.steps:
            name, seen = step.result, values[step.result].astype(np.float64)
            low[name] = np.minimum(low.get(name, 0.0), seen.min(axis=(0, 2, 3)))
            high[name] = np.maximum(high.get(name, 0.0), seen.max(axis=(0, 2, 3)))
        for layer in chain.layers:
            found = moments(values[layer.source], layer.size)
            name = layer.result
            shown[name] = shown[name] + found if name in shown else found
    if not any(values.any() for values in high.values()):
        raise NetworkError("the network can't be quantised: there was no picture to learn from")
    return Learnt(low, high, shown)


def _watched(model: onnx.ModelProto, chain: LumaChain) -> onnx.ModelProto:
    """The network with luma and all that its steps make as outputs."""
    watched, names = onnx.ModelProto(), [chain.luma, *(step.result for step in chain.steps)]
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    return watched
