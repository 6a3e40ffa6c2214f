"""A campaign: rows by number, each written as it comes, so that none is done twice."""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import Field, asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar


class Row(Protocol):
    """A frozen dataclass of JSON values."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def index(self) -> int: ...


R = TypeVar("R", bound=Row)


def run_campaign(
    row: type[R],
    work: Callable[[int], R],
    count: int,
    file: Path,
    tell: Callable[[R], str],
    jobs: int = 1,
) -> list[R]:
    """The rows 0 … ``count`` - 1: those in ``file`` from there, the others from ``work``, which
    several ``jobs`` do at a time; ``tell`` says in a line how one went."""
    file.parent.mkdir(parents=True, exist_ok=True)
    stored = json.loads(file.read_text("utf-8")) if file.exists() else []
    rows = {entry["index"]: row(**entry) for entry in stored}
    missing = [index for index in range(count) if index not in rows]
    for new in _results(work, missing, jobs):
        rows[new.index] = new
        ordered = [asdict(rows[index]) for index in sorted(rows)]
        file.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
        print(f"[{len(rows)}/{count}] {tell(new)}", flush=True)
    return [rows[index] for index in range(count)]


def _results(work: Callable[[int], R], indices: Sequence[int], jobs: int) -> Iterable[R]:
    if jobs == 1:
        yield from map(work, indices)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(work, indices)
