"""A session's runs at a few shapes, in buffers that are allocated once for each.

Pictures come and go from ordinary memory: ONNX Runtime's Python interface allocates none that is
pinned.
"""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import OrtValue, RunOptions

UNCAPTURED = -1
"""The number of no graph: the run is not captured."""

SHAPES = 4
"""Shapes that have buffers; others run without."""


class BoundRun:
    """Runs that read one buffer of the device's memory and write another, again and again.

    A CUDA graph is captured for such buffers, at the first run, and replayed from then on.
    ``session`` is ONNX Runtime's and ``ends`` its input's and output's name; ``given`` and
    ``result`` are an example of each; ``memory`` is ONNX Runtime's name of its kind; ``graph``
    numbers the captured graph, one for each shape. Threads may share it, one after the other.
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
    """A :class:`BoundRun` for each of the first :data:`SHAPES` shapes that come.

    The first picture of a shape is run as it comes, which shows the shape of the result.
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
        """Those that have buffers, in the order in which they came."""
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
