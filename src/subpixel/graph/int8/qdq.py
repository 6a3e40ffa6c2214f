"""Writing a graph of 8-bit integers in ONNX's own operators (QDQ form)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.helper import make_attribute

TO_PLANES = (0, 3, 1, 2)
FROM_PLANES = (0, 2, 3, 1)


@dataclass(frozen=True)
class QuantGrid:
    """The real values that 8-bit codes stand for: ``(code - zero) * step``."""

    step: float
    zero: int = 0


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution's weights, ``(out, in, height, width)`` in whole steps, with a step and a bias
    for each filter."""

    weights: NDArray[np.int8]
    steps: NDArray[np.float64]
    bias: NDArray[np.float64]


class Writer:
    """Collects nodes and parameters; every method adds some, and returns the name of their result.

    Pictures are ``(N, H, W, C)`` of uint8. ONNX defines convolution on NCHW, so each one stands
    between two transpositions, which ONNX Runtime removes.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self._parameters: dict[bytes, TensorProto] = {}
        self._constants: dict[tuple[str, ...], str] = {}

    @property
    def parameters(self) -> list[TensorProto]:
        return list(self._parameters.values())

    def whole(self, *numbers: int) -> str:
        """A constant list of int64."""
        name = "whole/" + ",".join(map(str, numbers))
        return self._parameter(name, np.array(numbers, np.int64))

    def node(
        self, operator: str, inputs: Sequence[str], result: str, *attributes: AttributeProto
    ) -> str:
        node = helper.make_node(operator, inputs, [result], name=result)
        node.attribute.extend(attributes)
        self.nodes.append(node)
        return result

    def reshape(self, source: str, result: str, *shape: int) -> str:
        """In ``shape``, 0 keeps an axis and -1 infers one."""
        return self.node("Reshape", [source, self.whole(*shape)], result)

    def cut(self, source: str, result: str, axis: int, start: int, stop: str) -> str:
        """``[start, stop)`` of an axis; ``stop`` is a list of one int64."""
        return self.node("Slice", [source, self.whole(start), stop, self.whole(axis)], result)

    def join(self, sources: Sequence[str], result: str, axis: int) -> str:
        return self.node("Concat", sources, result, make_attribute("axis", axis))

    def turn(self, source: str, result: str, axes: Sequence[int]) -> str:
        return self.node("Transpose", [source], result, make_attribute("perm", axes))

    def add(
        self, sources: Sequence[str], result: str, grids: Sequence[QuantGrid], grid: QuantGrid
    ) -> str:
        """The sum of tensors of one shape; ``grid`` is the result's."""
        reals = [
            self._real(source, f"{result}/{place}", its)
            for place, (source, its) in enumerate(zip(sources, grids, strict=True))
        ]
        return self._codes(self.node("Add", reals, result + "/sum"), result, grid)

    def convolution(
        self,
        source: str,
        result: str,
        kernel: Kernel,
        grids: tuple[QuantGrid, QuantGrid],
        *,
        pads: tuple[int, int] = (0, 0),
        stride: int = 1,
        group: int = 1,
    ) -> str:
        """``grids`` before and after; zeros for ``pads`` rows and columns on either side;
        ``stride`` along rows."""
        before, after = grids
        bias_steps = kernel.steps * before.step
        bias = np.rint(kernel.bias / bias_steps).astype(np.int32)
        inputs = [
            self._real(self.turn(source, result + "/planes", TO_PLANES), result + "/real", before),
            self._constant(result + "/weights", kernel.weights, kernel.steps),
            self._constant(result + "/bias", bias, bias_steps),
        ]
        attributes = {"pads": pads * 2, "strides": (1, stride), "group": group}
        node_attributes = [make_attribute(name, value) for name, value in attributes.items()]
        sums = self.node("Conv", inputs, result + "/sums", *node_attributes)
        return self.turn(self._codes(sums, result + "/codes", after), result, FROM_PLANES)

    def _real(self, source: str, result: str, grid: QuantGrid) -> str:
        return self.node("DequantizeLinear", [source, *self._of(grid, result)], result)

    def _codes(self, source: str, result: str, grid: QuantGrid) -> str:
        return self.node("QuantizeLinear", [source, *self._of(grid, result)], result)

    def _of(self, grid: QuantGrid, name: str) -> list[str]:
        return [
            self._parameter(name + "/step", np.array(grid.step, np.float32)),
            self._parameter(name + "/zero", np.array(grid.zero, np.uint8)),
        ]

    def _constant(self, name: str, whole: NDArray[Any], steps: NDArray[np.float64]) -> str:
        inputs = [
            self._parameter(name + "/whole", whole),
            self._parameter(name + "/step", steps.astype(np.float32)),
            self._parameter(name + "/zero", np.zeros(len(steps), whole.dtype)),
        ]
        if tuple(inputs) not in self._constants:
            result = self.node("DequantizeLinear", inputs, name, make_attribute("axis", 0))
            self._constants[tuple(inputs)] = result
        return self._constants[tuple(inputs)]

    def _parameter(self, name: str, values: NDArray[Any]) -> str:
        """Add a parameter, or return the name of an equal one."""
        key = numpy_helper.from_array(values).SerializeToString()
        if key not in self._parameters:
            self._parameters[key] = numpy_helper.from_array(values, name)
        return self._parameters[key].name
