"""What a picture format is, as a value: the protocol that each format's file fills in."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Literal

import numpy as np

from subpixel.arguments import expect_integer
from subpixel.errors import PictureError, UsageError
from subpixel.media.compression.read import UNKNOWN_COMPRESSION, Compression
from subpixel.media.formats.account import FilePart
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    read_metadata,
)
from subpixel.media.metadata import exif
from subpixel.media.picture import (
    ExtraChannel,
    Header,
    Loss,
    Metadata,
    Rows,
    convert_samples,
)
from subpixel.media.timing import TimingLimits
from subpixel.system.extras import EXTRAS

COMMENT = "Comment"
"""The key of a text that stands for all; where a format holds text without keys, this is its."""


@dataclass(frozen=True)
class Capacity:
    """What a format can hold, as subpixel writes it."""

    depth: int
    """Most bits per sample."""
    alpha: Literal["none", "binary", "full"]
    grey: bool
    """Whether grey is stored as such; where not, grey becomes RGB of three equal channels."""
    animation: Literal["none", "pages", "timed"]
    icc: bool = True
    coding_points: bool = False
    """Whether code points of ITU-T H.273 are held, and so the transfer of high dynamic range."""
    exif: bool = True
    xmp: bool = True
    xmp_zeros: bool = True
    """Whether an XMP packet may hold bytes of zero, as one in UTF-16 does."""
    iptc: bool = False
    text: Literal["no", "comments", "yes"] = "no"
    """Whether text is held by any key, or as the key :data:`COMMENT` alone."""
    resolution: bool = True
    aspect: bool = False
    """Whether the shape of pixels can be stated without a resolution."""
    gain_map: bool = False
    timing: TimingLimits | None = None
    """Of a timed animation."""
    colours: int | None = None
    """Colours of a frame that are kept exactly (None: all), one of them for transparent pixels."""
    max_side: int | None = None
    """Most pixels along one side."""
    exif_header: bool = False
    """Whether readers refuse a file whose EXIF block begins with no TIFF header."""
    max_exif: int | None = None
    """Most bytes of an EXIF block without its prefix."""
    max_xmp: int | None = None
    """Most bytes of an XMP packet that can't be split."""
    max_comment: int | None = None
    """Most bytes of a comment."""
    max_comments: int | None = None
    """Most bytes of all comments together, each line of them with three beside its text."""
    max_samples: int | None = None
    """Most bytes of samples beside which there is a place for EXIF and IPTC."""
    extra_channels: bool = False
    """Whether any number of channels beside the colours is held, transparency or data."""
    moves_exif: bool = False
    """Whether EXIF's fields get new places, so that offsets inside a maker note may break."""


