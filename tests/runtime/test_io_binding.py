"""Bound runs and CUDA graphs' bookkeeping, in the processor's memory: here there is no GPU."""

import numpy as np
import onnxruntime
import pytest

from networks import sub_pixel_network
from subpixel.errors import UsageError
from subpixel.runtime import devices
from subpixel.runtime.io_binding import SHAPES, BoundRun
from subpixel.runtime.session import Session

DATA = sub_pixel_network(3, 2).SerializeToString()


def _noise(width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((1, 3, 5, width), dtype=np.float32)


def test_a_bound_run_computes_what_a_plain_one_does() -> None:
    session, plain = onnxruntime.InferenceSession(DATA), Session(DATA)
    first = _noise(7)
    bound = BoundRun(session, ("x", "y"), first, plain(first), "cpu", graph=1)
    results = [bound(_noise(7, seed)) for seed in range(3)]
    for seed, result in enumerate(results):  # no result is overwritten by the next
        assert np.array_equal(result, plain(_noise(7, seed)))


def test_shapes_are_captured_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for table, entry in (
        (devices.CUDA_GRAPHS, {}),
        (devices.GRAPH_MEMORY, "cpu"),
    ):
        monkeypatch.setitem(table, "cpu", entry)
    session, plain = Session(DATA, captured=True), Session(DATA)
    for _ in range(2):
        for width in range(6, 6 + SHAPES + 2):
            pixels = _noise(width, width)
            assert np.array_equal(session(pixels), plain(pixels))
    assert session._captured is not None
    assert [shape[3] for shape in session._captured.shapes] == list(range(6, 6 + SHAPES))


def test_the_processor_captures_no_cuda_graphs() -> None:
    with pytest.raises(UsageError, match="captured on cuda, tensorrt"):
        Session(DATA, captured=True)
