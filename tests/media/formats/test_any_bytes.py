"""Each parser alone, given sound bytes that were changed by chance: ValueError, or nothing."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from file_contents import contents_of
from samples import SRGB, XMP, exif_block
from subpixel.media.compression.av1_sequence import read_colour_description
from subpixel.media.compression.jpeg_tables import read_luma_table
from subpixel.media.compression.vp8 import read_quantizer
from subpixel.media.formats.account import collect_losses
from subpixel.media.formats.boxes.box_account import list_box_parts
from subpixel.media.formats.boxes.box_colour import describe_colours
from subpixel.media.formats.boxes.items import read_items
from subpixel.media.formats.gif.blocks import list_gif_parts
from subpixel.media.formats.gif.gif_disposal import clear_as_browsers
from subpixel.media.formats.jpeg.description import describe_head
from subpixel.media.formats.jpeg.mending import mend_jpeg
from subpixel.media.formats.jpeg.parts import list_jpeg_parts
from subpixel.media.formats.jpeg.segments import read_head
from subpixel.media.formats.jpeg.ultra_hdr import find_gain_map
from subpixel.media.formats.jpeg_xl.codestream import parse_header
from subpixel.media.formats.jpeg_xl.container import list_parts, read_codestream_head
from subpixel.media.formats.plain.bmp import read_bmp_header
from subpixel.media.formats.plain.netpbm import read_header
from subpixel.media.formats.png.animation import read_animation
from subpixel.media.formats.png.chunks import list_png_parts
from subpixel.media.formats.png.colour import read_colour
from subpixel.media.formats.png.text import Texts
from subpixel.media.formats.tiff.directories import read_directories
from subpixel.media.formats.tiff.fields import PageReader, list_field_parts
from subpixel.media.formats.tiff.pages import choose_pages, kind_of, name_other_pages
from subpixel.media.formats.tiff.raw import name_raw
from subpixel.media.formats.tiff.stored.codecs import plan_strips
from subpixel.media.formats.tiff.stored.planes import split_planes
from subpixel.media.formats.tiff.stored.samples import plan_samples
from subpixel.media.formats.webp.riff import list_webp_parts
from subpixel.media.image_file import encode_picture
from subpixel.media.metadata import exif, icc, iptc
from subpixel.media.metadata.budget import Budget
from subpixel.media.metadata.colour_tags import coding_points_in
from subpixel.media.metadata.xmp import xmp, xmp_extension
from subpixel.media.picture import Metadata, Picture

MUTANTS = 150


def encode(suffix: str, frames: int = 1) -> bytes:
    samples = np.random.default_rng(1).integers(0, 255, (frames, 12, 16, 3)).astype(np.uint8)
    delays = (50,) * frames if frames > 1 else ()
    meta = Metadata(SRGB, exif_block(), XMP, resolution=(2.8, 2.8), delays_ms=delays)
    return encode_picture(Picture(samples, meta), f"a{suffix}")


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, left out, doubled or cut off, most of them near the beginning."""
    copy = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 12))):
        at = chance.randrange(max(1, min(len(copy), chance.choice((32, 300, 1 << 20)))))
        kind = chance.randrange(6)
        if kind == 0:
            copy[at : at + 4] = chance.choice(
                (b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\1")
            )
        elif kind == 1:
            del copy[at : at + chance.randrange(1, 20)]
        elif kind == 2:
            copy[at:at] = copy[max(0, at - 20) : at]
        elif kind == 3 and chance.random() < 0.3:
            del copy[at:]
        else:
            copy[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(copy)


def read_exif(block: bytes) -> None:
    exif.adjust_block(block, width=70000, height=3, orientation=8, resolution=(1.0, 9e5))
    exif.fields_left_out(block)
    exif.count_further_directories(block)
    exif.resolution_in(block)
    exif.has_maker_note(block)
    for order in ("<", ">"):
        exif.build_block(exif.descriptive_fields(block, order), order)  # type: ignore[arg-type]


def read_tiff(data: bytes) -> None:
    tiff = read_directories(data)
    name_raw(tiff)
    pages = choose_pages(tiff)
    list(name_other_pages(tiff, pages))
    collect_losses(list_field_parts(pages))
    for page in pages:
        PageReader(Budget()).describe(page)
        for plan in (plan_strips, split_planes):
            try:
                plan(page)
            except ValueError:
                continue
        plan_samples(page, kind_of(page))


def read_boxes(data: bytes) -> None:
    items = read_items(data)
    describe_colours(data, items, grey=False)
    collect_losses(list_box_parts(contents_of(data)))


def read_jpeg(data: bytes) -> None:
    stream = io.BytesIO(data)
    segments, is_complete = read_head(stream)
    describe_head(segments, is_complete)
    find_gain_map(contents_of(data), segments)
    collect_losses(list_jpeg_parts(stream))
    read_luma_table((s.marker, s.data) for s in segments)
    for ends_itself in (True, False):
        mend_jpeg(data, ends_itself=ends_itself)


def read_png(data: bytes) -> None:
    stream = io.BytesIO(data)
    collect_losses(list_png_parts(stream))
    read_colour(stream, grey=False)
    read_animation(stream)


def read_gif(data: bytes) -> None:
    clear_as_browsers(data)
    collect_losses(list_gif_parts(io.BytesIO(data)))


def read_webp(data: bytes) -> None:
    collect_losses(list_webp_parts(io.BytesIO(data)))
    read_quantizer(io.BytesIO(data))


def read_profile(data: bytes) -> None:
    icc.repair_length(data)
    icc.reject_cmyk_profile(data)
    icc.find_tag(data, b"rXYZ")
    coding_points_in(data)


def read_iptc(data: bytes) -> None:
    block = iptc.join_segments([data[:40], data[40:]])
    iptc.split_resources(block or b"")
    iptc.join_resources(data, data)


def read_packet(data: bytes) -> None:
    xmp.retract_promises(data)
    xmp_extension.can_split(data, len(data) - 10)
    xmp_extension.join_extension(data, [])


def read_texts(data: bytes) -> None:
    for name in (b"tEXt", b"zTXt", b"iTXt"):
        Texts().add(name, data)


def read_jxl(data: bytes) -> None:
    stream = io.BytesIO(data)
    collect_losses(list_parts(stream))
    parse_header(read_codestream_head(stream))


MAP = (
    f'<r:RDF xmlns:r="{xmp.RDF}"><r:Description xmlns:C="http://ns.google.com/photos/1.0/container/"'
    ' xmlns:I="http://ns.google.com/photos/1.0/container/item/" xmlns:n="http://ns.adobe.com/xmp/note/"'
    ' n:HasExtendedXMP="AB"><C:Directory><r:Seq><r:li><C:Item I:Semantic="GainMap"/></r:li></r:Seq>'
    "</C:Directory></r:Description></r:RDF>"
).encode()
RESOURCES = b"8BIM\4\x04\0\0\0\0\0\5\x1c\2\5\0\0\0" + b"8BIM\4\x05\3abc\0\0\0\2xy"

PARSERS: list[tuple[str, Callable[[], bytes], Callable[[bytes], object]]] = [
    ("exif", exif_block, read_exif),
    ("icc", lambda: SRGB, read_profile),
    ("iptc", lambda: RESOURCES, read_iptc),
    ("xmp", lambda: MAP, read_packet),
    ("text", lambda: b"key\0\0\0\0\0" + zlib.compress(b"text"), read_texts),
    ("jpeg", lambda: encode(".jpg"), read_jpeg),
    ("jpeg without end", lambda: encode(".jpg")[:-2], read_jpeg),
    ("png", lambda: encode(".png", frames=2), read_png),
    ("gif", lambda: encode(".gif", frames=2), read_gif),
    ("webp", lambda: encode(".webp"), read_webp),
    ("tiff", lambda: encode(".tif", frames=2), read_tiff),
    ("avif", lambda: encode(".avif"), read_boxes),
    ("av1", lambda: bytes.fromhex("0a0b00000024c4ffdf3f8080"), read_colour_description),
    ("jxl", lambda: b"\xff\x0a" + bytes.fromhex("fa1f4191082b0112300090"), read_jxl),
    ("bmp", lambda: encode(".bmp"), lambda data: read_bmp_header(io.BytesIO(data))),
    ("ppm", lambda: encode(".ppm"), lambda data: read_header(contents_of(data))),
    ("pam", lambda: encode(".pam"), lambda data: read_header(contents_of(data))),
]


def list_mutants(data: bytes, count: int) -> Iterator[bytes]:
    chance = random.Random(20261130)
    return (mutate(data, chance) for _ in range(count))


@pytest.mark.parametrize(("make", "read"), [p[1:] for p in PARSERS], ids=[p[0] for p in PARSERS])
def test_nothing_but_value_errors(
    make: Callable[[], bytes], read: Callable[[bytes], object]
) -> None:
    for mutant in list_mutants(make(), MUTANTS):
        try:
            read(mutant)
        except ValueError:
            continue


def test_masks_of_more_bits_than_a_pixel_has() -> None:
    """NumPy has no such number of 16 bits."""
    head = struct.pack("<2sI4xI", b"BM", 1000, 70)
    info = struct.pack("<IiiHHIIiiII", 56, 2, 2, 1, 16, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0)
    with pytest.raises(ValueError, match="beyond the 16"):
        read_bmp_header(io.BytesIO(head + info + masks + bytes(100)))


def test_a_frame_without_sampling() -> None:
    """A JPEG whose components have no samples, and whose end is missing."""
    data = bytearray(encode(".jpg")[:-2])
    frame = bytes(data).index(b"\xff\xc0")
    data[frame + 11] = 0
    mend_jpeg(bytes(data), ends_itself=True)
