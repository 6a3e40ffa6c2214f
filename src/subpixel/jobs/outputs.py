"""Which input becomes which output: settled before the first picture is read."""

import itertools
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.jobs.file_kinds import file_kind_of
from subpixel.jobs.folder import (
    Fault,
    FolderItem,
    Omission,
    SourceFile,
    describe_omissions,
    is_folder,
    list_folder,
)
from subpixel.media.film.kinds import FILM_TARGETS
from subpixel.media.formats.registry import PICTURE_SUFFIXES
from subpixel.system.files.targets import are_distinct

MAX_NAME_BYTES = 255
"""Longest name that the file systems of today take."""


@dataclass(frozen=True)
class Job:
    """One picture to read and the file to write."""

    source: Path
    target: Path


@dataclass(frozen=True)
class JobPlan:
    """What is to be done, and what isn't."""

    jobs: tuple[Job, ...]
    omissions: tuple[Omission, ...] = ()
    """What is left out, by itself or because it was asked for."""
    faults: tuple[Fault, ...] = ()
    """What of the inputs can't be looked at."""
    settled: int = 0
    """How many more there are that an earlier run has done, or another machine takes."""

    @property
    def is_several(self) -> bool:
        """Whether it is about more than one picture."""
        return len(self.jobs) + len(self.omissions) + len(self.faults) + self.settled != 1


@dataclass(frozen=True)
class Naming:
    """How results are called."""

    output: Path | None = None
    """None: each beside its input. An existing folder, or a name without a suffix: a folder to
    fill, where what came from a folder keeps its place. Else the one file to write."""
    mark: str = ""
    """What stands behind the name of a result beside its input, such as ``_x3``."""
    marks_all: bool = False
    """Whether it stands in an output folder, too, where names are otherwise the inputs'."""
    suffix: str | None = None
    """Of every result, with its dot; None: that of the input."""

    @property
    def single(self) -> Path | None:
        """The one file to write, where that is what ``output`` is."""
        output = self.output
        return output if output and output.suffix and not is_folder(output) else None

    def targets(self, source: SourceFile) -> Iterator[Path]:
        """The result's file, and then those to take where another picture has that name already:
        ``a.png.webp`` for a new suffix, one with a number for a name that had to be cut."""
        place = source.path if self.output is None else self.output / source.place
        mark = self.mark if self.output is None or self.marks_all else ""
        suffix = self.suffix or source.suffix
        first = _join_name(place.stem, mark + suffix)
        yield place.parent / first
        if suffix != source.path.suffix:
            yield place.parent / _join_name(place.name, mark + suffix)
        if first != place.stem + mark + suffix:
            ends = (f"~{number}{mark}{suffix}" for number in itertools.count(2))
            yield from (place.parent / _join_name(place.stem, end) for end in ends)


def _join_name(stem: str, end: str) -> str:
    """A file's name, of the stem as much as there is room for."""
    while stem and len(os.fsencode(stem + end)) > MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem + end


def plan_jobs(inputs: Sequence[Path], naming: Naming, *, admits_none: bool = False) -> JobPlan:
    """Inputs, folders among them, as jobs; see :func:`~subpixel.jobs.folder.list_folder` for what
    is taken of a folder. Where two results would have one name only because a suffix changes, the
    second keeps its input's whole name.

    Raises :class:`UsageError` when there is nothing to do, unless that is admitted, when one file
    should take several pictures, when two pictures would be written to one file, when an input
    would be overwritten, be it through a link, and where the output is neither a file of a format
    nor a folder.
    """
    items = [item for path in inputs for item in _list_input(path, naming)]
    sources = _drop_twins([item for item in items if isinstance(item, SourceFile)], naming)
    omissions = [item for item in items if isinstance(item, Omission)]
    faults = tuple(item for item in items if isinstance(item, Fault))
    if not sources and not faults and not admits_none:
        listed, allowed = ", ".join(map(str, inputs)), ", ".join(sorted(PICTURE_SUFFIXES))
        others = f"; left out: {describe_omissions(omissions)}" if omissions else ""
        raise UsageError(f"no pictures in {listed} ({allowed}){others}")
    jobs = assign_targets(sources, naming)
    _expect_distinct(jobs)
    _expect_inputs_spared(jobs)
    return JobPlan(tuple(jobs), tuple(omissions), faults)


