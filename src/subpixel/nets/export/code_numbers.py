"""The numbers in a network's own code, which include those that it compares sizes with."""

import types
from collections.abc import Iterator

from torch import nn

from subpixel.graph.geometry.size_numbers import SizeNumbers, sort_numbers
from subpixel.nets.export.namespaces import functions_in

MAX_CALL_DEPTH = 3
"""The depth to which calls of functions are followed."""

LIBRARY_PACKAGES = ("torch", "numpy", "einops", "torchvision")
"""Packages whose code is not the network's own."""


def code_numbers(module: nn.Module) -> SizeNumbers:
    """Every number in the methods of ``module``'s classes, in the functions of their packages
    that they call, and in the attributes of its parts (``window_size = 8``).

    These are more than the numbers that sizes are compared with, but include all of them that are
    written in the code.
    """
    numbers: list[int | float] = []
    seen: set[object] = set()
    for part in module.modules():
        if _is_own(type(part).__module__):
            numbers += _attribute_numbers(part, seen)
            numbers += _class_numbers(type(part), seen)
    return sort_numbers(numbers)


def _is_own(module: str | None) -> bool:
    return (module or "").partition(".")[0] not in LIBRARY_PACKAGES


def _attribute_numbers(part: nn.Module, seen: set[object]) -> Iterator[int | float]:
    for value in vars(part).values():
        yield from _plain_numbers(value)
        yield from _numbers_in(value, seen)


def _plain_numbers(value: object) -> Iterator[int | float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list | tuple) and len(value) <= 8:
        for each in value:
            yield from _plain_numbers(each)


def _class_numbers(kind: type, seen: set[object]) -> Iterator[int | float]:
    for base in kind.__mro__:
        if base not in seen and _is_own(base.__module__):
            seen.add(base)
            yield from _numbers_in(base, seen)


def _numbers_in(value: object, seen: set[object]) -> Iterator[int | float]:
    for function in functions_in(value):
        if function.__name__ != "__init__" and _is_own(function.__module__):
            yield from _function_numbers(function, seen, MAX_CALL_DEPTH)


def _function_numbers(
    function: types.FunctionType, seen: set[object], depth: int
) -> Iterator[int | float]:
    if function in seen:
        return
    seen.add(function)
    yield from _code_constants(function.__code__)
    yield from (n for value in function.__defaults__ or () for n in _plain_numbers(value))
    for cell in function.__closure__ or ():
        yield from _plain_numbers(_cell_contents(cell))
    for name in _code_names(function.__code__):
        value = function.__globals__.get(name)
        yield from _plain_numbers(value)
        if isinstance(value, types.FunctionType) and depth and _is_own(value.__module__):
            yield from _function_numbers(value, seen, depth - 1)


def _cell_contents(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # still empty
        return None


def _code_constants(code: types.CodeType) -> Iterator[int | float]:
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _code_constants(value)
        else:
            yield from _plain_numbers(value)


def _code_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _code_names(value)
