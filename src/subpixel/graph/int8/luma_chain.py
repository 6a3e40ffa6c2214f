"""A luma network inside an RGB network, read as a chain of convolutions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.passes.wrap import OURS

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution that keeps height and width, and the ReLU that follows it, if any."""

    source: str
    result: str
    weights: Array
    """``(out, in, height, width)``, height and width odd."""
    bias: Array
    relu: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its filters."""
        height, width = self.weights.shape[2:]
        return height, width


@dataclass(frozen=True)
class Sum:
    """Two tensors of one shape, added."""

    sources: tuple[str, str]
    result: str


@dataclass(frozen=True, eq=False)
class LumaChain:
    """What lies between luma and the interleaving of sub-pixels; tensors by their name.

    The last layer has ``scale²`` channels: what each sub-pixel is, or with ``residual`` what is
    added to its pixel's luma.
    """

    picture: str
    luma: str
    steps: tuple[Layer | Sum, ...]
    scale: int
    residual: bool

    @property
    def layers(self) -> Sequence[Layer]:
        return [step for step in self.steps if isinstance(step, Layer)]

    @property
    def first(self) -> Layer:
        """The layer that looks at luma."""
        step = self.steps[0]
        assert isinstance(step, Layer)
        return step

    @property
    def last(self) -> Layer:
        step = self.steps[-1]
        assert isinstance(step, Layer)
        return step


def luma_chain(model: onnx.ModelProto) -> LumaChain:
    """Read the network that :func:`subpixel.graph.passes.wrap.rgb_from_luma` was put around.

    Raises :class:`NetworkError` for a network that is not wrapped, or that is anything else than
    convolutions that keep the size, ReLUs and sums of two, with sub-pixel convolution at the end.
    """
    return _Reader(model).read()


def is_luma_chain(model: onnx.ModelProto) -> bool:
    """Whether :func:`luma_chain` can read it."""
    try:
        return bool(luma_chain(model))
    except NetworkError:
        return False


class _Reader:
    """Walks from the result back to luma."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self._made: dict[str, onnx.NodeProto] = {
            name: node for node in graph.node for name in node.output
        }
        self._parameters = {tensor.name: tensor for tensor in graph.initializer}
        self._steps: dict[str, Layer | Sum] = {}
        self._picture, self._luma = self._wrapped_luma()

    def read(self) -> LumaChain:
        interleaving = self._made.get(self._node(OURS + "luma", "Clip").input[0])
        if interleaving is None or interleaving.op_type != "DepthToSpace":
            raise self._refused("it doesn't end in sub-pixel convolution")
        (scale,), residual = _numbers(interleaving, "blocksize", [1]), False
        last = interleaving.input[0]
        if self._luma in self._node(last).input and self._node(last).op_type == "Add":
            residual = True
            (last,) = (name for name in self._node(last).input if name != self._luma)
        self._follow(last)
        chain = LumaChain(self._picture, self._luma, tuple(self._steps.values()), scale, residual)
        self._expect_ends(chain)
        return chain

    def _follow(self, name: str) -> None:
        """Take up what makes the tensor ``name``, after what that is made of."""
        if name == self._luma or name in self._steps:
            return
        node = self._node(name)
        relu = node.op_type == "Relu"
        made = self._node(node.input[0]) if relu else node
        step = self._layer(made, name, relu) if made.op_type == "Conv" else self._sum(made, name)
        if relu and isinstance(step, Sum):
            raise self._refused("it has a ReLU after a sum")
        for source in (step.source,) if isinstance(step, Layer) else step.sources:
            self._follow(source)
        self._steps[name] = step

    def _layer(self, node: onnx.NodeProto, result: str, relu: bool) -> Layer:
        weights = self._parameter(node.input[1])
        height, width = weights.shape[2:]
        same = [height // 2, width // 2] * 2
        plain = all(_numbers(node, name, [1, 1]) == [1, 1] for name in ("strides", "dilations"))
        odd = height % 2 == width % 2 == 1
        keeps = odd and (_numbers(node, "pads", [0] * 4) == same) and plain
        if not keeps or _numbers(node, "group", [1]) != [1]:
            raise self._refused(f"its convolution {node.name} strides, is grouped or shrinks")
        bias = self._parameter(node.input[2]) if len(node.input) > 2 else np.zeros(len(weights))
        return Layer(node.input[0], result, weights, bias, relu)

    def _sum(self, node: onnx.NodeProto, result: str) -> Sum:
        if node.op_type != "Add" or any(name in self._parameters for name in node.input):
            raise self._refused(f"it has the operator {node.op_type}")
        return Sum((node.input[0], node.input[1]), result)

    def _expect_ends(self, chain: LumaChain) -> None:
        begins = [s for s in chain.steps if isinstance(s, Layer) and s.source == self._luma]
        sums = [s for s in chain.steps if isinstance(s, Sum) and self._luma in s.sources]
        if len(begins) != 1 or sums or chain.steps[0] is not begins[0]:
            raise self._refused("luma goes into more than its first layer and its last sum")
        if not isinstance(chain.steps[-1], Layer) or chain.last.relu:
            raise self._refused("it doesn't end in a convolution")

    def _wrapped_luma(self) -> tuple[str, str]:
        """The picture, and luma as it is made of it."""
        nodes = [n for n in self._made.values() if OURS + "luma_weights" in n.input]
        found = [(node.input[0], node.output[0]) for node in nodes]
        if len(found) != 1:
            raise NetworkError("it is no luma network on RGB pictures, as subpixel wraps them")
        return found[0]

    def _node(self, name: str, operator: str | None = None) -> onnx.NodeProto:
        node = self._made.get(name)
        if node is None or operator not in (None, node.op_type):
            raise self._refused(f"nothing known makes {name}")
        return node

    def _parameter(self, name: str) -> Array:
        while name in self._made and self._made[name].op_type == "Identity":
            name = self._made[name].input[0]  # how exporters share equal ones
        if name not in self._parameters:
            raise self._refused(f"{name} is no parameter")
        return numpy_helper.to_array(self._parameters[name]).astype(np.float64)

    @staticmethod
    def _refused(what: str) -> NetworkError:
        return NetworkError(f"it can't be all in 8-bit integers: {what}")


def _numbers(node: onnx.NodeProto, name: str, default: Sequence[int]) -> list[int]:
    """A whole number, or several, of an attribute."""
    for attribute in node.attribute:
        if attribute.name == name:
            return list(attribute.ints) or [attribute.i]
    return list(default)
