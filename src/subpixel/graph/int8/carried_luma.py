"""Luma that a network carries to its last layer in one channel, taken out and added behind it.

Such a network (:mod:`subpixel.train.reparam.passing`) has a weight of about 1 for that channel
among much smaller ones, which share its coarse steps in 8 bits, and luma itself goes through the
rounding of the output. With a sum behind the last layer both are gone, and the network computes the
same.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from subpixel.graph.int8.luma_chain import ConvolutionStep, LumaChain, read_luma_chain


def take_out_luma(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with luma added behind its last layer, where a channel carries it there; else as it
    is.

    Raises :class:`~subpixel.errors.NetworkError` for a network that isn't a chain of convolutions.
    """
    chain = read_luma_chain(model)
    channel = None if chain.residual else find_carrier(chain)
    return model if channel is None else _add_luma(model, chain, channel)


def find_carrier(chain: LumaChain) -> int | None:
    """The input channel of the last layer that is luma, unchanged since the first; else None."""
    source, channel = chain.luma, 0
    for step in chain.steps[:-1]:
        if not isinstance(step, ConvolutionStep) or step.source != source:
            return None
        copies = [out for out in range(len(step.weights)) if _copies(step, out, channel)]
        if not copies:
            return None
        source, channel = step.result, copies[0]
    return channel if chain.last.source == source else None


def _copies(layer: ConvolutionStep, out: int, channel: int) -> bool:
    """Whether an output channel is an input channel as it is; luma is never below zero, so a ReLU
    doesn't change it."""
    return not layer.bias[out] and np.array_equal(layer.weights[out], _unit(layer, channel))


def _unit(layer: ConvolutionStep, channel: int) -> NDArray[np.float64]:
    """The filter that copies a channel: ``(in, height, width)``."""
    unit = np.zeros(layer.weights.shape[1:])
    unit[channel, layer.size[0] // 2, layer.size[1] // 2] = 1
    return unit


def _add_luma(model: onnx.ModelProto, chain: LumaChain, channel: int) -> onnx.ModelProto:
    result, last = onnx.ModelProto(), chain.last
    result.CopyFrom(model)
    nodes = list(result.graph.node)
    place = next(i for i, node in enumerate(nodes) if last.result in node.output)
    weights = (last.weights - _unit(last, channel)).astype(np.float32)
    own, lacking = f"{last.result}/weights", f"{last.result}/lacking"
    result.graph.initializer.append(numpy_helper.from_array(weights, own))
    nodes[place].input[1], nodes[place].output[0] = own, lacking
    sum_ = helper.make_node("Add", [lacking, chain.luma], [last.result], f"{last.result}/sum")
    nodes.insert(place + 1, sum_)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result
