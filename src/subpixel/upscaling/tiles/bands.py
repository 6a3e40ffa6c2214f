"""Tiles through a network, side by side, and out of them the larger picture, from top to bottom.

A picture is asked for by rows and comes out by rows, so it may lie in memory as a whole or pass by
in bands: the way is the same.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import NetworkError
from subpixel.runtime.op import Samples
from subpixel.upscaling.tiles.tiling import Span, TilePlan, source_rows

Upscale = Callable[[Samples], Samples]
"""Tiles of one size, ``(N, h, w, C)`` → ``(N, h * scale, w * scale, C)``, same dtype; threads may
share it."""

RowReader = Callable[[int, int], Samples]
"""Rows ``[start, stop)`` of a picture, ``(stop - start, W, C)``. They are asked for from top to
bottom, some of them again: never any above the first of the call before."""

WrapRun = Callable[[int, Upscale], Upscale]
"""What takes the place of an :data:`Upscale` in one run: gets its number, counted from the first
run of the picture."""

RunReport = Callable[[int, int], None]
"""Gets the runs done and their total: a run is a tile, or a batch of them."""

RUN_PATIENCE = 1.0
"""Seconds that the end of the process waits for runs, which may never end."""

AHEAD = 2
"""Runs for each worker that are under way or waiting, while bands are being written."""

MAX_WAITING = 256
"""Runs for each worker that wait at most, however many a band has: each takes about 2 kB."""


class Workers:
    """Threads that tiles run on, so many at a time, whichever picture or frame they belong to.

    Several callers may share them. The threads start when they are first needed, and end when
    nobody holds this object any more.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="tile")

    def submit(self, run: Callable[[], None]) -> Future[None]:
        """Have ``run`` called by one of the threads, after what was submitted before."""
        return self._pool.submit(run)


@dataclass(frozen=True, eq=False)
class FrameTask:
    """A frame that is to go through a network: its ``rows`` through ``upscale``."""

    upscale: Upscale
    rows: RowReader
    room: RowReader
    """Gives the array that a band, output rows ``[start, stop)``, is put into and comes out as."""
    report: RunReport = lambda done, total: None
    wrap_run: WrapRun = lambda number, upscale: upscale


@dataclass(frozen=True, eq=False)
class _Band:
    """Output rows on their way: where they are put, and the runs that fill them."""

    frame: int
    samples: Samples
    runs: deque[Future[None]]
    """Those that aren't known to be done."""
    report: Callable[[], None]
    """Of a run that is done."""


def run_frames(
    frames: Iterable[FrameTask], plan: TilePlan, scale: int, *, workers: Workers
) -> Iterator[Samples]:
    """Yield each frame, ``scale`` times larger, band by band from top to bottom.

    The ``workers`` are at work on tiles while the bands before are used; no more than
    :data:`AHEAD` runs for each, or one band, wait meanwhile, and never more than
    :data:`MAX_WAITING` for each, however many a band has. A frame is asked for when all of the one
    before is under way, and all before that have come out. What a run raises is raised here,
    before anything below it is yielded; so is :class:`NetworkError` for a result of a wrong shape.
    Once this generator is closed, or has raised an :class:`Exception`, no run of it is under way
    any more.
    """
    most = AHEAD * workers.count
    under_way: deque[_Band] = deque()

    def begin(frame: FrameTask, span: Span, numbers: Iterator[int]) -> None:
        seen, band = _read_padded(frame.rows, span, plan), under_way[-1]
        for columns in plan.groups:
            if sum(len(band.runs) for band in under_way) >= MAX_WAITING * workers.count:
                finish_run(next(band for band in under_way if band.runs))
            upscale = frame.wrap_run(next(numbers), frame.upscale)
            put = partial(_put_tiles, upscale, seen, band.samples, span, scale, columns)
            band.runs.append(workers.submit(put))

    def finish_run(band: _Band) -> None:
        band.runs[0].result()  # where this raises, or is interrupted, it is still under way
        band.runs.popleft()
        band.report()

    def finish() -> Samples:
        band = under_way[0]
        while band.runs:
            finish_run(band)
        under_way.popleft()
        return band.samples

    try:
        for number, frame in enumerate(frames):
            numbers, report = count(), _count_runs(frame.report, plan.runs)
            for span in plan.rows:
                while len(under_way) > 1 and len(under_way) * len(plan.groups) >= most:
                    yield finish()
                band = frame.room(*_scale_span(span, scale))
                under_way.append(_Band(number, band, deque(), report))
                begin(frame, span, numbers)
            while under_way[0].frame < number:
                yield finish()
        while under_way:
            yield finish()
    except (Exception, GeneratorExit):
        _cancel([run for band in under_way for run in band.runs], patience=None)
        raise
    except BaseException:  # the process is to end
        _cancel([run for band in under_way for run in band.runs], RUN_PATIENCE)
        raise


