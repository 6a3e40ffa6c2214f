"""One network in one setting: how pictures are cut for it, and how their rows pass through it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial

import numpy as np

from subpixel.errors import UsageError
from subpixel.media.picture import Header, Source
from subpixel.network.flatness import Flatness
from subpixel.network.network import Network, network_bytes_per_pixel
from subpixel.runtime.op import Pixels, Samples
from subpixel.spec import ModelSpec
from subpixel.system.machine_memory import resident
from subpixel.upscaling import alpha
from subpixel.upscaling.frames.repeats import FrameCaches
from subpixel.upscaling.memory import SLACK, UNKNOWN_FOOTPRINT, Needs, memory_limit
from subpixel.upscaling.rows.window import RowWindow, regroup, split_frames
from subpixel.upscaling.samples import upscale_codes, upscale_samples
from subpixel.upscaling.tiles.bands import (
    FrameTask,
    RowReader,
    RunReport,
    Upscale,
    Workers,
    run_frames,
)
from subpixel.upscaling.tiles.flat import PastFlat, Tally, measure_flatness
from subpixel.upscaling.tiles.planning import Planner
from subpixel.upscaling.tiles.tiling import TilePlan
from subpixel.zoo import manifest


class Pipeline:
    """An open network, the plans of its tiles and the threads on which they run.

    ``tile`` and ``batch`` are :class:`~subpixel.upscaling.upscaler.Upscaler`'s. ``adaptive`` is
    what passes for flat, or by how many code values of 8 bits at most interpolation may differ,
    which is measured then; None: nothing is interpolated. ``tally`` counts what is.

    Raises :class:`UsageError` for a tile, a batch or an ``adaptive`` that the network can't be run
    with.
    """

    def __init__(
        self,
        network: Network,
        *,
        tile: int | None = None,
        batch: int = 1,
        adaptive: float | Flatness | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.network = network
        self._planner = Planner(network.spec, network.workers, tile, batch)
        self._workers = Workers(network.workers)
        self._resident = resident()
        self._tally = tally or Tally()
        self.flatness = None if adaptive is None else self._settle_flatness(adaptive)
        """What is interpolated; None: nothing is."""

    @property
    def spec(self) -> ModelSpec:
        """The network's facts."""
        return self.network.spec

    def plan(self, header: Header) -> TilePlan:
        """How a picture of this size is cut into tiles where memory is no concern."""
        return self._planner.plan(header)

    def fit(self, header: Header, codecs: int, max_memory: int | None, attempt: int) -> TilePlan:
        """The plan with which the process holds no more than it may, ``codecs`` bytes included."""
        needs = self._needs(header, UNKNOWN_FOOTPRINT, self._resident, codecs)
        most = memory_limit(max_memory, self._resident)
        return self._planner.fit(needs, most, lambda: self._footprint, attempt)

    def memory(self, header: Header, plan: TilePlan, *, counted: bool = True) -> int:
        """About how many bytes a picture takes on its way through tiles of ``plan``, beside what
        the process holds anyway; not ``counted``: as much as any network may take."""
        per_pixel = (self._footprint if counted else None) or UNKNOWN_FOOTPRINT
        return self._needs(header, per_pixel).total(plan) - SLACK

    @cached_property
    def _footprint(self) -> float | None:
        return network_bytes_per_pixel(self.network)

    def _needs(self, header: Header, per_pixel: float, held: int = 0, codecs: int = 0) -> Needs:
        scale, workers = self.spec.scale, self._workers.count
        return Needs(header, scale, workers, per_pixel, held, codecs)

    def least_memory(self, header: Header) -> int:
        """The same with the smallest tiles."""
        return self.memory(header, self._planner.smallest(header))

    def quick_memory(self, header: Header) -> int:
        """The same with the smallest tiles that aren't slow for being small."""
        needs = self._needs(header, self._footprint or UNKNOWN_FOOTPRINT)
        return self.memory(header, self._planner.quick(needs))

    @property
    def resident(self) -> int:
        """Bytes that the process held when the network was open, before any picture."""
        return self._resident

    def run(
        self,
        source: Source,
        plan: TilePlan,
        *,
        surveys: Sequence[alpha.Survey] = (),
        painted: bool = False,
        room: Sequence[RowReader] | None = None,
        report: RunReport = lambda done, total: None,
    ) -> Iterator[Samples]:
        """The larger picture from top to bottom, frame after frame, as long as frames come.

        While a frame comes out, the next one is read and under way. ``surveys`` are of each frame's
        transparency; where there are none, a frame with alpha is held as a whole and surveyed in
        its turn, unless what it hides was ``painted`` over already. ``room`` has the rows of each
        frame's result; None: they are new. Of the runs that ``plan`` says are held, those whose
        tiles come again in the next frame aren't repeated.
        """
        header = source.header
        larger = header.enlarge(self.spec.scale)
        caches = FrameCaches(plan.cache_runs)
        unseen = alpha.Painted(opaque=False) if painted else None

        def tasks() -> Iterator[FrameTask]:
            for number, chunks in enumerate(split_frames(source.chunks(), header.height)):
                survey = surveys[number] if surveys else unseen
                frame, opaque = _prepare_frame(header, chunks, survey)
                yield FrameTask(
                    self._past_flat(self._tiles(opaque=opaque, colours=header.colours)),
                    RowWindow(frame),
                    partial(_new_rows, larger) if room is None else room[number],
                    _report_frame(report, number, header.count),
                    caches.of_frame(opaque=opaque).wrap,
                )

        return run_frames(tasks(), plan, self.spec.scale, workers=self._workers)

    def expect_depth(self, header: Header) -> None:
        """Raise :class:`UsageError` for more than 8 bits and a network that computes with 8."""
        if self.spec.samples == "uint8" and header.dtype != np.uint8:
            exact = self.spec.name.removesuffix(manifest.INT8)
            instead = f"model {exact}" if exact != self.spec.name else "its float32 file"
            raise UsageError(
                f"{self.spec.name} computes with 8-bit pictures, and this one is {header.dtype}; "
                f"use {instead}, or convert the picture to 8 bits"
            )

    def _tiles(self, *, opaque: bool, colours: int) -> Upscale:
        if self.network.codes is not None:
            return partial(upscale_codes, self.network.codes, opaque=opaque, colours=colours)
        return partial(upscale_samples, self._op, opaque=opaque, colours=colours)

    def _settle_flatness(self, adaptive: float | Flatness) -> Flatness | None:
        """What passes for flat; raises :class:`UsageError` for a network of certain sizes."""
        spec = self.spec
        if (
            spec.halo is None
            or self._planner.rigid
            or max(spec.size_multiple, spec.size_minimum) > 1
        ):
            raise UsageError(
                f"adaptive leaves parts of a picture out, and {spec.name} works on certain sizes, "
                "or on whole pictures alone; leave adaptive out"
            )
        if isinstance(adaptive, Flatness):
            return adaptive
        upscale = partial(upscale_samples, self._op, opaque=False)
        return measure_flatness(upscale, spec.scale, spec.halo, adaptive)

    def _past_flat(self, upscale: Upscale) -> Upscale:
        if self.flatness is None:
            return upscale
        halo, span = self._planner.overlap_of_any, self.flatness.span
        return PastFlat(upscale, self.spec.scale, halo, span, self._tally)

    def _op(self, pixels: Pixels) -> Pixels:
        """The network's op; one of fixed batch size gets its batch filled up with copies."""
        batch = self.spec.fixed_batch
        if batch is None or batch == len(pixels):
            return self.network.op(pixels)
        return self.network.op(np.repeat(pixels, batch, axis=0))[: len(pixels)]


