"""Faults of the exporters, worked around until they are mended; each with its report upstream.

Whatever is changed here is changed for the export alone: the file is proven against the network
as it was. For each there is a test that fails once the workaround is no longer needed.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from random import Random
from types import ModuleType
from typing import Any

import torch
from torch import SymFloat, SymInt, Tensor, nn

from subpixel.nets.export.namespaces import own_namespaces

RANDOM_SIZES = 8
"""Random sizes at which two expressions of them are compared."""

MIN_PART = 64
"""One in so many pixels of a side is the least that a network is taken to work on."""


@contextmanager
def symbolic_int(module: nn.Module, multiple: int = 1) -> Iterator[None]:
    """Keep ``int(size)`` in the network's own code symbolic while ``torch.export`` looks at it.

    There it turns the example's size into a number, without a word
    (https://github.com/pytorch/pytorch/issues/138853). In the namespaces of the network's code
    (:mod:`subpixel.nets.export.namespaces`) ``int`` is shadowed for the time being. A quotient or
    root that comes to one of the input's sizes, or the same part of it whatever it is, is that
    part: so window networks count the pictures of a batch, and Uformer finds the sides of a square
    of which it knows the area. ``multiple`` is what the height and the width are multiples of.
    """
    sizes: list[SymInt] = []
    hook = module.register_forward_pre_hook(partial(_note_sizes, sizes))
    namespaces = [names for names in own_namespaces(module) if "int" not in names]
    with_math = [names for names in namespaces if names.get("math") is math]
    for names in namespaces:
        names["int"] = _SymbolicInt("int", (int,), {"sizes": sizes, "step": multiple})
    for names in with_math:
        names["math"] = _SymbolicMath("math")
    try:
        yield
    finally:
        hook.remove()
        for names in namespaces:
            del names["int"]
        for names in with_math:
            names["math"] = math


class _SymbolicMath(ModuleType):
    """Stands for ``math``, whose square root, too, turns a size into a number."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the module has
        return getattr(math, name)

    def sqrt(self, value: Any) -> Any:  # noqa: ANN401 - a number, or one to be
        symbolic = isinstance(value, SymInt | SymFloat)
        return torch.sym_sqrt(value) if symbolic else math.sqrt(value)


def _note_sizes(sizes: list[SymInt], _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """A square example stands for a network of squares: its sides are the same from then on."""
    shape: tuple[object, ...] = tuple(inputs[0].shape)
    sizes[:] = [size for size in shape if isinstance(size, SymInt)]
    match shape[2:]:
        case [SymInt() as rows, SymInt() as columns] if rows.node.hint == columns.node.hint:
            torch._check(rows == columns)  # type: ignore[no-untyped-call]


class _SymbolicInt(type):
    """The class of a class that stands for ``int``, also in annotations and ``isinstance``."""

    sizes: list[SymInt]
    step: int

    def __call__(cls, *arguments: Any) -> Any:  # noqa: ANN401 - as the builtin
        match arguments:
            case [SymInt() as size]:
                return size
            case [SymFloat() as quotient]:
                parts = ((size, _share(quotient, size, cls.step)) for size in cls.sizes)
                same = (size * part.numerator // part.denominator for size, part in parts if part)
                return next(same, None) or math.trunc(quotient)
        return int(*arguments)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, int)


def _share(quotient: SymFloat, size: SymInt, multiple: int) -> Fraction | None:
    """What part of ``size`` the quotient is, the same at every one of several random sizes, all
    of ``multiple``."""
    expression, whole = quotient.node.expr, size.node.expr
    symbols = sorted(expression.free_symbols | whole.free_symbols, key=str)
    random = Random(0)
    parts = set()
    for _ in range(RANDOM_SIZES):
        values = {symbol: multiple * random.randint(2, 999) for symbol in symbols}
        part = expression.xreplace(values).doit() / whole.xreplace(values)
        if not part.is_number:
            return None
        parts.add(Fraction(float(part)).limit_denominator(MIN_PART))
        if abs(float(part) - float(max(parts))) > 1e-9:
            return None
    return parts.pop() if len(parts) == 1 else None


def translations() -> Mapping[Callable[..., Any], Callable[..., Any]]:
    """ONNX for the operators that the dynamo exporter does not know.

    ``aten.sort.stable``: https://github.com/microsoft/onnxscript/pull/3053. A power whose
    exponent is a parameter, read by ``.item()`` (HVI-CIDNet): the exporter's own translation
    takes it for a number of Python's.
    """
    return {torch.ops.aten.sort.stable: _stable_sort, torch.ops.aten.pow.Tensor_Scalar: _power}


def _stable_sort(
    self: Any,  # noqa: ANN401 - an onnxscript value
    stable: bool | None = None,  # noqa: ARG001
    dim: int = -1,
    descending: bool = False,
) -> Any:  # noqa: ANN401
    """TopK over the whole axis, which is stable: of equal values, the lower index comes first."""
    from onnxscript import opset18 as op  # half a second, for those who export alone

    shape: Any = op.Shape(self)
    axis: Any = op.Constant(value_ints=[dim])
    size = op.Gather(shape, axis)
    return op.TopK(self, size, axis=dim, largest=int(descending), sorted=1)


def _power(self: Any, exponent: Any) -> Any:  # noqa: ANN401 - onnxscript values
    from onnxscript import opset18 as op

    if isinstance(exponent, int | float):
        exponent = op.Constant(value_float=float(exponent))
    return op.Pow(self, op.CastLike(exponent, self))


def make_exportable(module: nn.Module) -> nn.Module:
    """``module``, with layers that can't be exported put another way; it is changed in place.

    SeemoRe picks its experts by indexing a Python list with a tensor: control flow that depends
    on data, which no exporter follows. While training it asks all of them, and weights those not
    chosen by nought, which comes to the same.
    """
    for part in module.modules():
        if type(part).__name__ == "MoELayer" and hasattr(part, "experts"):
            part.training = True
    return module
