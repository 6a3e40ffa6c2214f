"""Picture files, read and written with libvips.

What a file says comes in as :class:`~subpixel.media.picture.Metadata` and goes out again; what
the new file can't hold is returned as :class:`~subpixel.media.picture.Loss`, never dropped in
silence. The pixels are held as stored: an orientation is a tag, except in AVIF and GIF, where
the pixels that go out or come in are upright.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyvips

from subpixel.errors import PictureError, PictureTooLargeError, SubpixelError, UsageError
from subpixel.media import containers, exif
from subpixel.media.atomic import write_bytes
from subpixel.media.formats import (
    PICTURE_SUFFIXES,
    Format,
    FormatName,
    format_of,
    frames_kept,
    is_opaque,
    losses_in,
    needs_bigtiff,
    profile_fate,
    refuse_losses,
    sniff,
)
from subpixel.media.picture import Frames, Loss, Metadata, Picture, rounded

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "EncodeOptions",
    "losses_in",
    "read_picture",
    "refuse_losses",
    "write_picture",
]

DEFAULT_MAX_PIXELS = 500_000_000
"""Width × height × frames. Twice the largest camera sensors (250 megapixels), 1.5 GB as 8-bit RGB;
a header that claims more, such as 60000 × 60000, is likelier an attack than a photograph."""

_DEFAULT_DELAY_MS = 100
"""For an animation whose source has no timing: what browsers give a GIF without one."""

Image = Any
"""A :class:`pyvips.Image`; its operations are made at run time, so it has no useful type."""


@dataclass(frozen=True)
class EncodeOptions:
    """How a picture is compressed. The defaults are chosen for quality first, then speed."""

    quality: int | None = None
    """1 … 100 of JPEG (default 95), WebP (90) and AVIF (80); from 90 on chroma is kept in full
    in JPEG, and always in AVIF."""
    lossless: bool = False
    """WebP and AVIF without loss (AVIF up to 12 bits)."""
    png_compression: int | None = None
    """0 … 9, fast and large to slow and small. The default, 2 with the filter ``up``, takes a
    fifth of the time of 6 for files an eighth larger."""
    tiff_compression: Literal["none", "lzw", "deflate"] = "deflate"
    """Lossless all; with the horizontal predictor, and Deflate at level 2: a quarter faster than
    LZW, and 3 % larger. LZW is read by the oldest programs too."""
    effort: int | None = None
    """Search of the WebP (0 … 6, default 2) and AVIF (0 … 9, default 1) encoders. AVIF at 4 takes
    ten times as long as at 1 for a file about as large."""

    def __post_init__(self) -> None:
        limits = (
            ("quality", self.quality, 1, 100),
            ("png_compression", self.png_compression, 0, 9),
            ("effort", self.effort, 0, 9),
        )
        for name, value, low, high in limits:
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} is {value}; it is a whole number of {low} to {high}")
        if self.tiff_compression not in ("none", "lzw", "deflate"):
            raise UsageError(
                f"tiff_compression is {self.tiff_compression!r}; it is none, lzw or deflate"
            )


def read_picture(file: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read a JPEG, PNG, WebP, TIFF, AVIF or GIF, told apart by content rather than by suffix.

    Frames come as ``(N, H, W, C)`` uint8 or uint16: palettes and 1, 2 and 4 bits unfolded,
    animations frame by frame, CMYK turned into sRGB through its profile (recorded in
    ``losses``). Raises :class:`PictureTooLargeError` before anything is decoded when width ×
    height × frames is over ``max_pixels``, and :class:`PictureError`, in one line, for a file
    that is missing, damaged or cut off, or holds anything that a picture can't be.
    """
    file = Path(file)
    data = _contents(file)
    name = sniff(data)
    if name is None:
        raise PictureError(
            f"{file} can't be read: it holds no JPEG, PNG, WebP, TIFF, AVIF or GIF picture"
        )
    try:
        return _read(data, name, file, max_pixels)
    except (pyvips.Error, ValueError) as error:
        raise PictureError(f"{file} can't be read as {name}: {_reason(error)}") from error


