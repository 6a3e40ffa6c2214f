"""Many picture files through one network, each on its own: one that fails stops no other."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from subpixel.errors import PictureError, UsageError
from subpixel.jobs.failures import explain_failure
from subpixel.jobs.film.options import FilmOptions
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.results import JobReport, JobResult, JobTell
from subpixel.media.film.kinds import expect_film_package, is_film, is_film_target
from subpixel.media.formats.format import Format
from subpixel.media.formats.registry import explain_unused, format_of
from subpixel.media.image_file import (
    DEFAULT_MAX_PIXELS,
    EncodeOptions,
    PictureFile,
    open_picture,
    open_stream,
)
from subpixel.media.reading import Decoders
from subpixel.network.tuning import Tuning
from subpixel.runtime.opening import racing_devices
from subpixel.system.files.atomic import Seal, remove_stale_drafts
from subpixel.system.files.standard_input import INPUT_NAME, PIPE
from subpixel.system.files.targets import expect_free_file, make_folder
from subpixel.system.machine_memory import resident
from subpixel.upscaling.memory import memory_limit
from subpixel.upscaling.size.target_size import seen_size
from subpixel.upscaling.upscaler import Upscaler

MAX_OPEN = 64
"""Picture files that stay open between a look at their headers and their turn."""

MIN_CONTEST_MEGAPIXELS = 2.0
"""For less than that a processor takes about as long as a GPU does to start."""

HELD_SHARE = 0.25
"""Of the memory that is there for a picture, what its file may take when it is held in memory: one
that comes through a pipe, or can't be read by rows. For a moment it is held twice."""


class PictureFiles:
    """Picture files by name, their headers read once: a file that was looked at stays open until
    :meth:`take`. :data:`PIPE` is what standard input gives, held in memory.

    ``max_memory`` is :attr:`JobOptions.max_memory`: files that are held in memory may take a part
    of it. ``decoders`` read files that nobody trusts.
    """

    def __init__(
        self,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        max_memory: int | None = None,
        decoders: Decoders | None = None,
    ) -> None:
        self._max_pixels, self._max_memory = max_pixels, max_memory
        self._decoders = decoders
        self._open: dict[Path, PictureFile] = {}

    def megapixels(self, file: Path) -> float:
        """Of all its frames together, in 10⁶ pixels; raises what
        :func:`~subpixel.media.reading.open_picture` raises."""
        header = self.look(file).header
        return header.expect_count("tuning") * header.height * header.width / 1e6

    def look(self, file: Path) -> PictureFile:
        """The file, open, before its turn; raises what
        :func:`~subpixel.media.reading.open_picture` raises."""
        picture = self._open.get(file) or self._open_file(file)
        if len(self._open) < MAX_OPEN or file == PIPE:  # which can be read but once
            self._open[file] = picture
        return picture

    def take(self, file: Path) -> PictureFile:
        """The file, open; raises what :func:`~subpixel.media.reading.open_picture` raises."""
        return self._open.pop(file, None) or self._open_file(file)

    @property
    def max_pixels(self) -> int:
        """Of a picture, or of a film's frame."""
        return self._max_pixels

    def expect_trusted(self, film: Path) -> None:
        """Raise :class:`UsageError` where files are to be read apart from this process: a film
        isn't."""
        if self._decoders is not None:
            raise UsageError(
                f"{film} is a film, which is decoded in this process; leave --untrusted out, or "
                "the film"
            )

    def drop(self, file: Path) -> None:
        """Close a file that was looked at: it is opened anew when its turn comes."""
        self._open.pop(file, None)

    def _open_file(self, file: Path) -> PictureFile:
        held = resident()
        room = max(0, memory_limit(self._max_memory, held) - held)
        most = int(HELD_SHARE * room)
        if file != PIPE:
            return open_picture(
                file,
                max_pixels=self._max_pixels,
                max_memory=self._max_memory,
                max_bytes=most,
                decoders=self._decoders,
            )
        return open_stream(
            sys.stdin.buffer,
            name=INPUT_NAME,
            max_pixels=self._max_pixels,
            max_bytes=most,
            decoders=self._decoders,
        )


def expect_used(encode: EncodeOptions, jobs: Sequence[Job], names: Mapping[str, str]) -> None:
    """Raises :class:`UsageError` for an option that means nothing for any of the results.

    ``names`` has what the user calls the fields of ``encode``.
    """
    forms = {form.name: form for job in jobs for form in _format_named(job.target)}
    for option in encode.changes if forms else ():
        if all(option in encode.unused_by(form) for form in forms.values()):
            raise UsageError(
                f"{names.get(option, option)} {explain_unused(encode, option, forms.values())}"
            )