def _count_runs(report: RunReport, total: int) -> Callable[[], None]:
    done = count(1)
    return lambda: report(next(done), total)


def run_bands(
    upscale: Upscale,
    rows: RowReader,
    room: RowReader,
    plan: TilePlan,
    scale: int,
    *,
    workers: Workers,
    report: RunReport = lambda done, total: None,
) -> Iterator[Samples]:
    """:func:`run_frames` of one picture."""
    return run_frames([FrameTask(upscale, rows, room, report)], plan, scale, workers=workers)


def _cancel(runs: Sequence[Future[None]], patience: float | None) -> None:
    """Without the runs that have not begun; those that have are waited for, so many seconds."""
    # The last first: one that has begun may wait for one that began before it.
    wait([run for run in reversed(runs) if not run.cancel()], patience)


def run_tiles(
    upscale: Upscale,
    samples: Samples,
    result: Samples,
    plan: TilePlan,
    *,
    workers: Workers,
    report: RunReport = lambda done, total: None,
) -> None:
    """:func:`run_bands` in memory: ``samples``, ``(H, W, C)``, into ``result``, ``(H * scale,
    W * scale, C)``, of one dtype."""
    scale = len(result) // plan.height
    rows, room = rows_of(samples), rows_of(result)
    for _ in run_bands(upscale, rows, room, plan, scale, workers=workers, report=report):
        pass


def rows_of(samples: Samples) -> RowReader:
    """The rows of a picture that lies in memory: views of it."""
    return lambda start, stop: samples[start:stop]


def _scale_span(span: Span, scale: int) -> tuple[int, int]:
    return span.keep_start * scale, span.keep_stop * scale


def _put_tiles(
    upscale: Upscale,
    seen: Samples,
    band: Samples,
    rows: Span,
    scale: int,
    columns: Sequence[Span],
) -> None:
    """Some tiles of what the network sees of a band, to their places in the band."""
    tiles = np.stack([seen[:, span.start : span.stop] for span in columns])
    pieces = upscale(tiles)
    _expect_shape(pieces, tiles, scale)
    for span, piece in zip(columns, pieces, strict=True):
        band[:, _output_slice(span, scale, 0)] = piece[
            _output_slice(rows, scale, rows.start), _output_slice(span, scale, span.start)
        ]


def _read_padded(rows: RowReader, span: Span, plan: TilePlan) -> Samples:
    """What the network sees of a band: whole rows of the padded picture."""
    if span.stop <= plan.height:
        seen = rows(span.start, span.stop)
    else:
        below = source_rows(span.start, span.stop, plan.height, plan.padding)
        first = int(below[below >= 0].min())
        seen = _take(rows(first, plan.height), below - first, below >= 0, 0)
    if plan.padded_width == plan.width:
        return seen
    beyond = source_rows(plan.width, plan.padded_width, plan.width, plan.padding)
    return np.concatenate([seen, _take(seen, beyond, beyond >= 0, 1)], axis=1)


def _take(
    samples: Samples, indices: NDArray[np.intp], there: NDArray[np.bool_], axis: int
) -> Samples:
    """The rows or columns of ``indices``; black where there is none."""
    taken = samples.take(indices, axis, mode="clip")
    taken.swapaxes(0, axis)[~there] = 0
    return taken


def _output_slice(span: Span, scale: int, origin: int) -> slice:
    """The kept output pixels, counted from the output of input pixel ``origin``."""
    return slice((span.keep_start - origin) * scale, (span.keep_stop - origin) * scale)


def _expect_shape(pieces: Samples, tiles: Samples, scale: int) -> None:
    count, height, width, channels = tiles.shape
    expected = (count, height * scale, width * scale, channels)
    if pieces.shape != expected:
        raise NetworkError(
            f"the network turned {height} x {width} pixels into a result of shape {pieces.shape}; "
            f"at scale {scale} it should be {expected}"
        )
