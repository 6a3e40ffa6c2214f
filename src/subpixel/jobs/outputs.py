"""Which input becomes which output: settled before the first picture is read."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import UsageError

MAX_NAME_BYTES = 255
"""Longest name that the file systems of today take."""


@dataclass(frozen=True)
class Job:
    """One picture to read and the file to write."""

    source: Path
    target: Path


def plan_jobs(
    inputs: Sequence[Path],
    out: Path | None,
    suffixes: frozenset[str],
    mark: str,
    suffix: str | None = None,
) -> tuple[Job, ...]:
    """Inputs, folders among them, as jobs.

    ``out`` None puts ``photo.jpg`` at ``photo<mark>.jpg`` beside it. An existing folder, or a
    name without a suffix, is a folder to fill: names are kept, and what came from a folder keeps
    its place below it. Else ``out`` is the one file to write. ``suffix`` is what all results get
    instead of their inputs'.

    Raises :class:`UsageError` when there is nothing to do, when one file should take several
    pictures, when two pictures would be written to one file, and when an input would be
    overwritten, be it through a link.
    """
    sources = list(
        dict.fromkeys(pair for item in inputs for pair in _list_pictures(item, suffixes))
    )
    if out is None:  # a second run must not enlarge what the first one wrote
        sources = [pair for pair in sources if not pair[0].stem.endswith(mark)]
    if not sources:
        raise UsageError(
            f"no pictures in {', '.join(map(str, inputs))} ({', '.join(sorted(suffixes))})"
        )
    if out is not None and out.suffix and not out.is_dir():
        jobs = [_single(sources, out, suffixes)]
    else:
        targets = [(source, _target(source, place, out, mark)) for source, place in sources]
        jobs = [
            Job(source, target.with_suffix(suffix or target.suffix)) for source, target in targets
        ]
    _expect_distinct(jobs)
    _expect_inputs_spared(jobs)
    return tuple(jobs)


def _single(sources: Sequence[tuple[Path, Path]], out: Path, suffixes: frozenset[str]) -> Job:
    if out.suffix.lower() not in suffixes:
        raise UsageError(
            f"{out} is no existing folder, and its suffix names no picture format; "
            f"use one of {', '.join(sorted(suffixes))}"
        )
    if len(sources) > 1:
        raise UsageError(f"{len(sources)} pictures can't go into one file {out}; name a folder")
    return Job(sources[0][0], out)


def _list_pictures(item: Path, suffixes: frozenset[str]) -> Iterable[tuple[Path, Path]]:
    """Each picture of ``item``, with its place below the output folder."""
    if not item.is_dir():
        return [(item, Path(item.name))]
    found = sorted(p for p in item.rglob("*") if p.suffix.lower() in suffixes and not p.is_dir())
    return [(p, p.relative_to(item)) for p in found]


def _target(source: Path, place: Path, out: Path | None, mark: str) -> Path:
    if out is None:
        return _mark_name(source, mark)
    return out / place


def _mark_name(source: Path, mark: str) -> Path:
    """``photo.jpg`` as ``photo<mark>.jpg``; a stem too long for that is cut."""
    stem = source.stem
    while stem and len(os.fsencode(stem + mark + source.suffix)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return source.with_name(stem + mark + source.suffix)


def _expect_distinct(jobs: Iterable[Job]) -> None:
    taken: dict[Path, Path] = {}
    for job in jobs:
        # Windows and macOS hold Photo.jpg and photo.JPG to be one file.
        key = Path(str(job.target.absolute()).casefold())
        other = taken.setdefault(key, job.source)
        if other != job.source:
            raise UsageError(f"{other} and {job.source} would both become {job.target}")


def _expect_inputs_spared(jobs: Sequence[Job]) -> None:
    sources = {job.source.resolve() for job in jobs}
    for job in jobs:
        if job.target.resolve() in sources:
            raise UsageError(
                f"{job.target} is one of the inputs, which are never overwritten; name another "
                "file or folder with -o"
            )
