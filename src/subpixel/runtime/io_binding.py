"""Runs of a session at a few shapes, with buffers that are allocated once per shape.

Pictures are copied from and to pageable memory: ONNX Runtime's Python API can't allocate pinned
memory.
"""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import OrtValue, RunOptions

UNCAPTURED = -1
"""The graph id of a run that is not captured."""

SHAPES = 4
"""The number of shapes that get buffers; others run without."""


class BoundRun:
    """Runs that always read the same buffer in the device's memory and write the same other one.

    The first run captures a CUDA graph for these buffers, which later runs replay. ``ends`` are the
    names of the ONNX Runtime session's input and output, ``example`` and ``result`` an array for
    each; ``memory`` is ONNX Runtime's name for the device's memory; ``graph`` is the id of the
    captured graph, one per shape. Threads may share it; their runs are serialised.
    """

    def __init__(
        self,
        session: Any,  # noqa: ANN401 - onnxruntime has no types
        ends: tuple[str, str],
        example: NDArray[Any],
        result: NDArray[Any],
        memory: str,
        *,
        graph: int,
    ) -> None:
        self._session, self._lock = session, Lock()
        self._binding = session.io_binding()
        self._input, self._output = (
            OrtValue.ortvalue_from_shape_and_type(array.shape, array.dtype.type, memory)
            for array in (example, result)
        )
        self._binding.bind_ortvalue_input(ends[0], self._input)
        self._binding.bind_ortvalue_output(ends[1], self._output)
        self._options = _run_options(graph)

    def __call__(self, pixels: NDArray[Any], /) -> NDArray[Any]:
        with self._lock:
            self._input.update_inplace(pixels)
            self._session.run_with_iobinding(self._binding, self._options)
            return np.array(self._output.numpy())


class BoundRuns:
    """A :class:`BoundRun` for each of the first :data:`SHAPES` shapes.

    The first picture of a shape is run without buffers, which gives the shape of the result.
    """

    def __init__(
        self,
        session: Any,  # noqa: ANN401 - onnxruntime has no types
        ends: tuple[str, str],
        memory: str,
    ) -> None:
        self._session, self._ends, self._memory = session, ends, memory
        self._lock = Lock()
        self._runs: dict[tuple[int, ...], BoundRun] = {}

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes that have buffers, in the order of their first runs."""
        return tuple(self._runs)

    def __call__(self, pixels: NDArray[Any], /) -> NDArray[Any]:
        with self._lock:
            if pixels.shape not in self._runs:
                return self._first(pixels)
        return self._runs[pixels.shape](pixels)

    def _first(self, pixels: NDArray[Any]) -> NDArray[Any]:
        feeds = {self._ends[0]: pixels}
        (result,) = self._session.run([self._ends[1]], feeds, _run_options(UNCAPTURED))
        if len(self._runs) < SHAPES:
            number = len(self._runs) + 1
            self._runs[pixels.shape] = BoundRun(
                self._session, self._ends, pixels, result, self._memory, graph=number
            )
        return np.asarray(result)


def _run_options(graph: int) -> RunOptions:
    options = RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options
