"""What came of each network on each platform, kept as JSON, so that it can go on elsewhere."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from places.jobs import Case, Expected


@dataclass(frozen=True)
class Row:
    """One network on one platform."""

    platform: str
    network: str
    file: str
    """The sha256 of the network's file."""
    sha256: str
    """Of the larger picture's RGB bytes."""
    equal: bool
    """Whether they are those that NumPy computed."""
    largest: int
    """By how many code values one differs, at most."""
    differing: int
    """How many code values differ."""
    values: int
    """Of how many."""
    system: str
    """Where it was seen: runtime's version and processor."""


@dataclass(frozen=True)
class Skip:
    """A platform that could not be tried."""

    platform: str
    reason: str


@dataclass(frozen=True)
class Records:
    rows: Sequence[Row] = ()
    skips: Sequence[Skip] = ()

    def find_rows(self, platform: str) -> Sequence[Row]:
        return [row for row in self.rows if row.platform == platform]

    def has(self, platform: str, case: Case) -> bool:
        """Whether this very file was seen there."""
        seen = {(row.network, row.file) for row in self.find_rows(platform)}
        return (case.name, case.network.sha256) in seen

    def of_files(self, cases: Iterable[Case]) -> "Records":
        """Without what was seen of files that these no longer are."""
        files = {(case.name, case.network.sha256) for case in cases}
        return Records([row for row in self.rows if (row.network, row.file) in files], self.skips)

    def with_row(self, row: Row) -> "Records":
        rest = [r for r in self.rows if (r.platform, r.network) != (row.platform, row.network)]
        skips = [skip for skip in self.skips if skip.platform != row.platform]
        return Records([*rest, row], skips)

    def with_skip(self, skip: Skip) -> "Records":
        """``skip`` counts only where nothing was seen of the platform."""
        rest = [each for each in self.skips if each.platform != skip.platform]
        return Records(self.rows, rest if self.find_rows(skip.platform) else [*rest, skip])


def make_row(platform: str, case: Case, codes: np.ndarray, wanted: Expected, system: str) -> Row:
    wrong = np.abs(codes.astype(int) - wanted.codes)
    digest = Expected(codes).sha256
    return Row(
        platform,
        case.name,
        case.network.sha256,
        digest,
        digest == wanted.sha256,
        int(wrong.max()),
        int(np.count_nonzero(wrong)),
        wrong.size,
        system,
    )


def read_records(file: Path) -> Records:
    if not file.exists():
        return Records()
    data = json.loads(file.read_text(encoding="utf-8"))
    return Records([Row(**row) for row in data["rows"]], [Skip(**skip) for skip in data["skips"]])


def write_records(file: Path, records: Records, order: Iterable[str]) -> None:
    """By platform in ``order``, then by network."""
    places = list(order)

    def key(row: Row) -> tuple[int, str]:
        return places.index(row.platform), row.network

    rows = ",\n".join(f"  {json.dumps(asdict(row))}" for row in sorted(records.rows, key=key))
    skips = ",\n".join(f"  {json.dumps(asdict(skip))}" for skip in records.skips)
    text = f'{{\n "rows": [\n{rows}\n ],\n "skips": [\n{skips}\n ]\n}}\n'
    file.write_text(text, encoding="utf-8")