def _contents(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PictureError(f"{file} can't be read: {error.strerror or error}") from error
    if not data:
        raise PictureError(f"{file} can't be read: it is empty (0 bytes)")
    return data


def _reason(error: Exception) -> str:
    """The first telling line of libvips' log, which lists every step that failed in turn."""
    if not isinstance(error, pyvips.Error):
        return str(error)
    lines = [line.strip() for line in str(error.detail or error.message).splitlines()]
    noise = ("bad seek", "load error", "unable to call", "unable to write")
    telling = [line for line in lines if line and not any(word in line for word in noise)]
    return telling[0].partition(": ")[2] or telling[0] if telling else "the data is damaged"


def _read(data: bytes, name: FormatName, file: Path, max_pixels: int) -> Picture:
    pyvips.vips_lib.vips_error_clear()
    if name != "JPEG":
        return _decoded(data, name, file, max_pixels, "error")
    try:
        return _decoded(data, name, file, max_pixels, "warning")
    except pyvips.Error as error:
        if not any(words in str(error) for words in _HARMLESS):
            raise
        return _decoded(data, name, file, max_pixels, "error")


_HARMLESS = ("extraneous bytes", "JFIF revision", "color transform code", "bad ICC marker")
"""What libjpeg warns of in whole pictures; its other warnings mean damaged pixels."""


def _decoded(
    data: bytes, name: FormatName, file: Path, max_pixels: int, fail_on: Literal["error", "warning"]
) -> Picture:
    image, skipped = _opened(data, name, fail_on)
    _expect_size(image, file, max_pixels)
    metadata, unread = _metadata(data, name, image)
    image, converted = _in_rgb(image, data, name)
    frames, depth = _frames(image, name)
    icc = _blob(image, "icc-profile-data")
    losses = (*skipped, *unread, *converted)
    return Picture(frames, replace(metadata, icc=icc), depth, losses)


_LOADERS: dict[FormatName, str] = {
    "JPEG": "jpegload_buffer",
    "PNG": "pngload_buffer",
    "WebP": "webpload_buffer",
    "TIFF": "tiffload_buffer",
    "AVIF": "heifload_buffer",
    "GIF": "gifload_buffer",
}


def _opened(
    data: bytes, name: FormatName, fail_on: Literal["error", "warning"]
) -> tuple[Image, tuple[Loss, ...]]:
    """The header read and nothing decoded: all frames below each other."""
    load = getattr(pyvips.Image, _LOADERS[name])
    options: dict[str, str | int] = {"fail_on": fail_on, "access": "sequential"}
    if name in ("WebP", "GIF"):
        return load(data, n=-1, **options), ()
    first = load(data, **options)
    pages = first.get_n_pages()
    if pages == 1:
        return first, ()
    if name == "TIFF":
        try:
            return load(data, n=-1, **options), ()
        except pyvips.Error:  # pages of several sizes: a pyramid, or a thumbnail
            return first, (
                Loss("frames", f"pages 2 to {pages} are of other sizes, or damaged; left out"),
            )
    primary = load(data, page=first.get("heif-primary"), **options)
    return primary, (Loss("frames", f"one of the {pages} pictures in the file is used"),)


def _expect_size(image: Image, file: Path, max_pixels: int) -> None:
    pixels = image.width * image.height
    if pixels > max_pixels:
        height = image.get_page_height()
        raise PictureTooLargeError(
            f"{file} has {image.width} x {height} pixels in {image.height // height} frame(s), "
            f"{pixels:,} in all; {max_pixels:,} are allowed: raise max_pixels to read it"
        )


def _metadata(data: bytes, name: FormatName, image: Image) -> tuple[Metadata, tuple[Loss, ...]]:
    """All but the colour profile, which the conversion to RGB may change."""
    block = (_blob(image, "exif-data") or b"").removeprefix(exif.PREFIX) or None
    meta = replace(_timing(image), exif=block, xmp=_blob(image, "xmp-data"))
    losses: tuple[Loss, ...] = ()
    if name == "JPEG":
        resolution = containers.jpeg_resolution(data) or exif.resolution_in(meta.exif)
        meta = replace(meta, resolution=resolution, iptc=_blob(image, "iptc-data"))
        meta = replace(meta, text=containers.jpeg_comments(data))
        losses = containers.jpeg_losses(data)
    elif name == "PNG":
        png = containers.png_facts(data)
        resolution = png.resolution or exif.resolution_in(png.exif)
        meta = replace(meta, text=png.text, xmp=png.xmp, exif=png.exif, resolution=resolution)
        losses = png.losses
        if png.has_profile and not image.get_typeof("icc-profile-data"):
            losses += (Loss("icc", "libpng finds the profile unsound; left out"),)
    elif name == "TIFF":
        resources, records = (exif.value_in(data, t) for t in (exif.PHOTOSHOP, exif.IPTC))
        iptc = containers.iptc_of_tiff(resources, records)
        meta = replace(meta, exif=exif.from_tiff(data), iptc=iptc)
        meta = replace(meta, resolution=exif.resolution_in(data))
    else:
        meta = replace(meta, resolution=exif.resolution_in(meta.exif))
    turned = _number(image, "orientation", 1) if name == "TIFF" else exif.orientation_in(meta.exif)
    return replace(meta, orientation=1 if name == "AVIF" else turned), losses


def _number(image: Image, name: str, default: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else default


def _blob(image: Image, name: str) -> bytes | None:
    return bytes(image.get(name)) if image.get_typeof(name) else None


def _timing(image: Image) -> Metadata:
    """The metadata of a file's frames; that of a still says nothing."""
    if image.get_n_pages() == 1 or not image.get_typeof("delay"):
        return Metadata()
    return Metadata(delays_ms=tuple(image.get("delay")), loop=_number(image, "loop", 0))


_LAB = (8, 9, 10)


def _in_rgb(image: Image, data: bytes, name: FormatName) -> tuple[Image, tuple[Loss, ...]]:
    """Grey or RGB of 8 or 16 bits, alpha straight; raises :class:`ValueError` for what can't be."""
    if name == "TIFF" and exif.photometric_of_tiff(data) in _LAB:
        raise ValueError("its colours are Lab; convert it to RGB first")
    if image.format not in ("uchar", "ushort"):
        raise ValueError(f"its samples are {image.format}; save it with 8 or 16 bits per sample")
    if image.interpretation == "cmyk":
        return _from_cmyk(image)
    if image.bands > 4 or image.interpretation not in ("b-w", "grey16", "srgb", "rgb16", "rgb"):
        raise ValueError(
            f"it has {image.bands} channels ({image.interpretation}); "
            "a picture is grey or RGB, with or without alpha"
        )
    return image, ()


def _from_cmyk(image: Image) -> tuple[Image, tuple[Loss, ...]]:
    embedded = bool(image.get_typeof("icc-profile-data"))
    depth = 16 if image.format == "ushort" else 8
    options = {"intent": "relative", "black_point_compensation": True, "depth": depth}
    rgb = image.icc_transform("srgb", embedded=embedded, input_profile="cmyk", **options)
    through = "its own profile" if embedded else "a generic profile, as it has none of its own"
    return rgb, (Loss("colour", f"CMYK turned into sRGB through {through}"),)


def _frames(image: Image, name: FormatName) -> tuple[Frames, int]:
    """Decode: ``(N, H, W, C)`` and the significant bits per sample."""
    dtype = np.dtype(np.uint8 if image.format == "uchar" else np.uint16)
    pages, height = image.height // image.get_page_height(), image.get_page_height()
    samples = np.frombuffer(image.write_to_memory(), dtype)
    frames = samples.reshape(pages, height, image.width, image.bands)
    depth = _number(image, "bits-per-sample", 16) if dtype == np.uint16 else 8
    if name == "AVIF" and depth < 16 and dtype == np.uint16:
        return _stretched(frames, depth), depth
    if name == "GIF" and image.hasalpha() and (frames[..., -1] == 255).all():
        frames = np.ascontiguousarray(frames[..., :-1])  # libvips' room for transparency, unused
    return frames, dtype.itemsize * 8


def _stretched(frames: Frames, depth: int) -> Frames:
    """libvips shifts 10 and 12 bits up, so that white is a little below 65535: scale instead."""
    most = (1 << depth) - 1
    samples = (frames >> (16 - depth)).astype(np.uint32)
    return ((samples * 65535 + most // 2) // most).astype(np.uint16)


def _shifted(samples: Frames, depth: int) -> Frames:
    """The inverse of :func:`_stretched`."""
    most = (1 << depth) - 1
    return (((samples.astype(np.uint32) * most + 32767) // 65535) << (16 - depth)).astype(np.uint16)


def write_picture(
    picture: Picture,
    file: str | Path,
    options: EncodeOptions = EncodeOptions(),
    *,
    strict: bool = False,
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write ``picture`` in the format that the suffix of ``file`` names, whole or not at all.

    Returns what the file doesn't hold of the picture's source: what reading lost, then what
    this format loses. Raises :class:`LossError` under ``strict`` when that is anything, and
    :class:`PictureError` for an unknown suffix, an existing file without ``overwrite``, a
    picture too large for the format, a folder that can't be written or a full disk. Nothing is
    left behind then.
    """
    file = Path(file)
    format_of(file)
    if not overwrite:
        _expect_free(file)
    if strict:
        refuse_losses(picture, file)
    losses = picture.losses + losses_in(picture, file.suffix)
    data = encode_picture(picture, file, options)
    try:
        write_bytes(file, data, overwrite=overwrite)
    except SubpixelError as error:
        raise PictureError(str(error)) from error
    return losses


def encode_picture(
    picture: Picture, file: str | Path, options: EncodeOptions = EncodeOptions()
) -> bytes:
    """The bytes that ``file``, whose suffix names the format, would hold; nothing is written.

    Raises :class:`PictureError` for an unknown suffix or a picture too large for the format.
    """
    form = format_of(Path(file))
    try:
        return _encoded(picture, form, options)
    except (pyvips.Error, ValueError) as error:
        raise PictureError(f"{file} can't be written as {form.name}: {_reason(error)}") from error


def _expect_free(file: Path) -> None:
    """Say so before the work is done rather than after it."""
    try:
        taken = file.exists()
    except OSError as error:
        raise PictureError(f"{file} can't be written: {error.strerror or error}") from error
    if taken:
        raise PictureError(f"{file} exists; use overwrite to replace it, or name another file")


def _encoded(picture: Picture, form: Format, options: EncodeOptions) -> bytes:
    pyvips.vips_lib.vips_error_clear()
    _expect_sides(picture, form)
    image = _image(_samples(picture, form), picture, form)
    meta = picture.metadata
    width, height = image.width, image.get_page_height()
    if form.name == "AVIF" and meta.orientation >= 5:
        width, height = height, width
    block = exif.adjusted(
        meta.exif,
        width=width,
        height=height,
        orientation=1 if form.name in ("AVIF", "GIF", "TIFF") else meta.orientation,
        resolution=meta.resolution if form.name in ("WebP", "AVIF") else None,
    )
    return _SAVERS[form.name](image, picture, block, options)


def _expect_sides(picture: Picture, form: Format) -> None:
    if form.max_side is not None and max(picture.width, picture.height) > form.max_side:
        raise PictureError(
            f"{picture.width} x {picture.height} pixels are too large for {form.name}, "
            f"which holds up to {form.max_side:,} along a side; use PNG or TIFF"
        )


def _samples(picture: Picture, form: Format) -> Frames:
    """The frames that the format takes, in its depth, without alpha where it has none."""
    frames = picture.frames[: frames_kept(picture, form)]
    if picture.has_alpha and form.name in ("JPEG", "AVIF") and is_opaque(picture):
        frames = frames[..., :-1]  # AVIF's lossy alpha would be a little less than opaque
    elif picture.has_alpha and form.alpha == "none":
        frames = _on_white(frames)
    depth = min(form.depth, picture.bit_depth)
    samples = rounded(frames, np.dtype(np.uint8 if depth == 8 else np.uint16))
    return np.ascontiguousarray(_shifted(samples, depth) if 8 < depth < 16 else samples)


def _on_white(frames: Frames) -> Frames:
    unit = rounded(frames, np.dtype(np.float32))
    alpha = unit[..., -1:]
    return rounded(unit[..., :-1] * alpha + (1 - alpha), frames.dtype)


def _image(frames: Frames, picture: Picture, form: Format) -> Image:
    """The frames below each other as a libvips image, with the metadata that libvips may write."""
    pages, height, width, bands = frames.shape
    kind = "uchar" if frames.dtype == np.uint8 else "ushort"
    grey, colour = ("b-w", "srgb") if kind == "uchar" else ("grey16", "rgb16")
    plain = pyvips.Image.new_from_memory(frames, width, pages * height, bands, kind)
    across, down = picture.metadata.resolution or (1.0, 1.0)
    image = plain.copy(interpretation=grey if bands < 3 else colour, xres=across, yres=down)
    image.set_type(pyvips.GValue.gint_type, "page-height", height)
    return _with_colour(image, picture, form)


def _with_colour(image: Image, picture: Picture, form: Format) -> Image:
    """Profile and orientation set, or made true in the pixels where the format has no room."""
    meta, fate = picture.metadata, profile_fate(picture, form)
    if fate in ("kept", "applied"):
        _set_blob(image, "icc-profile-data", meta.icc)
    if fate == "applied":
        depth = 8 if image.format == "uchar" else 16
        image = image.icc_transform("srgb", embedded=True, depth=depth)
    if form.name == "GIF" and meta.orientation != 1:
        return _upright(image, meta.orientation)
    image.set_type(pyvips.GValue.gint_type, "orientation", meta.orientation)
    return image


def _upright(image: Image, orientation: int) -> Image:
    """Every frame turned as its EXIF orientation asks."""
    height = image.get_page_height()
    pages = [image.crop(0, top, image.width, height) for top in range(0, image.height, height)]
    for page in pages:
        page.set_type(pyvips.GValue.gint_type, "page-height", height)
        page.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    turned = [page.autorot() for page in pages]
    whole = pyvips.Image.arrayjoin(turned, across=1).copy()
    whole.set_type(pyvips.GValue.gint_type, "page-height", turned[0].height)
    return whole


def _set_blob(image: Image, name: str, value: bytes | None) -> None:
    image.set_type(pyvips.GValue.blob_type, name, value)


def _jpeg(image: Image, picture: Picture, block: bytes | None, options: EncodeOptions) -> bytes:
    quality = options.quality or 95
    chroma = "off" if quality >= 90 else "on"
    data = image.jpegsave_buffer(keep="icc", Q=quality, subsample_mode=chroma)
    return containers.jpeg_with(data, picture.metadata, block)


def _png(image: Image, picture: Picture, block: bytes | None, options: EncodeOptions) -> bytes:
    level = options.png_compression
    speed = {"compression": 2, "filter": "up"} if level is None else {"compression": level}
    data = image.pngsave_buffer(keep="icc", **speed)
    return containers.png_with(data, picture.metadata, block)


def _webp(image: Image, picture: Picture, block: bytes | None, options: EncodeOptions) -> bytes:
    _set_timing(image, picture)
    data = image.webpsave_buffer(
        keep=_keep_blobs(image, picture, block),
        Q=options.quality or 90,
        lossless=options.lossless,
        exact=options.lossless,
        effort=2 if options.effort is None else min(options.effort, 6),
    )
    return data if block is None else containers.webp_with_exif(data, block)


def _tiff(image: Image, picture: Picture, block: bytes | None, options: EncodeOptions) -> bytes:
    meta = picture.metadata
    if meta.xmp is not None:
        _set_blob(image, "xmp-data", meta.xmp)
    data = image.tiffsave_buffer(
        keep="icc:xmp:other",
        compression=options.tiff_compression,
        predictor="horizontal",
        level=2,
        resunit="inch",
        bigtiff=needs_bigtiff(picture),
    )
    if meta.resolution is None:
        data = exif.without_resolution(data)
    if meta.iptc is not None:
        resources, records = containers.tiff_iptc(meta.iptc)
        values = {exif.PHOTOSHOP: resources} | ({exif.IPTC: records} if records else {})
        data = exif.with_values(data, values)
    return data if block is None else exif.into_tiff(data, block)


def _avif(image: Image, picture: Picture, block: bytes | None, options: EncodeOptions) -> bytes:
    data = image.heifsave_buffer(
        keep=_keep_blobs(image, picture, block),
        compression="av1",
        Q=options.quality or 80,
        lossless=options.lossless,
        bitdepth=min(picture.bit_depth, 12),
        subsample_mode="off",
        effort=1 if options.effort is None else options.effort,
    )
    return data if block is None else containers.avif_with_exif(data, block)


def _gif(image: Image, picture: Picture, _block: bytes | None, _options: EncodeOptions) -> bytes:
    _set_timing(image, picture)
    data: bytes = image.gifsave_buffer(
        keep="none", interpalette_maxerror=0, keep_duplicate_frames=True
    )
    return data


def _keep_blobs(image: Image, picture: Picture, block: bytes | None) -> str:
    """What libvips is to write; its EXIF only holds the place of ours."""
    if picture.metadata.xmp is not None:
        _set_blob(image, "xmp-data", picture.metadata.xmp)
    return "icc:xmp:exif" if block is not None else "icc:xmp"


def _set_timing(image: Image, picture: Picture) -> None:
    pages = image.height // image.get_page_height()
    if pages > 1:
        delays = list(picture.metadata.delays_ms[:pages])
        delays += [_DEFAULT_DELAY_MS] * (pages - len(delays))
        image.set_type(pyvips.GValue.array_int_type, "delay", delays)
        image.set_type(pyvips.GValue.gint_type, "loop", picture.metadata.loop)


_SAVERS: dict[FormatName, Callable[[Image, Picture, bytes | None, EncodeOptions], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "TIFF": _tiff,
    "AVIF": _avif,
    "GIF": _gif,
}
