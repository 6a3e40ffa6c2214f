"""Where a network's own code looks up names: the global namespaces of its functions.

Usually those are the dictionaries of imported modules. A class of a script, a notebook, ``exec`` or
another function is handed to another process by value, and its functions then look names up in
dictionaries that no imported module has.
"""

import functools
import sys
from collections.abc import Iterator
from types import CellType, FunctionType
from typing import Any

from torch import nn

Namespace = dict[str, Any]

LIBRARY_PREFIXES = ("torch.", "subpixel.")
"""Whose code is not the network's own."""


def own_namespaces(module: nn.Module) -> list[Namespace]:
    """The namespaces of the network's classes, of the Python files in their packages, and of the
    functions that came by value; but for PyTorch's and ours."""
    homes = {type(part).__module__ for part in module.modules()}
    packages = {_package(name) for name in homes if not name.startswith(LIBRARY_PREFIXES)}
    files = [vars(file) for name, file in sys.modules.items() if _package(name) in packages]
    return list({id(names): names for names in (*files, *_by_value(module))}.values())


def _package(name: str) -> str:
    """The package that a module is in; a module at the top is its own."""
    return name.rpartition(".")[0] or name


def _by_value(module: nn.Module) -> list[Namespace]:
    """The namespaces of no imported module that the network's functions have, and those that
    they call."""
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
    """The functions of a module's classes, and those that it holds itself."""
    for own in type(part).__mro__:
        if not own.__module__.startswith(LIBRARY_PREFIXES):
            yield from functions_in(own)
    for value in vars(part).values():
        yield from functions_in(value)


def functions_in(value: object) -> Iterator[FunctionType]:
    """The functions of a class, in whatever they are wrapped (decorators, partials, properties,
    static and class methods), or those that one value is made of."""
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
    except ValueError:  # a cell that is still empty
        return