def skip_existing(plan: JobPlan) -> JobPlan:
    """Without the inputs whose result is there."""
    existing = {job for job in plan.jobs if os.path.lexists(job.target)}
    omissions = (Omission(job.source, "existing") for job in plan.jobs if job in existing)
    left = (job for job in plan.jobs if job not in existing)
    return replace(plan, jobs=tuple(left), omissions=(*plan.omissions, *omissions))


def _list_input(path: Path, naming: Naming) -> Iterator[FolderItem]:
    if is_folder(path):
        return list_folder(path, naming.output, naming.mark)
    return iter([_name_source(path)])


def _name_source(path: Path) -> SourceFile:
    """A file that was named: it is a picture, or what is wrong is said when its turn comes."""
    try:
        suffix = file_kind_of(path).suffix if path.is_file() else None  # a pipe is read but once
    except OSError:
        suffix = None
    return SourceFile(path, Path(path.name), path.suffix if suffix is None else suffix)


def _drop_twins(sources: Sequence[SourceFile], naming: Naming) -> list[SourceFile]:
    """Each file once, however often it was named, where its result would have the same place."""
    real, unique = _RealPaths(), dict[tuple[Path, Path | None], SourceFile]()
    for source in sources:
        place = None if naming.output is None else source.place
        unique.setdefault((real.of(source.path), place), source)
    return list(unique.values())


class _RealPaths:
    """Paths without links in their folders, each of which is looked up once."""

    def __init__(self) -> None:
        self._folders: dict[Path, Path] = {}

    def of(self, file: Path) -> Path:
        folder = self._folders.get(file.parent)
        if folder is None:
            # unlike Path.resolve, which raises for a loop of links
            folder = self._folders[file.parent] = Path(os.path.realpath(file.parent))
        return folder / file.name


def assign_targets(sources: Sequence[SourceFile], naming: Naming) -> list[Job]:
    """Each picture and its result: where one has a name already, the next takes another; see
    :meth:`Naming.targets`. Raises :class:`UsageError` where one file should take several."""
    if naming.single is not None:
        return [_single(sources, naming.single)] if sources else []
    _expect_folder(naming.output)
    names = {source: list(itertools.islice(naming.targets(source), 2)) for source in sources}
    in_use = {fold_name(files[0]) for files in names.values() if len(files) == 1}
    jobs = []
    for source, (first, *others) in names.items():
        free = (file for file in naming.targets(source) if fold_name(file) not in in_use)
        file = next(free, others[-1]) if others else first
        in_use.add(fold_name(file))
        jobs.append(Job(source.path, file))
    return jobs


def _expect_folder(output: Path | None) -> None:
    if output is not None and os.path.lexists(output) and not is_folder(output):
        raise UsageError(
            f"{output} is no folder, and its name has no suffix that would name a format; name a "
            "folder, a file such as larger.png, or - for standard output"
        )


def _single(sources: Sequence[SourceFile], output: Path) -> Job:
    if output.suffix.lower() not in PICTURE_SUFFIXES | FILM_TARGETS:
        raise UsageError(
            f"{output} is no existing folder, and its suffix names no picture format and no film; "
            f"use one of {', '.join(sorted(PICTURE_SUFFIXES | FILM_TARGETS))}"
        )
    if len(sources) > 1:
        raise UsageError(f"{len(sources)} pictures can't go into one file {output}; name a folder")
    return Job(sources[0].path, output)


def fold_name(path: Path | str) -> str:
    """The same for what some file systems take for one path: letters' case and composition."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def _expect_distinct(jobs: Iterable[Job]) -> None:
    """Raises where two pictures would become one file, which is for the file system to say of
    names that differ in case only."""
    real, alike = _RealPaths(), dict[str, list[Job]]()
    for job in jobs:
        others = alike.setdefault(fold_name(real.of(job.target)), [])
        for other in others:
            same = real.of(other.target) == real.of(job.target)
            if same or not are_distinct(other.target, job.target):
                raise UsageError(
                    f"{other.source} and {job.source} would both become {job.target}; name "
                    "another folder for one of them, or another --suffix"
                )
        others.append(job)


def _expect_inputs_spared(jobs: Sequence[Job]) -> None:
    real = _RealPaths()
    paths = {real.of(job.source) for job in jobs}
    files = {_file_id(job.source) for job in jobs} - {None}
    for job in jobs:
        if real.of(job.target) in paths or _file_id(job.target) in files:
            raise UsageError(
                f"{job.target} is one of the inputs, which are never overwritten; name another "
                "file or folder with -o"
            )


def _file_id(file: Path) -> tuple[int, int] | None:
    """The same for each name of a file; None where it can't be looked at."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None
