"""What is run on every platform: the bundled networks, on a small photograph; and what must come
of it, computed by NumPy alone."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image

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
        """The larger picture in 8 bits, from raw samples: codes, or planes of float32."""
        height, width, channels = self.shape
        if len(raw) == height * width * channels:
            return np.frombuffer(raw, np.uint8).reshape(self.shape)
        return to_codes(np.frombuffer(raw, "<f4").reshape(channels, height, width))


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


def write_jobs(
    cases: Sequence[Case], folder: Path, find_file: Callable[[Case], Path] | None = None
) -> Path:
    """The jobs that ``run_networks.py`` and its likes read; their outputs are ``NAME.raw``.

    ``find_file`` gives a network's file, where it isn't the bundled one.
    """
    jobs = []
    for case in cases:
        file = case.network.path if find_file is None else find_file(case)
        jobs.append(_write_job(case, folder, file))
    path = folder / "jobs.json"
    path.write_text(json.dumps(jobs), encoding="utf-8")
    return path


def _write_job(case: Case, folder: Path, network: Path) -> Mapping[str, Any]:
    end = onnx.load(case.network.path).graph.input[0].name
    output = str(folder / f"{case.name}.raw")
    return {
        "file": str(network),
        "inputs": {end: _write_samples(case.tensor, folder / f"{case.name}.tensor")},
        "picture": _write_samples(case.picture, folder / f"{case.name}.picture"),
        "output": output,
    }


def _write_samples(samples: np.ndarray, file: Path) -> Mapping[str, Any]:
    file.write_bytes(samples.tobytes())
    return {"file": str(file), "type": str(samples.dtype), "shape": samples.shape}


def read_results(cases: Sequence[Case], folder: Path) -> Iterator[tuple[Case, np.ndarray]]:
    """What the jobs in ``folder`` wrote."""
    for case in cases:
        yield case, case.codes_of((folder / f"{case.name}.raw").read_bytes())


def encode_png(case: Case) -> bytes:
    """The case's picture as a file, by Pillow."""
    stream = io.BytesIO()
    Image.fromarray(case.picture).save(stream, "PNG")
    return stream.getvalue()


def decode_png(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
