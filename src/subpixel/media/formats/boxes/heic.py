"""HEIC: what phones write; pictures coded as HEVC, in boxes of ISO/IEC 23008-12.

The package pillow-heif decodes and encodes, the whole picture at once. Pixels come in and go out
upright: it applies the file's properties for that (``irot``, ``imir``), and EXIF's tag doesn't
count.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from subpixel.media.formats.boxes.box_account import list_box_parts
from subpixel.media.formats.boxes.box_colour import describe_colours
from subpixel.media.formats.boxes.brands import HEVC_BRANDS, list_brands
from subpixel.media.formats.boxes.gain_map import take_map
from subpixel.media.formats.boxes.items import read_items
from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.libvips import (
    NO_PATCHES,
    FileContents,
    FileTarget,
    Patches,
    Strictness,
    VipsImage,
    VipsLoad,
    build_header,
    get_blob,
    get_number,
    patch_bytes,
    read_metadata,
    set_blob,
    turn_upright,
)
from subpixel.media.metadata import exif
from subpixel.media.metadata.colour_tags import coding_points_in
from subpixel.media.metadata.xmp.xmp import retract_promises, state_upright
from subpixel.media.picture import Loss, Metadata, Rows, make_alpha_straight

HEIC_MAX_DEPTH = 10
"""Most bits per sample that are written: those that phones decode."""

FULL_CHROMA_QUALITY = 90
"""The quality from which chroma is stored in full."""

HEIC_QUALITY = 80
HEIC_EFFORT = 1

_PRESETS = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)
"""x265's, by effort."""

_HEIC_ROWS = 256
"""Decoded rows that are converted at a time."""

_CHANNELS = {"L": 1, "I": 1, "LA": 2, "La": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}

HeifFile = Any
"""A :class:`pillow_heif.HeifFile`: the pictures of a file."""

HeifImage = Any
"""A :class:`pillow_heif.HeifImage`."""


def is_heic(head: bytes) -> bool:
    """Whether a file's first bytes announce pictures coded as HEVC."""
    brands = list_brands(head)
    if brands[:1] in ([b"mif1"], [b"msf1"]):
        return not HEVC_BRANDS.isdisjoint(brands)
    return bool(brands) and brands[0] in HEVC_BRANDS


def _load_heic(contents: FileContents, _fail_on: Strictness) -> VipsLoad:
    pictures = _open_pictures(contents)
    picture = pictures[pictures.primary_index]
    width, height = picture.size
    shape = (1, height, width, _CHANNELS[_split_mode(picture)[0]])
    info, file = picture.info, contents.look()
    profile, losses = describe_colours(file, read_items(file), grey=shape[3] <= 2)
    header = build_header(shape, _split_mode(picture)[1], info.get("icc_profile") or profile)
    block = _hide_tangled(info.get("exif") or b"")
    for name, value in (("exif-data", block), ("xmp-data", info.get("xmp"))):
        if value:
            set_blob(header, name, value)
    return header, (*_find_frame_loss(pictures), *losses)


def _hide_tangled(block: bytes) -> bytes:
    """The block as libexif passes it over, where that would be kept busy: libvips shows it what
    becomes a field of an image."""
    for at, value in exif.hide_tangled(block, 0).items():
        block = block[:at] + value + block[at + len(value) :]
    return block