def expect_films_used(
    encode: EncodeOptions, film: FilmOptions, jobs: Sequence[Job], names: Mapping[str, str]
) -> None:
    """Raises :class:`UsageError` for options of films where there is none, for those of pictures
    where there are films alone, and for films as streams. ``names`` is that of
    :func:`expect_used`."""
    films = sum(map(is_film_job, jobs))
    if films and any(PIPE in (job.source, job.target) for job in jobs):
        raise UsageError("a film is no stream here: name its file, and one to write")
    if jobs and not films and film.changes:
        option = names[film.changes[0]]
        raise UsageError(f"{option} is for films, and there is none here; leave it out")
    if jobs and films == len(jobs) and encode.changes:
        option = names.get(encode.changes[0], encode.changes[0])
        raise UsageError(f"{option} is for pictures; for a film use --crf, or leave it out")


def _format_named(target: Path) -> tuple[Format, ...]:
    """None for an unknown suffix, which is an error of its own when its turn comes."""
    try:
        return (format_of(target),)
    except PictureError:
        return ()


def limit_tuning(tuning: Tuning, inputs: Sequence[Path], files: PictureFiles) -> Tuning:
    """``tuning`` without the settings whose opening takes longer than they save on ``inputs``."""
    megapixels = _sum_megapixels(inputs, files)
    return tuning if megapixels is None else tuning.limit_opening(megapixels)


def pays_contest(inputs: Sequence[Path], files: PictureFiles) -> bool:
    """Whether there is a device that may be faster than the processor, and ``inputs`` are so much
    work that it is worth starting."""
    if not racing_devices():
        return False
    megapixels = _sum_megapixels(inputs, files)
    return megapixels is None or megapixels >= MIN_CONTEST_MEGAPIXELS


def _sum_megapixels(inputs: Sequence[Path], files: PictureFiles) -> float | None:
    """None with a folder, or a file that can't be read: that counts as work enough."""
    try:
        return sum(files.megapixels(file) for file in inputs)
    except Exception:
        return None


def upscale_files(
    upscaler: Upscaler,
    jobs: Sequence[Job],
    files: PictureFiles,
    options: JobOptions,
    report: JobReport = lambda name, done, total: None,
    tell: JobTell = lambda line: None,
) -> Iterator[JobResult]:
    """Upscale one picture after the other; yields what became of each, its error included."""
    for folder in {job.target.parent for job in jobs}:
        remove_stale_drafts(folder)
    for job in jobs:
        try:
            result = upscale_job(upscaler, job, files, options, report, tell=tell)
        except Exception as error:
            result = fail_job(job, error)
        yield result


def is_film_job(job: Job) -> bool:
    """Whether a film is read, or written."""
    return is_film(job.source) or is_film_target(job.target)


def fail_job(job: Job, error: Exception) -> JobResult:
    """What becomes of a picture at which ``error`` was raised."""
    failure = explain_failure(job, error)
    return JobResult(job.source, error=failure.line, trace=failure.trace)


def upscale_job(
    upscaler: Upscaler,
    job: Job,
    files: PictureFiles,
    options: JobOptions,
    report: JobReport = lambda name, done, total: None,
    seal: Seal = lambda stream: None,
    tell: JobTell = lambda line: None,
) -> JobResult:
    """Upscale one picture or film; ``seal`` is called with the complete file before it takes its
    name. Raises whatever goes wrong."""
    is_film_wanted = is_film_job(job)
    if is_film_wanted:
        expect_film_package()
        files.expect_trusted(job.source)
    expect_free_file(job.target, overwrite=options.overwrite)
    status = job.source.stat() if options.keep_date else None
    if is_film_wanted:
        from subpixel.jobs.film.work import upscale_film  # PyAV is loaded for films alone

        result = upscale_film(upscaler, job, options, report, seal, tell, files.max_pixels)
    else:
        result = _upscale_picture(upscaler, job, files, options, report, seal)
    if status is not None:
        os.utime(job.target, ns=(status.st_atime_ns, status.st_mtime_ns))
    return result


def _upscale_picture(
    upscaler: Upscaler,
    job: Job,
    files: PictureFiles,
    options: JobOptions,
    report: JobReport,
    seal: Seal,
) -> JobResult:
    start = time.perf_counter()
    source, form = files.take(job.source), format_of(job.target)
    encode, most = options.encode.restrict(form), options.max_memory
    upscaler.expect_room(source, job.target, encode, size=options.size, max_memory=most)
    make_folder(job.target.parent)
    way, choice = upscaler.enlargement(source.header, options.size), upscaler.choose(source)
    losses = upscaler.file(
        source,
        job.target,
        encode,
        size=options.size,
        choice=choice,
        strict=options.strict,
        overwrite=options.overwrite,
        max_memory=options.max_memory,
        report=lambda done, total: report(job.source.name, done, total),
        seal=seal,
    )
    header = way.header(source.header)
    (height, width), frames = seen_size(header), form.count_frames(header)
    network = upscaler.at_scale(way.scales[0]) if way.scales else None
    return JobResult(
        job.source,
        job.target,
        width=width,
        height=height,
        scales=way.scales,
        note=way.note,
        seconds=round(time.perf_counter() - start, 3),
        megapixels=round(frames * height * width / 1e6, 6),
        losses=tuple(map(str, losses)),
        setting=network.settings(source.header, choice) if network else None,
        choice=choice if network else None,
    )
