"""What is run on every platform: the bundled networks, on a small photograph; and what must come
of it, computed by NumPy alone."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from subpixel.graph.exact.doubles import evaluate_doubles
from subpixel.graph.exact.integers import evaluate_integers
from subpixel.media.photograph import photograph
from subpixel.zoo.manifest import INT8, BundledNetwork, read_manifest

CORNER = 88, 150
"""The cat's eyes."""
INTEGER_SIDES = 101, 133
FLOAT_SIDES = 37, 53
"""Smaller: emulated processors need 20 times as long for floats."""


@dataclass(frozen=True, eq=False)
class Case:
    """One network and the picture that it gets."""

    network: BundledNetwork

    @property
    def name(self) -> str:
        return Path(self.network.file).stem

    @property
    def integers(self) -> bool:
        return self.network.name.endswith(INT8)

    @cached_property
    def picture(self) -> np.ndarray:
        """``(H, W, 3)`` of 8 bits."""
        (top, left), (height, width) = CORNER, INTEGER_SIDES if self.integers else FLOAT_SIDES
        return np.ascontiguousarray(photograph()[top : top + height, left : left + width])

    @property
    def tensor(self) -> np.ndarray:
        """The network's input: uint8 ``(1, H, W, 3)``, or float32 ``(1, 3, H, W)`` in 0 … 1."""
        if self.integers:
            return self.picture[None]
        planes = self.picture.transpose(2, 0, 1)[None] / np.float32(255)
        return np.ascontiguousarray(planes, np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the larger picture."""
        height, width, channels = self.picture.shape
        return height * self.network.scale, width * self.network.scale, channels

    def codes_of(self, raw: bytes) -> np.ndarray:
        """The larger picture in 8 bits, from the network's raw output."""
        if self.integers:
            return np.frombuffer(raw, np.uint8).reshape(self.shape)
        height, width, channels = self.shape
        values = np.frombuffer(raw, "<f4").reshape(channels, height, width)
        return to_codes(values)


@dataclass(frozen=True, eq=False)
class Expected:
    """What must come of a case."""

    codes: np.ndarray

    @property
    def sha256(self) -> str:
        return hashlib.sha256(np.ascontiguousarray(self.codes).tobytes()).hexdigest()


def to_codes(values: np.ndarray) -> np.ndarray:
    """``(3, H, W)`` in 0 … 1 → ``(H, W, 3)`` of 8 bits, rounded half up."""
    scaled = np.clip(values.astype(np.float64), 0, 1) * 255
    return np.floor(scaled + 0.5).astype(np.uint8).transpose(1, 2, 0)


def list_cases(names: Sequence[str] = ()) -> Sequence[Case]:
    """Those of the bundled networks, or of some: ``fast-int8-x3``."""
    cases = [Case(row) for row in read_manifest()]
    return [case for case in cases if not names or case.name in names]


def expect(case: Case, cache: Path) -> Expected:
    """By NumPy alone; kept in the folder ``cache`` under the network's sha256."""
    file = cache / f"{case.network.sha256}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        model = onnx.load(case.network.path)
        codes = (
            evaluate_integers(model, case.tensor)[0]
            if case.integers
            else to_codes(evaluate_doubles(model, case.tensor)[0])
        )
        np.save(file, codes)
    return Expected(np.load(file))


def write_jobs(cases: Sequence[Case], folder: Path) -> Path:
    """The jobs that ``run_networks.py`` and its likes read; their outputs are ``NAME.raw``."""
    jobs = [_write_job(case, folder) for case in cases]
    file = folder / "jobs.json"
    file.write_text(json.dumps(jobs), encoding="utf-8")
    return file


def _write_job(case: Case, folder: Path) -> Mapping[str, Any]:
    tensor = case.tensor
    source = folder / f"{case.name}.in"
    source.write_bytes(tensor.tobytes())
    end = onnx.load(case.network.path).graph.input[0].name
    given = {"file": str(source), "type": str(tensor.dtype), "shape": tensor.shape}
    output = str(folder / f"{case.name}.raw")
    return {"file": str(case.network.path), "inputs": {end: given}, "output": output}
