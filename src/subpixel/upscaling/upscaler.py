"""Pictures in, larger pictures out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from subpixel.errors import MemoryLimitError, UsageError
from subpixel.media.picture import Header, Loss, Picture, Source
from subpixel.network.flatness import Flatness
from subpixel.network.network import Network, bytes_per_pixel, open_network
from subpixel.runtime.op import Pixels, Samples
from subpixel.spec import ModelSpec
from subpixel.upscaling import alpha, memory
from subpixel.upscaling.bands import Report, Rows, Upscale, rows_of, run_bands
from subpixel.upscaling.flat import PastFlat, Tally, measure_flatness
from subpixel.upscaling.planning import Planner
from subpixel.upscaling.samples import upscale_codes, upscale_samples
from subpixel.upscaling.tiling import TilePlan
from subpixel.upscaling.window import Window, regrouped
from subpixel.zoo import manifest

if TYPE_CHECKING:
    from subpixel.media.writing import EncodeOptions

ATTEMPTS = 4
"""How often a picture is started where memory is refused, each time with tiles of half the side."""

Image = TypeVar("Image")
"""A numpy array or a Pillow image: what comes in goes out, larger."""


class Upscaler:
    """A network opened once, for any number of pictures.

    ``model`` is a bundled network's name, an ONNX file's path, or a network that is open already;
    ``scale`` chooses among a bundled network's scales (default 3). ``device`` is ``"auto"`` or a
    name of :data:`subpixel.runtime.devices.DEVICES`. ``tile`` is the side of a tile in input
    pixels, halo included (None: 512; 0: the whole picture at once). ``threads`` None means one
    per physical core. ``batch`` is how many tiles that lie beside one another go through the
    network at once, where there is memory for so many. ``adaptive`` lets flat parts of a picture be
    interpolated instead, as far as that is measured to be within so many code values of 8 bits from
    the network, or was: a :class:`~subpixel.network.flatness.Flatness`.

    Raises what :func:`~subpixel.network.network.open_network` raises, and :class:`UsageError` for a
    tile, a batch or an ``adaptive`` that the network can't be run with.

    >>> from subpixel import Upscaler
    >>> larger = Upscaler(scale=2)(array)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Network = manifest.DEFAULT_NETWORK,
        *,
        scale: int | None = None,
        device: str = "auto",
        tile: int | None = None,
        threads: int | None = None,
        batch: int = 1,
        adaptive: float | Flatness | None = None,
    ) -> None:
        if not isinstance(model, Network):
            model = open_network(
                model, scale=scale, device=device, threads=threads, side_by_side=tile != 0
            )
        self._network = model
        self._planner = Planner(model.spec, model.workers, tile, batch)
        self._resident = memory.resident()
        self.flatness = None if adaptive is None else self._measured(adaptive)
        """What goes past the network under ``adaptive``; None: nothing does."""
        self.tally = Tally()
        """How much went past it so far."""

    @property
    def spec(self) -> ModelSpec:
        """The network's facts."""
        return self._network.spec

    @property
    def provider(self) -> str:
        """What really runs it: ONNX Runtime's name of the execution provider, or OpenVINO."""
        return self._network.provider

    @property
    def remark(self) -> str | None:
        """What was decided about a third-party file, in one line; None for others."""
        return self._network.remark

    def __call__(self, image: Image) -> Image:
        """Upscale an array or a Pillow image and return the same kind of thing.

        Arrays are ``(H, W)`` or ``(H, W, C)`` with one to four channels (grey, grey and alpha,
        RGB, RGBA), uint8, uint16 or float32 in 0 … 1. Raises :class:`UsageError` for others.
        """
        from subpixel.media.arrays import like, to_picture

        return like(image, self.picture(to_picture(image)))

    def picture(self, picture: Picture, report: Report = lambda done, total: None) -> Picture:
        """Upscale a picture's every frame; its metadata stays as it is.

        Raises :class:`UsageError` for more than 8 bits and a network that computes with 8.
        """
        self._expect_depth(picture.header)
        larger = picture.header.enlarged(self.spec.scale)
        frames = np.empty((len(picture.frames), *larger.shape[1:]), larger.dtype)
        rows = [rows_of(frame) for frame in frames]
        surveys = _surveys(picture)
        for _ in self._bands(picture, surveys, self.plan(picture.header), rows, report):
            pass
        return replace(picture, frames=frames)

    def file(
        self,
        source: Source,
        file: Path,
        options: "EncodeOptions | None" = None,
        *,
        strict: bool = False,
        overwrite: bool = False,
        max_memory: int | None = None,
        report: Report = lambda done, total: None,
    ) -> tuple[Loss, ...]:
        """Upscale ``source`` into ``file`` in bands: neither is ever in memory as a whole.

        Decoding, the network and encoding go on at the same time. ``max_memory`` is what the
        process may hold, in bytes (None: half of what is free); it settles the size of the tiles.
        Where memory is refused nevertheless, the picture is started anew with tiles of half the
        side, a few times. Returns and raises what
        :class:`~subpixel.media.writing.PictureWriter` does, and :class:`MemoryLimitError` when
        the smallest tiles take more than is allowed or to be had; :class:`UsageError` as
        :meth:`picture` does.
        """
        self._expect_depth(source.header)
        from subpixel.media.writing import EncodeOptions, PictureWriter

        options = options or EncodeOptions()
        surveys = _surveys(source)
        opaque = all(survey.opaque for survey in surveys) if surveys else None
        header = source.header.enlarged(self.spec.scale)
        for attempt in range(ATTEMPTS):
            writer = PictureWriter(
                header, file, options, opaque=opaque, strict=strict, overwrite=overwrite
            )
            codecs = writer.memory + source.memory
            plan = self._fitted(source.header, codecs, max_memory, attempt)
            with _refused(), writer:
                for band in self._bands(source, surveys, plan, None, report):
                    writer.write(band)
                return writer.losses
        raise MemoryLimitError(
            f"memory was refused {ATTEMPTS} times, in ever smaller tiles; close other programs, "
            "or lower --max-memory"
        )

    def plan(self, header: Header) -> TilePlan:
        """How a picture of this size is cut into tiles where memory is no concern."""
        return self._planner.plan(header)

    def _fitted(
        self, header: Header, codecs: int, max_memory: int | None, attempt: int
    ) -> TilePlan:
        """The plan with which the process holds no more than it may."""
        scale, workers = self.spec.scale, self._network.workers
        needs = memory.Needs(header, scale, workers, memory.UNKNOWN, self._resident, codecs)
        most = memory.allowed(max_memory, self._resident)
        return self._planner.fitted(needs, most, partial(bytes_per_pixel, self._network), attempt)

    def _bands(
        self,
        source: Source,
        surveys: Sequence[alpha.Survey],
        plan: TilePlan,
        room: Sequence[Rows] | None,
        report: Report,
    ) -> Iterator[Samples]:
        """The larger picture from top to bottom, frame after frame; into ``room`` where given."""
        header, chunks = source.header, iter(source.chunks())
        count = header.expect_count("upscaling")
        for i in range(count):
            frame = _frame(chunks, header.height)
            opaque = bool(surveys) and surveys[i].opaque
            if surveys and not opaque:
                frame = surveys[i].bled(regrouped(frame, alpha.BLOCK))
            yield from run_bands(
                self._past_flat(self._tiles(opaque=opaque)),
                Window(frame),
                partial(_new_rows, header.enlarged(self.spec.scale)) if room is None else room[i],
                plan,
                self.spec.scale,
                workers=self._network.workers,
                report=_part(report, i, count),
            )

    def _tiles(self, *, opaque: bool) -> Upscale:
        if self._network.codes is not None:
            return partial(upscale_codes, self._network.codes, opaque=opaque)
        return partial(upscale_samples, self._op, opaque=opaque)

    def _expect_depth(self, header: Header) -> None:
        if self.spec.samples == "uint8" and header.dtype != np.uint8:
            exact = self.spec.name.removesuffix(manifest.INT8)
            instead = f"model {exact}" if exact != self.spec.name else "its float32 file"
            raise UsageError(
                f"{self.spec.name} computes with 8-bit pictures, and this one is {header.dtype}; "
                f"use {instead}, or convert the picture to 8 bits"
            )

    def _measured(self, adaptive: float | Flatness) -> Flatness | None:
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
        return PastFlat(upscale, self.spec.scale, halo, span, self.tally)

    def _op(self, pixels: Pixels) -> Pixels:
        """The network's op; one of fixed batch size gets its batch filled up with copies."""
        batch = self.spec.fixed_batch
        if batch is None or batch == len(pixels):
            return self._network.op(pixels)
        return self._network.op(np.repeat(pixels, batch, axis=0))[: len(pixels)]


