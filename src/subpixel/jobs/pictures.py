"""Many picture files through one network, each on its own: one that fails stops no other."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from subpixel.errors import SubpixelError
from subpixel.jobs.outputs import Job
from subpixel.media.image_file import DEFAULT_MAX_PIXELS, EncodeOptions, PictureFile, open_picture
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import Tuning
from subpixel.system.targets import expect_free, make_folder
from subpixel.upscaling.choice.choose import Choice
from subpixel.upscaling.upscaler import Upscaler

MAX_OPEN = 64
"""Picture files that stay open between a look at their headers and their turn."""

JobReport = Callable[[str, int, int], None]
"""Gets a picture's name, the runs done of it, and their total."""


@dataclass(frozen=True)
class JobResult:
    """What became of one picture."""

    input: Path
    output: Path | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    losses: tuple[str, ...] = ()
    setting: RunSettings | None = None
    """How it was computed."""
    choice: Choice | None = None
    """The network that was chosen for it and why, where none was named."""
    error: str | None = None


@dataclass(frozen=True)
class JobOptions:
    """How every picture is read and written."""

    encode: EncodeOptions = field(default_factory=EncodeOptions)
    strict: bool = False
    overwrite: bool = False
    max_memory: int | None = None
    """Bytes that the process may hold; None: half of what is free."""


class PictureFiles:
    """Picture files by name, their headers read once: a file that was looked at stays open until
    :meth:`take`."""

    def __init__(self, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self._max_pixels = max_pixels
        self._open: dict[Path, PictureFile] = {}

    def megapixels(self, file: Path) -> float:
        """Of all its frames together, in 10⁶ pixels; raises what
        :func:`~subpixel.media.reading.open_picture` raises."""
        picture = self._open.get(file) or open_picture(file, max_pixels=self._max_pixels)
        if len(self._open) < MAX_OPEN:
            self._open[file] = picture
        header = picture.header
        return header.expect_count("tuning") * header.height * header.width / 1e6

    def take(self, file: Path) -> PictureFile:
        """The file, open; raises what :func:`~subpixel.media.reading.open_picture` raises."""
        return self._open.pop(file, None) or open_picture(file, max_pixels=self._max_pixels)


def limit_tuning(tuning: Tuning, inputs: Sequence[Path], files: PictureFiles) -> Tuning:
    """``tuning`` without the settings whose opening takes longer than they save on ``inputs``.

    A folder, or a file that can't be read, counts as work enough.
    """
    megapixels = 0.0
    for file in inputs:
        try:
            megapixels += files.megapixels(file)
        except SubpixelError:  # what is wrong with a file is said when its turn comes
            return tuning
    return tuning.limit_opening(megapixels)


def upscale_files(
    upscaler: Upscaler,
    jobs: Sequence[Job],
    files: PictureFiles,
    options: JobOptions,
    report: JobReport = lambda name, done, total: None,
) -> Iterator[JobResult]:
    """Upscale one picture after the other; yields what became of each, its error included."""
    for job in jobs:
        try:
            yield _upscale_file(upscaler, job, files, options, report)
        except SubpixelError as error:
            yield JobResult(job.source, error=str(error))
        except MemoryError as error:
            yield JobResult(job.source, error=f"{job.source}: not enough memory: {error}")


def _upscale_file(
    upscaler: Upscaler,
    job: Job,
    files: PictureFiles,
    options: JobOptions,
    report: JobReport,
) -> JobResult:
    start = time.perf_counter()
    expect_free(job.target, overwrite=options.overwrite)
    source = files.take(job.source)
    make_folder(job.target.parent)
    choice = upscaler.choose(source)
    losses = upscaler.file(
        source,
        job.target,
        options.encode,
        choice=choice,
        strict=options.strict,
        overwrite=options.overwrite,
        max_memory=options.max_memory,
        report=lambda done, total: report(job.source.name, done, total),
    )
    larger = source.header.enlarge(upscaler.spec.scale)
    return JobResult(
        job.source,
        job.target,
        larger.width,
        larger.height,
        round(time.perf_counter() - start, 3),
        tuple(map(str, losses)),
        upscaler.settings(source.header, choice),
        choice,
    )
