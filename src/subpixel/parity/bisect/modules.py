"""A graph held to PyTorch module by module, where there is no right graph to hold it to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from subpixel.errors import NetworkError
from subpixel.graph.execute import Engine, evaluate_flow
from subpixel.graph.flow import AnyArray, Flow, TensorValues
from subpixel.nets.activations import activations, modules_in_order, with_activation
from subpixel.nets.torch_op import TorchOp
from subpixel.parity.bisect.suspect import path_of
from subpixel.runtime.op import Pixels

AT_ONCE = 16
"""Modules whose results are held in memory together."""

NEGLIGIBLE = 1e-6
"""Relative to the largest value: rounding of float32, not worth a picture of its own."""


@dataclass(frozen=True)
class ModuleFault:
    """The first module whose result in the graph makes the picture wrong."""

    path: str
    value: str
    """Its result's name in the graph."""
    expected: AnyArray
    right: tuple[str, ...]
    """Results of earlier modules, which are right, by their names in the graph."""


def first_wrong_module(
    flow: Flow,
    engine: Engine,
    op: TorchOp,
    pixels: Pixels,
    right: Callable[[Callable[[], Pixels]], bool],
) -> ModuleFault | None:
    """Compare module by module, in the order in which PyTorch finishes them.

    A module's result in the graph is put in its place in PyTorch; ``right`` judges the picture.
    None where the graph names no modules, or none of those it names is wrong.
    """
    values = module_values(flow)
    passed: list[str] = []
    for path, found, expected in _module_results(flow, engine, op, pixels, values):
        if found is None or found.shape != expected.shape:
            return ModuleFault(path, values[path], expected, tuple(passed))
        if not _is_rounding(found, expected):
            picture = partial(with_activation, op, pixels, path, np.asarray(found, np.float32))
            if not right(picture):
                return ModuleFault(path, values[path], expected, tuple(passed))
        passed.append(values[path])
    return None


def _is_rounding(found: AnyArray, expected: AnyArray) -> bool:
    most = np.abs(found - expected).max(initial=0.0)
    return bool(most <= NEGLIGIBLE * np.abs(expected).max(initial=0.0))


def _module_results(
    flow: Flow, engine: Engine, op: TorchOp, pixels: Pixels, values: Mapping[str, str]
) -> Iterator[tuple[str, AnyArray | None, AnyArray]]:
    """Module path, its result in the graph (None where it fails) and in PyTorch."""
    paths = [path for path in modules_in_order(op, pixels) if path in values]
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        expected = activations(op, pixels, some)
        found = _run_graph(flow, engine, pixels, [values[path] for path in some])
        for path in some:
            yield path, found.get(values[path]), expected[path]


def _run_graph(flow: Flow, engine: Engine, pixels: Pixels, names: Sequence[str]) -> TensorValues:
    """What the graph makes of some values; those that it fails at are left out."""
    given = {flow.picture: pixels}
    try:
        return evaluate_flow(flow, engine, given, names)
    except NetworkError:
        if len(names) == 1:
            return {}
        halves = names[: len(names) // 2], names[len(names) // 2 :]
        return {
            **_run_graph(flow, engine, pixels, halves[0]),
            **_run_graph(flow, engine, pixels, halves[1]),
        }


def module_values(flow: Flow) -> Mapping[str, str]:
    """Where the results of modules are in a graph: the one value by which each is left."""
    paths = [path_of(node) or "" for node in flow.nodes]
    leaving: dict[str, list[str]] = {}
    for i, node in enumerate(flow.nodes):
        for name in node.output:
            readers = [paths[reader] for reader in flow.readers.get(name, ())]
            for module in _containing(paths[i]):
                if name == flow.output or not all(_within(path, module) for path in readers):
                    leaving.setdefault(module, []).append(name)
    return {module: names[0] for module, names in leaving.items() if len(names) == 1}


def _containing(path: str) -> Iterator[str]:
    parts = path.split(".") if path else []
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _within(path: str, module: str) -> bool:
    return path == module or path.startswith(f"{module}.")
