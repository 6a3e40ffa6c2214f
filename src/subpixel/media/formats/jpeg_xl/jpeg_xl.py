"""JPEG XL: a codestream, alone or in boxes with metadata.

The package pillow-jxl-plugin decodes and encodes, the whole picture at once. It gives 16 bits of
grey and 8 of colour, and writes no colour profile. Pixels go out upright. A JPEG that was packed
into JPEG XL comes out as the JPEG that it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyvips

from subpixel.media.formats.account import FilePart
from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.formats.jpeg_xl import container
from subpixel.media.formats.jpeg_xl.codestream import (
    CODESTREAM_SIGNATURE,
    ImageHeader,
    parse_header,
)
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    build_header,
    get_number,
    set_blob,
    turn_upright,
)
from subpixel.media.metadata import exif, icc
from subpixel.media.metadata.budget import Budget
from subpixel.media.metadata.xmp.xmp import state_upright
from subpixel.media.picture import Loss, Metadata, Rows, make_alpha_straight

JPEG_XL_QUALITY = 90
JPEG_XL_EFFORT = 3
"""The encoder's own are 1 to 10, ours 0 to 9."""

ALL_CORES = -1

_JPEG_XL_ROWS = 256
"""Decoded rows that are converted at a time."""


def _load(contents: FileContents, _fail_on: Strictness) -> VipsLoad:
    header, is_jpeg = _read_image_header(contents)
    shape = (1, header.height, header.width, _count_channels(header))
    if header.orientation >= 5 and not is_jpeg:
        shape = (1, header.width, header.height, shape[3])
    return build_header(shape, _count_bits(header)), tuple(_find_losses(header))


def _read_image_header(contents: FileContents) -> tuple[ImageHeader, bool]:
    """The picture's header, and whether it is a JPEG that was packed."""
    with contents.stream() as stream:
        header = parse_header(container.read_codestream_head(stream))
        is_jpeg = any(
            box.name == container.JPEG_DATA for box in container.walk_jpeg_xl_boxes(stream)
        )
    if header.is_float:
        raise ValueError("its samples are floating-point; save it with 8 or 16 bits per sample")
    return header, is_jpeg


def _count_channels(header: ImageHeader) -> int:
    return (1 if header.grey else 3) + header.has_alpha


def _count_bits(header: ImageHeader) -> int:
    """Bits per sample as they are decoded."""
    return min(max(header.bits, 8), 16) if header.grey else 8


def _find_losses(header: ImageHeader) -> Iterator[Loss]:
    if header.is_animated:
        yield Loss("frames", "an animation; its first frame is used")
    if header.bits > _count_bits(header):
        yield Loss(
            "bit depth",
            f"{header.bits} bits per sample are cut to {_count_bits(header)} by the decoder",
        )
    if header.extra_channels:
        yield Loss("channels", f"{header.extra_channels} beside colours and alpha are left out")


def _describe_jpeg_xl(
    contents: FileContents, image: VipsImage
) -> tuple[Metadata, tuple[Loss, ...]]:
    header, is_jpeg = _read_image_header(contents)
    losses: tuple[Loss, ...] = ()
    if not header.is_srgb:  # only decoding tells the profile
        losses = _set_jpeg_xl_profile(image, contents, header)
    budget = Budget()
    with contents.stream() as stream:
        block, unread = container.read_block(stream, container.EXIF, budget)
        packet, unread_too = container.read_block(stream, container.XMP, budget)
    block = container.strip_exif_offset(block)
    meta = Metadata(exif=block, xmp=packet, resolution=exif.resolution_in(block))
    if is_jpeg:
        meta = replace(meta, orientation=exif.orientation_in(block))
    elif packet is not None:
        meta = replace(meta, xmp=state_upright(packet))
    return meta, losses + unread + unread_too


def _set_jpeg_xl_profile(
    image: VipsImage, contents: FileContents, header: ImageHeader
) -> tuple[Loss, ...]:
    """Set the profile of the samples that the decoder gives, and say where those are coarse."""
    profile = _run_decoder(contents)[1]
    if profile:
        set_blob(image, "icc-profile-data", profile)
    if not header.is_converted or _count_bits(header) > 8 or not icc.is_linear(profile):
        return ()
    reason = (
        "the decoder can't convert to the embedded profile, and gives linear light in 8 bits: "
        "shadows are coarser"
    )
    return (Loss("bit depth", reason),)


