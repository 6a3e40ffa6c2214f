"""Sizes that are computed otherwise than the network computes them.

The honest graph brings its features to another size and back, as networks with
``interpolate(scale_factor=1.4)`` do; the length is what Python's double gives. The faulty graph
computes the same length by other arithmetic, which at some sizes gives a neighbour.
"""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto

from faults.fault import Edit, Random, Sight
from faults.splice import COLUMNS, ROWS, Splice, places

Length = Callable[[int, float], int]
"""The length that an arithmetic makes of a length and a factor."""

Nodes = Callable[[Splice, str, float], str]
"""The same as nodes of a graph."""

TRIED = range(20, 513)
"""Lengths among which one is searched where the two arithmetics differ."""

DRAWS = 20
"""How many factors are drawn before an arithmetic is held to be the same at every length."""


def double_floor(length: int, factor: float) -> int:
    return int(length * factor)


def _scaled(splice: Splice, length: str, factor: float, dtype: int) -> str:
    bound = splice.constant(factor, {TensorProto.DOUBLE: "float64"}.get(dtype, "float32"))
    return splice.node("Mul", [splice.cast(length, dtype), bound])


def _rounded(operator: str, dtype: int) -> Nodes:
    """``operator(length * factor)``."""

    def nodes(splice: Splice, length: str, factor: float) -> str:
        scaled = _scaled(splice, length, factor, dtype)
        return splice.cast(splice.node(operator, [scaled]), TensorProto.INT64)

    return nodes


def _by_whole_numbers(splice: Splice, length: str, factor: float) -> str:
    """``length * (10 * factor) // 10``."""
    tenths = splice.constant(round(factor * 10), "int64")
    return splice.node("Div", [splice.node("Mul", [length, tenths]), splice.constant(10, "int64")])


def _by_division(splice: Splice, length: str, factor: float) -> str:
    """``floor(length / float(1 / factor))``."""
    step = splice.constant(1 / factor)
    divided = splice.node("Div", [splice.cast(length), step])
    return splice.cast(splice.node("Floor", [divided]), TensorProto.INT64)


def _at_most(splice: Splice, length: str, factor: float) -> str:
    """Right up to a table's length."""
    right = _rounded("Floor", TensorProto.DOUBLE)(splice, length, factor)
    return splice.node("Min", [right, splice.constant(int(300 * factor), "int64")])


ARITHMETICS: tuple[tuple[str, Length, Nodes], ...] = (
    (
        "length in single precision",
        lambda length, factor: int(np.floor(np.float32(length) * np.float32(factor))),
        _rounded("Floor", TensorProto.FLOAT),
    ),
    (
        "length rounded up",
        lambda length, factor: int(np.ceil(length * factor)),
        _rounded("Ceil", TensorProto.DOUBLE),
    ),
    (
        "length rounded",
        lambda length, factor: round(length * factor),
        _rounded("Round", TensorProto.DOUBLE),
    ),
    (
        "length by whole numbers",
        lambda length, factor: length * round(factor * 10) // 10,
        _by_whole_numbers,
    ),
    (
        "length by division",
        lambda length, factor: int(np.floor(np.float32(length) / np.float32(1 / factor))),
        _by_division,
    ),
    ("length up to a limit", lambda length, factor: int(min(length, 300) * factor), _at_most),
)


def length_fault(nodes: Nodes, length: Length) -> Callable[[onnx.ModelProto, Random], Edit | None]:
    """An honest detour through another size, and the same with another arithmetic."""

    def make(model: onnx.ModelProto, random: Random) -> Edit | None:
        factor, differing = _drawn(length, random)
        inner = [name for name in places(model) if model.graph.input[0].name != name]
        place = inner[random.integers(len(inner))]
        if not differing or not _keeps_size(model, place):
            return None
        honest, _ = _detour(model, place, _rounded("Floor", TensorProto.DOUBLE), factor)
        faulty, names = _detour(model, place, nodes, factor)
        at = differing[random.integers(len(differing))]
        sights = tuple(Sight(*size, "photo") for size in ((at, 48), (48, at), (at, at)))
        return Edit(faulty, names, sights, honest)

    return make


def _drawn(length: Length, random: Random) -> tuple[float, list[int]]:
    """A factor of one decimal, and the lengths at which the arithmetics differ."""
    for _ in range(DRAWS):
        factor = float(random.integers(4, 30)) / 10
        differing = [n for n in TRIED if length(n, factor) != double_floor(n, factor)]
        if differing:
            return factor, differing
    return factor, []


def _keeps_size(model: onnx.ModelProto, place: str) -> bool:
    """Whether the tensor is as large as the picture, so that lengths are the picture's."""
    splice = Splice(model, place)
    picture = splice.patient.values[splice.image]
    return bool(splice.example.shape[2:] == picture.shape[2:])


def _detour(
    model: onnx.ModelProto, place: str, nodes: Nodes, factor: float
) -> tuple[onnx.ModelProto, frozenset[str]]:
    splice = Splice(model, place)
    shape = splice.node("Shape", [splice.tensor])
    first = [splice.constant([axis], "int64") for axis in (0, 2)]
    sizes = [splice.node("Slice", [shape, *first])]
    for axis in (ROWS, COLUMNS):
        length = splice.node("Gather", [shape, splice.constant([axis], "int64")])
        sizes.append(nodes(splice, length, factor))
    there = _resized(splice, splice.tensor, splice.node("Concat", sizes, {"axis": 0}))
    return splice.finish(_resized(splice, there, shape))


def _resized(splice: Splice, tensor: str, sizes: str) -> str:
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return splice.node("Resize", [tensor, "", "", sizes], attributes)