def survey_frames(source: Source) -> tuple[alpha.Survey, ...]:
    """Each frame's transparency, seen once from top to bottom; none where there is none, or where
    the frames can be had but once."""
    header = source.header
    if not header.has_alpha or header.count is None:
        return ()
    frames = split_frames(source.chunks(), header.height)
    return tuple(_survey(header, regroup(frame, alpha.SURVEY_ROWS)) for frame in frames)


def _prepare_frame(
    header: Header, chunks: Iterator[Samples], survey: alpha.Survey | None
) -> tuple[Iterator[Samples], bool]:
    """A frame's rows with the colour that transparent pixels hide replaced, and whether its alpha
    is full. Without a ``survey`` the frame is held as a whole for one."""
    if not header.has_alpha:
        return chunks, False
    bands: Iterable[Samples] = regroup(chunks, alpha.SURVEY_ROWS)
    if survey is None:
        bands = list(bands)
        survey = _survey(header, bands)
    return (iter(bands) if survey.opaque else survey.bleed(bands)), survey.opaque


def _survey(header: Header, bands: Iterable[Samples]) -> alpha.Survey:
    survey = alpha.Survey(header.height, header.width)
    for band in bands:
        survey.at(band)
    return survey


def _new_rows(header: Header, start: int, stop: int) -> Samples:
    return np.empty((stop - start, header.width, header.channels), header.dtype)


def _report_frame(report: RunReport, frame: int, frames: int | None) -> RunReport:
    """The report of one frame among several, as a report of all; of so many as came so far, where
    their number isn't known."""
    count = frame + 1 if frames is None else frames
    return lambda done, total: report(frame * total + done, count * total)