@contextmanager
def _refused() -> Iterator[None]:
    """Goes on where memory was refused, be it for a thread's stack."""
    try:
        yield
    except MemoryError:
        return
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise


def _frame(chunks: Iterator[Samples], height: int) -> Iterator[Samples]:
    """As many of the chunks as make a frame."""
    while height:
        rows = next(chunks)
        height -= len(rows)
        yield rows


def _surveys(source: Source) -> tuple[alpha.Survey, ...]:
    """Each frame's transparency, seen once from top to bottom; none where there is none."""
    header, chunks = source.header, source.chunks()
    if not header.has_alpha:
        return ()
    count = header.expect_count("upscaling")
    surveys = tuple(alpha.Survey(header.height, header.width) for _ in range(count))
    for survey in surveys:
        for band in regrouped(_frame(chunks, header.height), alpha.BLOCK):
            survey.at(band)
    return surveys


def _new_rows(header: Header, start: int, stop: int) -> Samples:
    return np.empty((stop - start, header.width, header.channels), header.dtype)


def _part(report: Report, frame: int, frames: int) -> Report:
    """The report of one frame among several, as a report of all."""
    return lambda done, total: report(frame * total + done, frames * total)


def upscale(
    image: Image,
    *,
    model: str | Path = manifest.DEFAULT_NETWORK,
    scale: int | None = None,
    device: str = "auto",
    tile: int | None = None,
    threads: int | None = None,
) -> Image:
    """Upscale one array or Pillow image; for several, make an :class:`Upscaler` once.

    Takes and returns what :meth:`Upscaler.__call__` does, and the arguments of
    :class:`Upscaler`.
    """
    upscaler = Upscaler(model, scale=scale, device=device, tile=tile, threads=threads)
    return upscaler(image)
