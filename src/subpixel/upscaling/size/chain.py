"""Networks in turn: each takes the rows of the one before as they come."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import accumulate
from typing import cast

from subpixel.errors import MemoryLimitError
from subpixel.media.picture import Header, RowSource, Source
from subpixel.runtime.op import Samples
from subpixel.system.machine_memory import resident
from subpixel.upscaling import alpha, memory
from subpixel.upscaling.pipeline import Pipeline, survey_frames
from subpixel.upscaling.rows.resampler import Window
from subpixel.upscaling.size.cropping import CroppedSource, crop_header
from subpixel.upscaling.tiles.bands import RowReader, RunReport
from subpixel.upscaling.tiles.tiling import TilePlan


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
        leave beside that. At the first ``attempt`` what they all leave holds runs of one frame for
        the next. Raises :class:`~subpixel.errors.MemoryLimitError`.
        """
        held = max((each.resident for each in self.pipelines), default=resident())
        most = memory.memory_limit(max_memory, held)
        spare = most - memory.SLACK - held - codecs
        plans: tuple[TilePlan, ...]
        if len(self.pipelines) == 1:
            first = self.headers(header)[0]
            plans = (self.pipelines[0].fit(first, codecs, max_memory, attempt),)
        else:
            plans = self._share_memory(header, spare, most, attempt)
        return plans if attempt else self._cache_spare(header, plans, spare)

    def cache_runs(
        self, header: Header, plans: Sequence[TilePlan], room: int
    ) -> tuple[TilePlan, ...]:
        """``plans`` with as many of a frame's runs held for the next as ``room`` bytes take; none
        for a still."""
        if header.count == 1:
            return tuple(plans)
        results: list[TilePlan] = []
        for pipeline, each, plan in zip(self.pipelines, self.headers(header), plans, strict=False):
            size = memory.run_bytes(each, pipeline.spec.scale, plan)
            runs = min(plan.runs, max(0, room) // size)
            results.append(replace(plan, cache_runs=runs))
            room -= runs * size
        return tuple(results)

    def _cache_spare(
        self, header: Header, plans: Sequence[TilePlan], spare: int
    ) -> tuple[TilePlan, ...]:
        """With as many runs as fit beside the plans."""
        stages = list(zip(self.pipelines, self.headers(header), plans, strict=False))

        def cache(*, counted: bool) -> tuple[TilePlan, ...]:
            taken = sum(line.memory(each, plan, counted=counted) for line, each, plan in stages)
            return self.cache_runs(header, plans, spare - taken)

        rough = cache(counted=False)  # without importing onnx
        is_whole = header.count == 1 or all(plan.cache_runs == plan.runs for plan in rough)
        return rough if is_whole else cache(counted=True)

    def _share_memory(
        self, header: Header, spare: int, most: int, attempt: int
    ) -> tuple[TilePlan, ...]:
        stages = list(zip(self.pipelines, self.headers(header), strict=False))
        least = [pipeline.least_memory(each) for pipeline, each in stages]
        spare -= sum(least)
        if spare < 0:
            pixels = f"{header.width} x {header.height} pixels need"
            taker = pixels if stages else "the picture needs"
            quick = sum(pipeline.quick_memory(each) for pipeline, each in stages) - sum(least)
            needed = most - spare
            explained = memory.explain_shortage(needed, needed + quick, most)
            raise MemoryLimitError(f"{taker} {explained}")
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
                    painted=number > 0,
                    room=room if number == len(plans) - 1 else None,
                    report=shares.report_of(number),
                )
                stack.enter_context(closing(cast(Generator[Samples, None, None], bands)))
                source = RowSource(source.header.enlarge(pipeline.spec.scale), bands)
                surveys = [alpha.Painted(opaque=each.opaque) for each in surveys]
            yield from source.chunks()


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
