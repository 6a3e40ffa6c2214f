"""Workarounds for bugs of the exporters, each with its bug report.

The changes affect only the export: the file is verified against the unmodified network. Each
workaround has a test that fails once it is no longer needed.
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
"""The number of random sizes at which two expressions are compared."""

MIN_PART = 64
"""The largest denominator of the part of a side that an expression may be."""


@contextmanager
def symbolic_int(module: nn.Module, multiple: int = 1) -> Iterator[None]:
    """Keep ``int(size)`` in the network's own code symbolic during ``torch.export``.

    Otherwise it silently becomes the example's size
    (https://github.com/pytorch/pytorch/issues/138853). In the namespaces of the network's code
    (:mod:`subpixel.nets.export.namespaces`) ``int`` is shadowed meanwhile. A quotient or root that
    equals one of the input's sizes, or the same fraction of it at all sizes, is replaced by that:
    this is how window networks compute the batch size, and Uformer the sides of a square from its
    area. Height and width are multiples of ``multiple``.
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
    """Replaces ``math``, whose square root also turns a size into a constant."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the module has
        return getattr(math, name)

    def sqrt(self, value: Any) -> Any:  # noqa: ANN401 - a number, or one to be
        symbolic = isinstance(value, SymInt | SymFloat)
        return torch.sym_sqrt(value) if symbolic else math.sqrt(value)


def _note_sizes(sizes: list[SymInt], _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """A square example is for a network that accepts only squares: its sides are declared equal."""
    shape: tuple[object, ...] = tuple(inputs[0].shape)
    sizes[:] = [size for size in shape if isinstance(size, SymInt)]
    match shape[2:]:
        case [SymInt() as rows, SymInt() as columns] if rows.node.hint == columns.node.hint:
            torch._check(rows == columns)  # type: ignore[no-untyped-call]


class _SymbolicInt(type):
    """The metaclass of a class that replaces ``int``, also in annotations and ``isinstance``."""

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
    """The fraction of ``size`` that the quotient is at all of several random sizes, multiples of
    ``multiple``; None where it isn't constant."""
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
    """ONNX translations of operators that the dynamo exporter lacks.

    ``aten.sort.stable``: https://github.com/microsoft/onnxscript/pull/3053. A power whose exponent
    is a parameter, read by ``.item()`` (HVI-CIDNet): the exporter's translation expects a Python
    number.
    """
    return {torch.ops.aten.sort.stable: _stable_sort, torch.ops.aten.pow.Tensor_Scalar: _power}


def _stable_sort(
    self: Any,  # noqa: ANN401 - an onnxscript value
    stable: bool | None = None,  # noqa: ARG001
    dim: int = -1,
    descending: bool = False,
) -> Any:  # noqa: ANN401
    """TopK over the whole axis, which is stable: of equal values, the lower index is first."""
    from onnxscript import opset18 as op  # takes half a second

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
    """Replace layers of ``module`` that can't be exported by equivalent ones, in place.

    SeemoRe selects its experts by indexing a Python list with a tensor: data-dependent control
    flow, which no exporter supports. In training mode it runs all of them, and weights those not
    selected by zero, which is equivalent.
    """
    for part in module.modules():
        if type(part).__name__ == "MoELayer" and hasattr(part, "experts"):
            part.training = True
    return module
