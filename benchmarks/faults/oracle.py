"""Does a fault change a picture? Judged by ONNX Runtime alone, whole and in tiles.

A picture is changed where an 8-bit code value differs by more than one, where it has another size
or isn't finite, and where the file makes none at all. The faulty file is used as it asks to be
used: by its own facts, unoptimised and optimised, as a whole and in tiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

from faults.fault import Edit, Sight
from faults.patient import session
from faults.sights import Picture, pixels, search
from subpixel.graph.metadata import read_spec
from subpixel.spec import ModelSpec

TILE = 32
"""Pixels of a tile's side, its halo apart."""

CALLS = 3
"""How often the faulty file is run on one picture: some faults come by chance."""


@dataclass(frozen=True, eq=False)
class Judge:
    """An honest file and a faulty one, opened."""

    spec: ModelSpec
    """What is so."""
    claims: ModelSpec
    """What the faulty file says of itself; the truth where it says nothing."""
    honest: Any
    runs: tuple[Any, ...]
    """The faulty file, unoptimised and optimised; none where it can't be opened."""

    def changes(self, sight: Sight) -> bool:
        """Whether the faulty file changes these pictures."""
        if not _takes(self.spec, sight):
            return _takes(self.claims, sight) and self._fails(sight)
        shown = pixels(sight, self.spec.channels)
        expected = _run(self.honest, shown)
        return any(_differ(expected, result) for result in self._results(shown))

    def _fails(self, sight: Sight) -> bool:
        shown = pixels(sight, self.spec.channels)
        return any(_run(run, shown) is None for run in self.runs)

    def _results(self, shown: Picture) -> Iterator[Picture | None]:
        if not self.runs or self.claims.channels != self.spec.channels:
            yield None
            return
        for _ in range(CALLS):
            for run in self.runs:
                result = _run(run, shown)
                yield result if result is not None and self._as_claimed(shown, result) else None
        halo = self.claims.halo
        if halo is not None:
            yield _tiled(self.runs[0], shown, self.claims)

    def _as_claimed(self, shown: Picture, result: Picture) -> bool:
        grown = tuple(side * self.claims.scale for side in shown.shape[2:])
        return grown == result.shape[2:] and self.claims.samples == "float"


def _takes(spec: ModelSpec, sight: Sight) -> bool:
    """Whether the file says that it takes such pictures."""
    sides = (sight.height, sight.width)
    if spec.fixed_size not in (None, sides) or spec.fixed_batch not in (None, sight.batch):
        return False
    if max(sides) > (spec.size_maximum or max(sides)):
        return False
    suits = min(sides) >= spec.size_minimum and not any(side % spec.size_multiple for side in sides)
    return spec.pads or suits


def open_judge(reference: onnx.ModelProto, faulty: onnx.ModelProto) -> Judge:
    spec = read_spec(reference)
    assert spec is not None, "hosts carry their facts"
    try:
        runs: tuple[Any, ...] = (session(faulty), _optimised(faulty))
    except Exception:  # ONNX Runtime's exceptions share no base of their own
        runs = ()
    return Judge(spec, read_spec(faulty) or spec, session(reference), runs)


def witness(judge: Judge, edit: Edit) -> Sight | None:
    """Pictures that the fault changes: those that it names, else what a search finds."""
    places = (*edit.sights, *search())
    return next((sight for sight in places if judge.changes(sight)), None)


def _optimised(model: onnx.ModelProto) -> Any:  # noqa: ANN401
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run(run: Any, shown: Picture) -> Picture | None:  # noqa: ANN401
    try:
        result: Picture = run.run(None, {run.get_inputs()[0].name: shown})[0]
    except Exception:  # ONNX Runtime's exceptions share no base of their own
        return None
    return result


def _tiled(run: Any, shown: Picture, claims: ModelSpec) -> Picture | None:  # noqa: ANN401
    """The picture in tiles, each with the halo that the file claims, where there is so much."""
    scale, (*first, height, width) = claims.scale, shown.shape
    whole = np.zeros((*first, height * scale, width * scale), np.float32)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            above, below = _reach(top, height, claims)
            before, behind = _reach(left, width, claims)
            part = np.ascontiguousarray(shown[:, :, above:below, before:behind])
            result = _run(run, part)
            if result is None:
                return None
            rows, columns = (top - above) * scale, (left - before) * scale
            ends = (top + TILE) * scale, (left + TILE) * scale
            target = whole[:, :, top * scale : ends[0], left * scale : ends[1]]
            last = rows + target.shape[2], columns + target.shape[3]
            target[:] = result[:, :, rows : last[0], columns : last[1]]
    return whole


def _reach(start: int, length: int, claims: ModelSpec) -> tuple[int, int]:
    """Where a tile's input begins and ends: multiples of what the network asks for."""
    assert claims.halo is not None, "without one there are no tiles"
    multiple = claims.size_multiple
    first = max(0, start - claims.halo) // multiple * multiple
    return first, min(length, -(-(start + TILE + claims.halo) // multiple) * multiple)


def _differ(expected: Picture | None, result: Picture | None) -> bool:
    if expected is None or result is None:
        return expected is not result
    if expected.shape != result.shape or not np.isfinite(result).all():
        return True
    return bool(np.abs(_codes(expected) - _codes(result)).max() > 1)


def _codes(values: Picture) -> Picture:
    return np.floor(np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5))
