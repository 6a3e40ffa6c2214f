"""The global namespaces in which the functions of a network's own code look up names.

Usually these are the dictionaries of imported modules. But a class of a script, a notebook,
``exec`` or another function is pickled by value, and its functions then look up names in
dictionaries that belong to no imported module.
"""

import functools
import sys
from collections.abc import Iterator
from types import CellType, FunctionType
from typing import Any

from torch import nn

Namespace = dict[str, Any]

LIBRARY_PREFIXES = ("torch.", "subpixel.")
"""Prefixes of modules that are not the network's own code."""


def own_namespaces(module: nn.Module) -> list[Namespace]:
    """The namespaces of the network's classes, of the modules in their packages, and of the
    functions that were pickled by value; except PyTorch's and subpixel's."""
    homes = {type(part).__module__ for part in module.modules()}
    packages = {_package(name) for name in homes if not name.startswith(LIBRARY_PREFIXES)}
    files = [vars(file) for name, file in sys.modules.items() if _package(name) in packages]
    return list({id(names): names for names in (*files, *_by_value(module))}.values())


def _package(name: str) -> str:
    """The package of a module; a top-level module is its own."""
    return name.rpartition(".")[0] or name


def _by_value(module: nn.Module) -> list[Namespace]:
    """The namespaces of the network's functions, and of those that they call, that belong to no
    imported module."""
    imported = {id(vars(file)) for file in list(sys.modules.values())}
    seen: dict[int, Namespace] = {}
    waiting = [function for part in module.modules() for function in _functions_of(part)]
    visited: set[int] = set()
    while waiting:
        function = waiting.pop()
        if id(function) in visited:
            continue
        visited.add(id(function))
        waiting += [one for cell in function.__closure__ or () for one in _in_cell(cell)]
        names = function.__globals__
        if id(names) not in imported and id(names) not in seen:
            seen[id(names)] = names
            waiting += [one for value in [*names.values()] for one in functions_in(value)]
    return list(seen.values())


def _functions_of(part: nn.Module) -> Iterator[FunctionType]:
    """The functions of a module's classes, and those in its attributes."""
    for own in type(part).__mro__:
        if not own.__module__.startswith(LIBRARY_PREFIXES):
            yield from functions_in(own)
    for value in vars(part).values():
        yield from functions_in(value)


def functions_in(value: object) -> Iterator[FunctionType]:
    """The functions in a class or another value, also inside decorators, partials, properties,
    static and class methods."""
    if isinstance(value, type):
        for member in vars(value).values():
            if not isinstance(member, type):
                yield from functions_in(member)
    elif isinstance(value, staticmethod | classmethod):
        yield from functions_in(value.__func__)
    elif isinstance(value, property):
        yield from functions_in(value.fget)
    elif isinstance(value, functools.partial):
        yield from functions_in(value.func)
    elif isinstance(value, FunctionType):
        yield value
        yield from functions_in(getattr(value, "__wrapped__", None))


def _in_cell(cell: CellType) -> Iterator[FunctionType]:
    try:
        yield from functions_in(cell.cell_contents)
    except ValueError:  # still empty
        return
