"""One picture's bytes, enlarged, as an open file without a name."""

import math
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from subpixel.errors import MemoryLimitError, PictureTooLargeError, SubpixelError
from subpixel.media.apart.pool import ApartPicture, DecoderPool
from subpixel.media.formats.format import Format
from subpixel.media.picture import Header
from subpixel.media.reading import PictureFile
from subpixel.serve.limits import ServerLimits
from subpixel.serve.metrics import ServerMetrics
from subpixel.serve.work.budget import ShareBudget
from subpixel.serve.work.job_queue import Watch
from subpixel.serve.work.networks import ServedNetworks
from subpixel.serve.work.options import UpscaleOptions
from subpixel.system.machine_memory import resident
from subpixel.upscaling.choice.choose import NetworkChoice
from subpixel.upscaling.size.target_size import TargetSize, seen_size
from subpixel.upscaling.upscaler import Upscaler

PICTURE_NAME = "the picture"
"""What messages call what was sent."""

RESULT_NAME = "the result"


@dataclass(frozen=True, eq=False)
class PictureResult:
    """An enlarged picture."""

    stream: BinaryIO
    """Its file, from the start; it has no name any more, and is gone when this is closed."""
    size: int
    """Bytes of the file."""
    form: Format
    width: int
    """As people see it, upright."""
    height: int
    network: str
    """Its name."""
    losses: tuple[str, ...]
    """What the file doesn't hold of what was sent, in short."""

    def close(self) -> None:
        """Remove the file."""
        self.stream.close()


@dataclass(frozen=True, eq=False)
class PictureWork:
    """Enlarges pictures that nobody trusts; threads may share it."""

    networks: ServedNetworks
    decoders: DecoderPool
    memory: ShareBudget
    limits: ServerLimits
    metrics: ServerMetrics

    def upscale(self, data: bytes, options: UpscaleOptions, watch: Watch) -> PictureResult:
        """The picture of a file's bytes, enlarged.

        Raises what :meth:`~subpixel.upscaling.upscaler.Upscaler.file` raises, what ``watch``
        raises, and :class:`PictureTooLargeError`, before pixels are decoded, for what is over the
        limits.
        """
        upscaler = self.networks.get(options.model)
        with self.metrics.stage("open"):
            source = self.decoders.open(data, name=PICTURE_NAME, max_pixels=self.limits.max_pixels)
        try:
            return self._upscale_file(source, upscaler, options, watch)
        finally:
            if isinstance(source, ApartPicture):
                source.close()

    def _upscale_file(
        self, source: PictureFile, upscaler: Upscaler, options: UpscaleOptions, watch: Watch
    ) -> PictureResult:
        size = _own_scale_left_out(options.size, upscaler)
        larger = upscaler.enlargement(source.header, size).header(source.header)
        self._expect_allowed(source.header, larger)
        watch.expect_going()
        with self.metrics.stage("choose"):
            choice = upscaler.choose(source)
        result = self._write(_Enlargement(source, upscaler, size, choice), options, watch)
        self.metrics.add_megapixels(_megapixels(source.header), _megapixels(larger))
        return result

    def _expect_allowed(self, header: Header, larger: Header) -> None:
        frames, pixels = header.expect_count("a request"), _megapixels(larger) * 1e6
        if frames > self.limits.max_frames:
            raise PictureTooLargeError(
                f"{PICTURE_NAME} has {frames:,} frames; {self.limits.max_frames:,} are allowed"
            )
        if pixels > self.limits.max_output_pixels:
            raise PictureTooLargeError(
                f"the result would have {pixels:,.0f} pixels; {self.limits.max_output_pixels:,} "
                "are allowed: ask for a smaller size"
            )

    def _write(
        self, enlargement: "_Enlargement", options: UpscaleOptions, watch: Watch
    ) -> PictureResult:
        """Within one share of the memory, or else within all of it."""
        with suppress(MemoryLimitError):
            return self._write_within(1, enlargement, options, watch)
        return self._write_within(self.memory.shares, enlargement, options, watch)

    def _write_within(
        self, shares: int, enlargement: "_Enlargement", options: UpscaleOptions, watch: Watch
    ) -> PictureResult:
        with self.memory.take(shares, watch.expect_going) as size, self.metrics.stage("upscale"):
            return enlargement.write(options, size, watch)


@dataclass(frozen=True, eq=False)
class _Enlargement:
    """A picture that is open, and what becomes of it."""

    source: PictureFile
    upscaler: Upscaler
    size: TargetSize | None
    choice: NetworkChoice | None

    def write(self, options: UpscaleOptions, memory: int, watch: Watch) -> PictureResult:
        """Holding so many bytes of ``memory`` more than the process holds now."""
        form = options.form or self.source.form
        with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
            file = Path(folder, f"result{form.suffixes[0]}")
            try:
                losses = self.upscaler.file(
                    self.source,
                    file,
                    options.encode,
                    size=self.size,
                    choice=self.choice,
                    strict=options.strict,
                    max_memory=resident() + memory,
                    report=watch.report,
                )
            except SubpixelError as error:
                raise type(error)(str(error).replace(str(file), RESULT_NAME)) from error
            stream = file.open("rb")  # which the folder's end leaves open
        larger = self.upscaler.enlargement(self.source.header, self.size)
        height, width = seen_size(larger.header(self.source.header))
        network = self.upscaler.spec.name if self.choice is None else self.choice.network
        whats = tuple(dict.fromkeys(loss.what for loss in losses))
        end = stream.seek(0, 2)
        stream.seek(0)
        return PictureResult(stream, end, form, width, height, network, whats)


def _own_scale_left_out(size: TargetSize | None, upscaler: Upscaler) -> TargetSize | None:
    """None where the network's own enlargement is meant."""
    return None if size is not None and size.factor == upscaler.spec.scale else size


def _megapixels(header: Header) -> float:
    return math.prod(header.shape[:3]) / 1e6  # type: ignore[arg-type] # files know their frames
