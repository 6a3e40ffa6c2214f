"""Networks in turn: each takes the rows of the one before as they come."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

from subpixel.errors import MemoryLimitError
from subpixel.media.picture import Header, Source
from subpixel.runtime.op import Samples
from subpixel.system.machine_memory import resident
from subpixel.upscaling import alpha, memory
from subpixel.upscaling.bands import RowReader, RunReport
from subpixel.upscaling.pipeline import Pipeline, survey_frames
from subpixel.upscaling.rows.resampler import Window
from subpixel.upscaling.size.cropping import CroppedSource, crop_header
from subpixel.upscaling.tiling import TilePlan


class NetworkChain:
    """Pipelines that a picture passes in turn; none leaves it as it is.

    Each takes the rows of the one before as they come, so no picture between them is ever in
    memory as a whole. They share the memory that is allowed. Of the picture a ``window`` alone goes
    through them (None: all of it).
    """

    def __init__(self, pipelines: Sequence[Pipeline], window: Window | None = None) -> None:
        self.pipelines, self._window = tuple(pipelines), window

    def headers(self, header: Header) -> tuple[Header, ...]:
        """What goes into each, and last what comes out of them all."""
        scales = (pipeline.spec.scale for pipeline in self.pipelines)
        first = crop_header(header, self._window) if self._window else header
        return tuple(accumulate(scales, Header.enlarge, initial=first))

    def survey(self, source: Source) -> tuple[alpha.Survey, ...]:
        """:func:`~subpixel.upscaling.pipeline.survey_frames`; none where there is no network."""
        return survey_frames(self._crop(source)) if self.pipelines else ()

    def _crop(self, source: Source) -> Source:
        return CroppedSource(source, self._window) if self._window else source

    def plan(self, header: Header) -> tuple[TilePlan, ...]:
        """For each pipeline, where memory is no concern."""
        return tuple(
            pipeline.plan(each)
            for pipeline, each in zip(self.pipelines, self.headers(header), strict=False)
        )

    def fit(
        self, header: Header, codecs: int, max_memory: int | None, attempt: int
    ) -> tuple[TilePlan, ...]:
        """The plans with which the process holds no more than it may, ``codecs`` bytes included.

        Each pipeline may take what it needs at least, and an equal share of what those before it
        leave beside that. Raises :class:`~subpixel.errors.MemoryLimitError`.
        """
        held = max((each.resident for each in self.pipelines), default=resident())
        most = memory.memory_limit(max_memory, held)
        spare = most - memory.SLACK - held - codecs
        stages = list(zip(self.pipelines, self.headers(header), strict=False))
        if len(stages) == 1:
            return (self.pipelines[0].fit(stages[0][1], codecs, max_memory, attempt),)
        least = [pipeline.least_memory(each) for pipeline, each in stages]
        spare -= sum(least)
        taker = f"{header.width} x {header.height} pixels need" if stages else "the picture needs"
        _expect_room(taker, spare, most)
        plans: list[TilePlan] = []
        for (pipeline, each), needed in zip(stages, least, strict=True):
            share = needed + spare // (len(stages) - len(plans))
            others = most - memory.SLACK - pipeline.resident - share
            plans.append(pipeline.fit(each, others, most, attempt))
            spare -= pipeline.memory(each, plans[-1]) - needed
        return tuple(plans)

    def run(
        self,
        source: Source,
        plans: Sequence[TilePlan],
        *,
        surveys: Sequence[alpha.Survey] = (),
        room: Sequence[RowReader] | None = None,
        report: RunReport = lambda done, total: None,
    ) -> Iterator[Samples]:
        """The larger picture from top to bottom, frame after frame: see
        :meth:`~subpixel.upscaling.pipeline.Pipeline.run`. ``room`` is for the last one's rows."""
        source = self._crop(source)
        shares = _SharedReport(report, plans, source.header.count or 1)
        with ExitStack() as stack:
            for number, (pipeline, plan) in enumerate(zip(self.pipelines, plans, strict=True)):
                bands = pipeline.run(
                    source,
                    plan,
                    surveys=surveys,
                    room=room if number == len(plans) - 1 else None,
                    report=shares.report_of(number),
                )
                stack.enter_context(closing(cast(Generator[Samples, None, None], bands)))
                source = _Rows(source.header.enlarge(pipeline.spec.scale), bands)
                surveys = [alpha.Painted(opaque=each.opaque) for each in surveys]
            yield from source.chunks()


def _expect_room(taker: str, room: int, most: int) -> None:
    if room < 0:
        needed, allowed = memory.format_bytes(most - room), memory.format_bytes(most)
        raise MemoryLimitError(
            f"{taker} at least {needed} of memory, and {allowed} are allowed; "
            f"{memory.name_remedy(most - room, 'raise --max-memory')}"
        )


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of one pipeline as the source of the next, to be had once."""

    header: Header
    bands: Iterator[Samples]
    memory: int = 0

    def chunks(self) -> Iterator[Samples]:
        return self.bands


class _SharedReport:
    """The reports of several pipelines as one: their runs are added up."""

    def __init__(self, report: RunReport, plans: Sequence[TilePlan], frames: int) -> None:
        self._report = report
        self._runs = [(0, frames * plan.runs) for plan in plans]

    def report_of(self, number: int) -> RunReport:
        """For the pipeline of this ``number``."""

        def report(done: int, total: int) -> None:
            self._runs[number] = done, total
            self._report(*map(sum, zip(*self._runs, strict=True)))

        return report
