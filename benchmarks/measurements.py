"""What one run of the benchmarks found, as a value, and as JSON and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interleaved import Cell, Run

Cells = Mapping[str, Cell]


@dataclass(frozen=True)
class Measurements:
    """Everything that the page is made of."""

    machine: str
    day: str
    minutes: float
    """How long it took."""
    load: float
    """The machine's load average over five minutes when it began."""
    memory: int
    """Bytes of address space that a row's process could have."""
    multiply_adds: Mapping[str, float]
    """Per pixel of the small picture, by row."""
    psnr: Mapping[str, float]
    """Luma against PyTorch's, in dB, by row."""
    quality: Mapping[str, Mapping[str, float]]
    """Y-PSNR in dB by row and benchmark set."""
    pictures: Mapping[int, Cells]
    """In memory, by side and row."""
    files: Mapping[int, Cells]
    """From file to file, by side and row."""
    processes: Cells
    """Whole processes."""


def write(found: Measurements, file: Path) -> None:
    file.write_text(json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n", "utf-8")


def read(file: Path) -> Measurements:
    """The inverse of :func:`write`."""
    facts: dict[str, Any] = json.loads(file.read_text("utf-8"))
    for name in ("pictures", "files"):
        facts[name] = {int(side): _cells(cells) for side, cells in facts[name].items()}
    facts["processes"] = _cells(facts["processes"])
    return Measurements(**facts)


def _cells(facts: Mapping[str, Any]) -> dict[str, Cell]:
    return {
        name: Cell(tuple(Run(**run) for run in cell["runs"]), cell["fault"])
        for name, cell in facts.items()
    }