def _open_pictures(contents: FileContents, patches: Patches = NO_PATCHES) -> HeifFile:
    """The file's pictures, not decoded yet."""
    import pillow_heif

    with _heif_errors(), contents.stream() as file:
        stream = io.BytesIO(patch_bytes(file.read(), patches)) if patches else file
        pictures = pillow_heif.open_heif(stream, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    if not len(pictures):
        raise ValueError("it holds no picture that can be decoded")
    return pictures


@contextmanager
def _heif_errors() -> Iterator[None]:
    """What goes wrong in pillow-heif as the errors that all readers raise."""
    try:
        yield
    except (EOFError, SyntaxError, RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())
        # a file that asks for more than libheif allows: no lack of memory here
        raise ValueError(
            message.replace("Memory allocation error: Security", "Security")
        ) from error
    except OSError as error:
        raise ValueError(f"out of memory: {error}") from error


def _split_mode(picture: HeifImage) -> tuple[str, int]:
    """The mode without its bits, and the bits per sample."""
    name, _, _ = picture.mode.partition(";")
    return name, int(picture.info["bit_depth"])


def _find_frame_loss(pictures: HeifFile) -> Iterator[Loss]:
    if len(pictures) > 1:
        yield Loss("frames", f"one of the {len(pictures)} pictures in the file is used")


def _describe_heic(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    meta = read_metadata(image)
    packet, losses = _correct_xmp(meta.xmp)
    block = None if meta.exif is None else exif.reveal_tangled(meta.exif)
    resolution = exif.resolution_in(block)
    meta = replace(meta, exif=block, resolution=resolution, orientation=1, xmp=packet)
    file = contents.look()
    items = read_items(file)
    meta, more = take_map(meta, file, image, items, partial(_decode_primary, contents))
    return meta, losses + more


def _correct_xmp(packet: bytes | None) -> tuple[bytes | None, tuple[Loss, ...]]:
    """The packet of pixels that are upright, without what it says of data that is left out, which
    the account of the file names."""
    if packet is None:
        return None, ()
    try:
        return state_upright(retract_promises(packet)[0]), ()
    except ValueError as error:
        return None, (Loss("xmp", f"it refers to data that is left out, and {error}"),)


def _decode_heic(contents: FileContents) -> Iterator[Rows]:
    samples, name, bits = _decode_whole(contents)
    for top in range(0, len(samples), _HEIC_ROWS):
        rows = samples[top : top + _HEIC_ROWS]
        rows = _fill_scale(rows, bits)
        yield make_alpha_straight(rows) if name[-1] == "a" else rows


def _decode_whole(contents: FileContents, patches: Patches = NO_PATCHES) -> tuple[Rows, str, int]:
    """All rows of the primary picture as they are stored, their mode and their bits."""
    pictures = _open_pictures(contents, patches)
    picture = pictures[pictures.primary_index]
    with _heif_errors():
        samples = np.asarray(picture)
    name, bits = _split_mode(picture)
    return samples.reshape(*samples.shape[:2], _CHANNELS[name]), name, bits


def _decode_primary(contents: FileContents, patches: Patches) -> Rows:
    """The samples of the picture that the file has with these changes."""
    samples, _, bits = _decode_whole(contents, patches)
    return _fill_scale(samples, bits)


def _fill_scale(samples: Rows, bits: int) -> Rows:
    """10 or 12 bits as 16 whose white is 65535."""
    if bits == 8:
        return samples
    white = (1 << bits) - 1
    return ((samples.astype(np.uint32) * 65535 + white // 2) // white).astype(np.uint16)


def _save_heic(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    import pillow_heif

    image = turn_upright(image, task.header.metadata.orientation)
    samples, bits = image.numpy(), task.depth
    samples = samples.reshape(image.height, image.width, image.bands)
    if image.bands < 3:
        samples = samples[..., [0, 0, 0, 1][: image.bands + 2]]
    if bits > 8:
        samples = samples >> (16 - bits)
    stream = io.BytesIO()
    mode = ("RGB", "RGBA")[samples.shape[-1] == 4] + ("" if bits == 8 else f";{bits}")
    with _heif_errors():
        pillow_heif.encode(
            mode,
            (image.width, image.height),
            np.ascontiguousarray(samples).tobytes(),
            stream,
            bit_depth=bits,
            **_choose_coding(task),
            **_choose_metadata(image, task),
        )
    target.take(stream.getvalue())


def _choose_coding(task: EncodeTask) -> dict[str, object]:
    """How x265 codes: red, green and blue as they are without loss, else YCbCr (BT.601)."""
    options = task.options
    quality = HEIC_QUALITY if options.quality is None else options.quality
    full = options.lossless or quality >= FULL_CHROMA_QUALITY
    effort = HEIC_EFFORT if options.effort is None else options.effort
    return {
        "quality": -1 if options.lossless else quality,
        "chroma": 444 if full else 420,
        "matrix_coefficients": 0 if options.lossless else 6,
        "enc_params": {"preset": _PRESETS[effort]},
    } | _name_heic_colours(task)


def _name_heic_colours(task: EncodeTask) -> dict[str, object]:
    """The code points that the profile carries, where it carries some."""
    points = coding_points_in(task.header.metadata.icc)
    if points is None:
        return {}
    return {
        "color_primaries": points.primaries,
        "transfer_characteristics": points.transfer,
    }


def _choose_metadata(image: VipsImage, task: EncodeTask) -> dict[str, object]:
    meta, block = task.header.metadata, task.upright_exif_block()
    points = coding_points_in(meta.icc)
    is_hdr = points is not None and points.hdr  # readers would take the profile instead
    fields = {
        "exif": block,
        "xmp": meta.xmp and state_upright(meta.xmp),
        "icc_profile": None if is_hdr else get_blob(image, "icc-profile-data"),
    }
    return {name: value for name, value in fields.items() if value is not None}


HEIC = Format(
    name="HEIC",
    suffixes=(".heic", ".heif", ".hif"),
    recognize=is_heic,
    capacity=Capacity(
        depth=HEIC_MAX_DEPTH,
        alpha="full",
        grey=False,
        animation="none",
        max_side=16_384,
        coding_points=True,
        exif_header=True,
    ),
    reader=FormatReader(
        load=_load_heic,
        describe=_describe_heic,
        decode=_decode_heic,
        parts=list_box_parts,
        bit_depth=lambda image: get_number(image, "bits-per-sample", 16),
        pixel_bytes=11,
    ),
    # lossy alpha would be a little less than opaque
    writer=FormatWriter(
        save=_save_heic,
        options=frozenset({"quality", "lossless", "effort"}),
        drops_opaque_alpha=True,
        pixel_bytes=70,
    ),
    package="pillow_heif",
)