def _run_decoder(contents: FileContents) -> tuple[bytes, bytes, bool]:
    """Samples, or a JPEG; the colour profile; and whether it is a JPEG."""
    from pillow_jxl import Decoder

    with _codec_errors(), contents.stream() as stream:
        is_jpeg, _, data, profile, _ = Decoder(num_threads=ALL_CORES)(
            container.read_for_decoder(stream)
        )
    return data, profile or b"", is_jpeg


_NO_REASON = "Generic Error"
"""Of libjxl, which goes on with advice on how to build it."""


@contextmanager
def _codec_errors() -> Iterator[None]:
    """What goes wrong in pillow-jxl-plugin as the errors that all formats raise."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise ValueError("the data is damaged" if said.startswith(_NO_REASON) else said) from error


def _decode(contents: FileContents) -> Iterator[Rows]:
    header, _ = _read_image_header(contents)
    data, _, is_jpeg = _run_decoder(contents)
    if is_jpeg:
        samples = pyvips.Image.jpegload_buffer(data, fail_on="error").numpy()
        yield samples.reshape(*samples.shape[:2], -1)
        return
    height, width = header.height, header.width
    if header.orientation >= 5:
        height, width = width, height
    dtype = np.uint8 if _count_bits(header) == 8 else np.uint16
    shape = (height, width, _count_channels(header))
    if len(data) != np.dtype(dtype).itemsize * shape[0] * shape[1] * shape[2]:
        raise ValueError(f"its decoder gave {len(data):,} bytes for a picture of {shape}")
    samples = np.frombuffer(data, dtype).reshape(shape)
    for top in range(0, height, _JPEG_XL_ROWS):
        rows = samples[top : top + _JPEG_XL_ROWS]
        yield make_alpha_straight(rows) if header.premultiplied else rows


def _list_jpeg_xl_parts(contents: FileContents) -> Iterator[FilePart]:
    with contents.stream() as stream:
        yield from container.list_parts(stream)


def _save(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    from pillow_jxl import Encoder

    options, meta, block = task.options, task.header.metadata, task.upright_exif_block()
    image = turn_upright(image, meta.orientation)
    quality = JPEG_XL_QUALITY if options.quality is None else options.quality
    effort = JPEG_XL_EFFORT if options.effort is None else options.effort
    lossless = options.lossless or quality == 100  # which stands for no error at all
    with _codec_errors():
        encode = Encoder(
            mode=("L", "LA", "RGB", "RGBA")[image.bands - 1],
            lossless=lossless,
            quality=100.0 if lossless else float(quality),
            decoding_speed=0,
            effort=effort + 1,
            use_container=block is not None or meta.xmp is not None,
            use_original_profile=lossless,
            num_threads=ALL_CORES,
        )
        data = encode(
            bytes(image.write_to_memory()),
            image.width,
            image.height,
            jpeg_encode=False,
            exif=None if block is None else bytes(4) + block,
            xmp=None if meta.xmp is None else state_upright(meta.xmp),
            jumb=None,
            compress=False,
        )
    target.take(data)


def _recognize_jpeg_xl(head: bytes) -> bool:
    return head[:2] == CODESTREAM_SIGNATURE or head[:12] == container.CONTAINER_SIGNATURE


JPEG_XL = Format(
    name="JPEG XL",
    suffixes=(".jxl",),
    recognize=_recognize_jpeg_xl,
    capacity=Capacity(depth=8, alpha="full", grey=True, animation="none", icc=False),
    reader=FormatReader(
        load=_load,
        describe=_describe_jpeg_xl,
        decode=_decode,
        parts=_list_jpeg_xl_parts,
        bit_depth=lambda image: get_number(image, "bits-per-sample", 16),
        pixel_bytes=12,
    ),
    writer=FormatWriter(
        save=_save, options=frozenset({"quality", "lossless", "effort"}), pixel_bytes=40
    ),
    package="pillow_jxl",
)
