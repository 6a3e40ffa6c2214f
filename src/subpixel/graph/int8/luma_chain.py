"""A luma network inside an RGB network, read as a chain of convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.passes.wrap import RGB_PREFIX

ParameterArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConvolutionStep:
    """A convolution that keeps height and width, and the ReLU that follows it, if any."""

    source: str
    result: str
    weights: ParameterArray
    """``(out, in, height, width)``, height and width odd."""
    bias: ParameterArray
    relu: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its filters."""
        height, width = self.weights.shape[2:]
        return height, width


@dataclass(frozen=True)
class SumStep:
    """Two tensors of one shape, added."""

    sources: tuple[str, str]
    result: str


@dataclass(frozen=True, eq=False)
class LumaChain:
    """The layers between luma and the interleaving of sub-pixels; tensors are given by name.

    The last layer has ``scale²`` channels: the luma of each sub-pixel, or with ``residual`` what is
    added to its pixel's luma.
    """

    picture: str
    luma: str
    steps: tuple[ConvolutionStep | SumStep, ...]
    scale: int
    residual: bool

    @property
    def layers(self) -> Sequence[ConvolutionStep]:
        return [step for step in self.steps if isinstance(step, ConvolutionStep)]

    @property
    def first(self) -> ConvolutionStep:
        """The layer that reads luma."""
        step = self.steps[0]
        assert isinstance(step, ConvolutionStep)
        return step

    @property
    def last(self) -> ConvolutionStep:
        step = self.steps[-1]
        assert isinstance(step, ConvolutionStep)
        return step


def read_luma_chain(model: onnx.ModelProto) -> LumaChain:
    """Read the luma network inside one that :func:`subpixel.graph.passes.wrap.rgb_from_luma` made.

    Raises :class:`NetworkError` for other networks, and where the luma network is not made of
    convolutions that keep the size, ReLUs and sums of two tensors, with sub-pixel convolution at
    the end.
    """
    return _ChainReader(model).read()


def is_luma_chain(model: onnx.ModelProto) -> bool:
    """Whether :func:`read_luma_chain` can read ``model``."""
    try:
        return bool(read_luma_chain(model))
    except NetworkError:
        return False


class _ChainReader:
    """Walks the graph from the result back to luma."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self._makers: dict[str, onnx.NodeProto] = {
            name: node for node in graph.node for name in node.output
        }
        self._parameters = {tensor.name: tensor for tensor in graph.initializer}
        self._steps: dict[str, ConvolutionStep | SumStep] = {}
        self._picture, self._luma = self._find_luma()

    def read(self) -> LumaChain:
        interleaving = self._makers.get(self._node(RGB_PREFIX + "luma", "Clip").input[0])
        if interleaving is None or interleaving.op_type != "DepthToSpace":
            raise self._refusal("it doesn't end in sub-pixel convolution")
        (scale,), residual = _read_numbers(interleaving, "blocksize", [1]), False
        last = interleaving.input[0]
        if self._luma in self._node(last).input and self._node(last).op_type == "Add":
            residual = True
            (last,) = (name for name in self._node(last).input if name != self._luma)
        self._follow(last)
        chain = LumaChain(self._picture, self._luma, tuple(self._steps.values()), scale, residual)
        self._expect_ends(chain)
        return chain

    def _follow(self, name: str) -> None:
        """Add the step that computes the tensor ``name``, after the steps that it depends on."""
        if name == self._luma or name in self._steps:
            return
        node = self._node(name)
        relu = node.op_type == "Relu"
        source_node = self._node(node.input[0]) if relu else node
        step = (
            self._layer(source_node, name, relu)
            if source_node.op_type == "Conv"
            else self._sum(source_node, name)
        )
        if relu and isinstance(step, SumStep):
            raise self._refusal("it has a ReLU after a sum")
        for source in (step.source,) if isinstance(step, ConvolutionStep) else step.sources:
            self._follow(source)
        self._steps[name] = step

    def _layer(self, node: onnx.NodeProto, result: str, relu: bool) -> ConvolutionStep:
        weights = self._parameter(node.input[1])
        height, width = weights.shape[2:]
        same = [height // 2, width // 2] * 2
        plain = all(
            _read_numbers(node, name, [1, 1]) == [1, 1] for name in ("strides", "dilations")
        )
        odd = height % 2 == width % 2 == 1
        keeps = odd and (_read_numbers(node, "pads", [0] * 4) == same) and plain
        if not keeps or _read_numbers(node, "group", [1]) != [1]:
            raise self._refusal(f"its convolution {node.name} strides, is grouped or shrinks")
        bias = self._parameter(node.input[2]) if len(node.input) > 2 else np.zeros(len(weights))
        return ConvolutionStep(node.input[0], result, weights, bias, relu)

    def _sum(self, node: onnx.NodeProto, result: str) -> SumStep:
        if node.op_type != "Add" or any(name in self._parameters for name in node.input):
            raise self._refusal(f"it has the operator {node.op_type}")
        return SumStep((node.input[0], node.input[1]), result)

    def _expect_ends(self, chain: LumaChain) -> None:
        begins = [
            s for s in chain.steps if isinstance(s, ConvolutionStep) and s.source == self._luma
        ]
        sums = [s for s in chain.steps if isinstance(s, SumStep) and self._luma in s.sources]
        if len(begins) != 1 or sums or chain.steps[0] is not begins[0]:
            raise self._refusal("luma goes into more than its first layer and its last sum")
        if not isinstance(chain.steps[-1], ConvolutionStep) or chain.last.relu:
            raise self._refusal("it doesn't end in a convolution")

    def _find_luma(self) -> tuple[str, str]:
        """The names of the picture and of the luma that is computed from it."""
        nodes = [n for n in self._makers.values() if RGB_PREFIX + "luma_weights" in n.input]
        ends = [(node.input[0], node.output[0]) for node in nodes]
        if len(ends) != 1:
            raise NetworkError("it is no luma network that subpixel has wrapped for RGB pictures")
        return ends[0]

    def _node(self, name: str, operator: str | None = None) -> onnx.NodeProto:
        node = self._makers.get(name)
        if node is None or operator not in (None, node.op_type):
            raise self._refusal(f"nothing known makes {name}")
        return node

    def _parameter(self, name: str) -> ParameterArray:
        while name in self._makers and self._makers[name].op_type == "Identity":
            name = self._makers[name].input[0]  # exporters share equal parameters this way
        if name not in self._parameters:
            raise self._refusal(f"{name} is no parameter")
        return numpy_helper.to_array(self._parameters[name]).astype(np.float64)

    @staticmethod
    def _refusal(what: str) -> NetworkError:
        return NetworkError(f"it can't be converted to 8-bit integers as a whole: {what}")


def _read_numbers(node: onnx.NodeProto, name: str, default: Sequence[int]) -> list[int]:
    """An attribute's integers, one or several."""
    for attribute in node.attribute:
        if attribute.name == name:
            return list(attribute.ints) or [attribute.i]
    return list(default)