def hold_comments(capacity: Capacity, texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Those of ``texts``, of a key each, that are comments for which a format has room."""
    room = capacity.max_comments
    for key, text in texts:
        size = len(text.encode())
        if key != COMMENT or (capacity.max_comment is not None and size > capacity.max_comment):
            continue
        if room is not None:
            size += 3 * len(text.splitlines())
            if size > room:
                continue
            room -= size
        yield text


def count_sample_bytes(header: Header) -> int:
    """Bytes of all samples, in 8 bits or 16; raises :class:`PictureError` where frames have no
    known number."""
    frame = math.prod(header.shape[1:]) * (1 if header.bit_depth == 8 else 2)
    return header.expect_count("a size in bytes") * frame


@dataclass(frozen=True)
class EncodeOptions:
    """How a picture is compressed. The defaults are chosen for quality first, then speed.

    Raises :class:`~subpixel.errors.UsageError` for what a field can't be.
    """

    quality: int | None = None
    """1 … 100 of JPEG (default 95), WebP (90), AVIF (80), HEIC (80) and JPEG XL (90); from 90 on
    chroma is kept in full in JPEG and HEIC, and always in AVIF and JPEG XL."""
    lossless: bool = False
    """WebP, AVIF (up to 12 bits), HEIC (up to 10) and JPEG XL without loss; PNG, TIFF, GIF, BMP,
    PPM and PAM are so in any case."""
    png_compression: int | None = None
    """0 … 9, fast and large to slow and small. The default, 2 with the filter ``up``, takes a
    fifth of the time of 6 for files an eighth larger."""
    tiff_compression: Literal["none", "lzw", "deflate"] = "deflate"
    """Lossless all; with the horizontal predictor, and Deflate at level 2: a quarter faster than
    LZW, and 3 % larger. LZW is read by the oldest programs too."""
    effort: int | None = None
    """Search of the encoders of WebP (0 … 6, default 2), AVIF, HEIC (0 … 9, default 1) and JPEG XL
    (0 … 9, default 3). AVIF at 4 takes ten times as long as at 1 for a file about as large."""

    def __post_init__(self) -> None:
        limits = (
            ("quality", self.quality, 1, 100),
            ("png_compression", self.png_compression, 0, 9),
            ("effort", self.effort, 0, 9),
        )
        for name, value, low, high in limits:
            if value is not None:
                expect_integer(name, value, low, high)
        if not isinstance(self.lossless, bool):
            raise UsageError(f"lossless is {self.lossless!r}; it is True or False")
        if self.tiff_compression not in ("none", "lzw", "deflate"):
            raise UsageError(
                f"tiff_compression is {self.tiff_compression!r}; it is none, lzw or deflate"
            )

    @property
    def changes(self) -> tuple[str, ...]:
        """The names of what is not as it is by default."""
        default = EncodeOptions()
        names = (field.name for field in fields(self))
        return tuple(name for name in names if getattr(self, name) != getattr(default, name))

    def unused_by(self, form: "Format") -> tuple[str, ...]:
        """The names of what is set and means nothing for files of ``form``."""
        sharp = self.lossless and "lossless" in form.writer.options
        used = form.writer.options - ({"quality"} if sharp else set())
        return tuple(name for name in self.changes if name not in used)

    def restrict(self, form: "Format") -> "EncodeOptions":
        """Only what means something for files of ``form``."""
        default = EncodeOptions()
        return replace(self, **{name: getattr(default, name) for name in self.unused_by(form)})


def _describe_plain(_contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    return read_metadata(image), ()


def _list_no_parts(_contents: FileContents) -> Iterable[FilePart]:
    return ()


def _name_no_extras(_image: VipsImage) -> None:
    return None


def _use_all_bits(_image: VipsImage) -> int:
    return 16


def _keep_samples(rows: Rows, _bit_depth: int) -> Rows:
    return rows


def _read_no_compression(_contents: FileContents) -> Compression:
    return UNKNOWN_COMPRESSION


def _take_any(_task: "EncodeTask") -> bool:
    return True


def _tell_nothing(_contents: FileContents) -> bool:
    return False


def _leave_to_libvips(_contents: FileContents) -> None:
    return None


@dataclass(frozen=True)
class FormatReader:
    """How files of a format are read; libvips decodes, where nothing else is said."""

    load: Callable[[FileContents, Strictness], VipsLoad]
    """Open the file, its header read and nothing decoded."""
    decode: Callable[[FileContents], Iterator[Rows] | None] = _leave_to_libvips
    """Rows of a file that libvips doesn't decode, those of one frame at a time, with the channels
    and the dtype of the image that ``load`` gives, which then is but a header: see
    :func:`~subpixel.media.libvips.build_header`. None: libvips decodes this one. Raises
    :class:`ValueError` for a damaged file."""
    describe: Callable[[FileContents, VipsImage], tuple[Metadata, tuple[Loss, ...]]] = (
        _describe_plain
    )
    """What the file says, all but the colour profile, and what of that can't be kept. Raises
    :class:`ValueError` for a file whose samples are of no use."""
    parts: Callable[[FileContents], Iterable[FilePart]] = _list_no_parts
    """All parts of the file and what becomes of each, but for what ``describe`` names as a loss.
    Raises nothing for a damaged file: what can't be walked further is a part of its own."""
    compression: Callable[[FileContents], Compression] = _read_no_compression
    """How coarsely the file was quantised, as far as it says so."""
    harmless_warnings: tuple[str, ...] = ()
    """Patterns of the decoder's warnings in sound files; any other warning is an error. Where there
    are none, warnings are not looked at."""
    extras: Callable[[VipsImage], tuple[ExtraChannel, ...] | None] = _name_no_extras
    """What the channels after grey or RGB are; None: alpha, if there is one."""
    bit_depth: Callable[[VipsImage], int] = _use_all_bits
    """Significant bits per sample where libvips gives 16."""
    true_samples: Callable[[Rows, int], Rows] = _keep_samples
    """Of decoded samples, and the picture's bit depth: samples whose full range is the dtype's."""
    spare_alpha: bool = False
    """Whether libvips gives an alpha channel even where all is opaque."""
    shows_through: Callable[[FileContents], bool] = _tell_nothing
    """Whether the file's structure alone says that some pixels are transparent, so that none need
    be decoded to know that a spare alpha channel is used."""
    pixel_bytes: float = 0
    """What a decoder that can't decode in parts holds at once, in bytes of each pixel of 8-bit
    samples; 0 for one that decodes rows. Measured with libvips 8.18 on 9 and 16 megapixels."""
    animation_bytes: float = 0
    """The same for a file of several frames, where a single one is decoded by rows."""
    held_bytes: int = 0
    """Files of up to so many bytes are held in memory while they are decoded."""
    interlaced_rows: float = 0
    """What a decoder of rows holds of an interlaced picture, in rows for each row."""

    @property
    def strictness(self) -> tuple[Strictness, ...]:
        """What stops libvips: at first, and when that was a harmless warning."""
        return ("warning", "error") if self.harmless_warnings else ("error",)

    def is_harmless(self, error: Exception) -> bool:
        """Whether libvips only passed on a warning that means nothing."""
        return any(re.search(words, str(error)) for words in self.harmless_warnings)


@dataclass(frozen=True)
class FormatWriter:
    """How files of a format are written; libvips encodes."""

    save: Callable[[VipsImage, "EncodeTask", FileTarget], None]
    """Encode the image, whose frames lie below each other, into the target, with the task's
    metadata. Raises :class:`pyvips.Error` or :class:`ValueError` where that can't be done."""
    save_rows: Callable[[Iterator[Rows], "EncodeTask", bytes | None, FileTarget], None] | None = (
        None
    )
    """The same for one frame, from its rows as they come and the profile that the file is to have,
    without libvips: for rows so long that libvips would hold too much. Raises :class:`ValueError`
    where rows are missing. None: libvips encodes all pictures."""
    takes_rows: Callable[["EncodeTask"], bool] = _take_any
    """Whether ``save_rows`` can encode this one."""
    options: frozenset[str] = frozenset()
    """The fields of :class:`EncodeOptions` that mean something here; others are refused."""
    drops_opaque_alpha: bool = False
    """Whether alpha that is opaque all over is left out, as encoding would alter it."""
    pixel_bytes: int = 0
    """Bytes per pixel of a frame that an encoder holds which can't encode in parts; else 0.
    Measured with libvips 8.18."""
    animation_bytes: int = 0
    """The same for a picture of several frames, where a single one is encoded by rows."""


@dataclass(frozen=True)
class Format:
    """A picture format: all that subpixel knows of it."""

    name: str
    suffixes: tuple[str, ...]
    """In lower case, with their dots; the first is the usual one."""
    recognize: Callable[[bytes], bool]
    """Whether a file that begins with these bytes, :data:`~subpixel.media.libvips.HEAD_BYTES` or
    fewer, announces this format."""
    capacity: Capacity
    reader: FormatReader
    writer: FormatWriter
    package: str | None = None
    """The import name of the package that decodes and encodes, where libvips doesn't."""

    def expect_package(self) -> None:
        """Raises :class:`PictureError` that names the extra where :attr:`package` is missing."""
        if self.package is not None and find_spec(self.package) is None:
            extra = EXTRAS[self.package]
            raise PictureError(
                f"{self.name} needs the package {self.package}: pip install 'subpixel[{extra}]'"
            )

    def count_frames(self, header: Header) -> int:
        """How many of the picture's frames the format takes. One that takes several has to know
        how many come: raises :class:`PictureError` where that isn't known."""
        return 1 if self.capacity.animation == "none" else header.expect_count(self.name)


@dataclass(frozen=True)
class EncodeTask:
    """What to encode, as what, and how."""

    header: Header
    form: Format
    options: EncodeOptions
    opaque: bool
    """Whether alpha, where there is any, is known to be full all over."""
    grow_map: "Callable[[Header, int], bytes | None] | None" = None
    """Who enlarges the picture's gain map, at a quality of 1 … 100; None: whoever encodes."""

    @property
    def drops_alpha(self) -> bool:
        """Whether the file gets no alpha though the picture has it."""
        useless = self.opaque and self.form.writer.drops_opaque_alpha
        return self.header.has_alpha and (useless or self.form.capacity.alpha == "none")

    @property
    def depth(self) -> int:
        """Bits per sample in the file."""
        return min(self.form.capacity.depth, self.header.bit_depth)

    @property
    def file_header(self) -> Header:
        """The header of the samples as the format takes them."""
        header, count = self.header, self.form.count_frames(self.header)
        dtype = np.dtype(np.uint8 if self.depth == 8 else np.uint16)
        channels = self._channels
        shape = (count, header.height, header.width, len(channels))
        extras = tuple(
            header.extra_channels[c - header.colours] for c in channels[header.colours :]
        )
        return replace(header, shape=shape, dtype=dtype, bit_depth=self.depth, extras=extras)

    @property
    def _channels(self) -> list[int]:
        """The channels that the file gets."""
        header, holds = self.header, self.form.capacity
        extras = list(range(header.colours, header.channels))
        if not holds.extra_channels:
            extras = [c for c in extras if c == header.alpha_channel and holds.alpha != "none"]
        return list(range(header.colours)) + ([] if self.drops_alpha else extras)

    def convert(self, rows: Rows) -> Rows:
        """Rows in the format's depth, without the channels that it doesn't hold; contiguous."""
        if self.drops_alpha:
            rows = rows[..., :-1] if self.opaque else _lay_on_white(rows)
        elif len(self._channels) < rows.shape[-1]:
            rows = rows[..., self._channels]
        samples = convert_samples(rows, self.file_header.dtype)
        if self.depth > 8 and self.form.capacity.depth < 16:
            samples = _shift_up(samples, self.depth)
        return np.ascontiguousarray(samples)

    def exif_block(
        self, orientation: int, resolution: tuple[float, float] | None = None
    ) -> bytes | None:
        """The picture's EXIF with its new size, stating an orientation (1 … 8) and a resolution
        (pixels per millimetre; None: as it is)."""
        block = self.header.metadata.exif
        is_held = not self.form.capacity.exif_header or exif.has_header(block)
        return exif.adjust_block(
            block if is_held else None,
            width=self.header.width,
            height=self.header.height,
            orientation=orientation,
            resolution=resolution,
        )

    def upright_exif_block(self) -> bytes | None:
        """The same for a file whose pixels go out upright."""
        meta, (count, height, width, channels) = self.header.metadata, self.header.shape
        turned = (count, width, height, channels) if meta.orientation >= 5 else self.header.shape
        task = replace(self, header=replace(self.header, shape=turned))
        return task.exif_block(1, meta.resolution)


def _lay_on_white(rows: Rows) -> Rows:
    unit = convert_samples(rows, np.dtype(np.float32))
    alpha = unit[..., -1:]
    return convert_samples(unit[..., :-1] * alpha + (1 - alpha), rows.dtype)


def _shift_up(samples: Rows, depth: int) -> Rows:
    """As libvips wants 10 and 12 bits: the high ones of 16."""
    white = (1 << depth) - 1
    wide = (samples.astype(np.uint32) * white + 32767) // 65535
    return (wide << (16 - depth)).astype(np.uint16)
