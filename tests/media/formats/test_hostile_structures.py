"""Files whose parts lie about themselves: eight times as many take about eight times the steps."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from file_contents import contents_of
from steps import count_steps
from subpixel.errors import PictureError
from subpixel.media.formats.account import collect_losses
from subpixel.media.formats.boxes.box_account import list_box_parts
from subpixel.media.formats.boxes.box_colour import find_coding_points
from subpixel.media.formats.boxes.items import read_items
from subpixel.media.formats.gif.blocks import list_gif_parts
from subpixel.media.formats.gif.gif_disposal import clear_as_browsers
from subpixel.media.formats.jpeg.description import describe_head
from subpixel.media.formats.jpeg.mending import mend_jpeg
from subpixel.media.formats.jpeg.parts import list_jpeg_parts
from subpixel.media.formats.jpeg.segments import read_head
from subpixel.media.formats.jpeg.ultra_hdr import find_gain_map
from subpixel.media.formats.jpeg_xl.container import list_parts, read_codestream_head
from subpixel.media.formats.plain.netpbm import read_header
from subpixel.media.formats.png.animation import read_animation
from subpixel.media.formats.png.chunks import SIGNATURE, build_chunk, list_png_parts
from subpixel.media.formats.png.colour import read_colour
from subpixel.media.formats.tiff.directories import read_directories
from subpixel.media.formats.tiff.fields import list_field_parts
from subpixel.media.formats.tiff.pages import choose_pages, name_other_pages
from subpixel.media.formats.webp.riff import list_webp_parts
from subpixel.media.image_file import open_picture
from subpixel.media.metadata import iptc
from subpixel.media.metadata.xmp.xmp import RDF, retract_promises
from subpixel.media.metadata.xmp.xmp_extension import split_extension

MAX_STEPS_PER_BYTE = 60
"""Of parsers that take about 10, several of them in turn."""

Make = Callable[[int], bytes]
Read = Callable[[bytes], object]


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def meta(*boxes: bytes) -> bytes:
    return box(b"ftyp", b"avif" + bytes(4)) + box(b"meta", bytes(4) + b"".join(boxes))


def entries(numbers: list[int], kind: bytes) -> bytes:
    infes = [box(b"infe", b"\2\0\0\0" + struct.pack(">HH", n, 0) + kind + b"\0") for n in numbers]
    return box(b"iinf", bytes(4) + struct.pack(">H", len(infes)) + b"".join(infes))


def references(kind: bytes, source: int, targets: list[int]) -> bytes:
    return box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))


def many_data_items(n: int) -> bytes:
    """Items that describe the picture, and as many references of each."""
    refs = [references(b"cdsc", i, [0]) for i in range(n)]
    return meta(entries(list(range(n)), b"Exif"), box(b"iref", bytes(4) + b"".join(refs)))


def many_tone_maps(n: int) -> bytes:
    """Items that are all derived from all."""
    refs = [references(b"dimg", i, [(i + 1) % n]) for i in range(n)]
    return meta(entries(list(range(n)), b"tmap"), box(b"iref", bytes(4) + b"".join(refs)))


def one_item_of_many_properties(n: int) -> bytes:
    """An item to which properties are given again and again, and which is defined as often."""
    uses = struct.pack(">I", n) + b"".join(struct.pack(">HB", 1, 9) + b"\1" * 9 for _ in range(n))
    properties = box(b"ipco", box(b"free", b"")) + box(b"ipma", bytes(4) + uses)
    return meta(entries([1] * n, b"av01"), box(b"iprp", properties))


def read_boxes(data: bytes) -> None:
    items = read_items(data)
    find_coding_points(data, items)
    collect_losses(list_box_parts(contents_of(data)))


def nested_directories(n: int) -> bytes:
    """Containers in containers, items in items, and elements in the innermost."""
    head = (
        f'<x xmlns:r="{RDF}" xmlns:C="http://ns.google.com/photos/1.0/container/">'
        + "<C:Directory>" * 20
        + "<r:li>" * 20
    )
    tail = "</r:li>" * 20 + "</C:Directory>" * 20 + "</x>"
    return (head + '<a b="c"/>' * n + tail).encode()


def many_namespaces(n: int) -> bytes:
    names = "".join(f' xmlns:n{i}="u{i}"' for i in range(n))
    texts = '<r:Description><a xmlns="b">text</a></r:Description>' * n
    return f'<r:RDF xmlns:r="{RDF}"{names}>{texts}</r:RDF>'.encode()


def split(packet: bytes) -> None:
    try:
        split_extension(packet, len(packet) // 2 + 600)
    except ValueError:
        return


def cleared_frames(n: int) -> bytes:
    """Frames without transparency, each of which asks that its place be cleared."""
    frame = b"\x21\xf9\4\x08\1\0\0\0" + b"\x2c" + struct.pack("<4HB", 0, 0, 8, 8, 0) + b"\2\1\x44\0"
    return b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6) + frame * n + b";"


def many_sub_blocks(n: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0)
    return head + b"\x21\xfe" + b"\1x" * n + b"\0;"


def read_gif(data: bytes) -> None:
    clear_as_browsers(data)
    collect_losses(list_gif_parts(io.BytesIO(data)))


def small_chunks(n: int) -> bytes:
    return SIGNATURE + b"".join(build_chunk(b"abCd", b"") for _ in range(n))


def palettes(n: int) -> bytes:
    chunks = [build_chunk(b"PLTE", bytes(3))] * n + [build_chunk(b"acTL", bytes(8))]
    return SIGNATURE + b"".join(chunks)


def read_png(data: bytes) -> None:
    stream = io.BytesIO(data)
    collect_losses(list_png_parts(stream))
    read_colour(stream, grey=False)
    try:
        read_animation(stream)
    except ValueError:
        return


def stray_bytes(n: int) -> bytes:
    """A byte that belongs to nothing behind each segment."""
    return b"\xff\xd8" + b"\xff\xe3\0\2x" * n + b"\xff\xd9"


def many_scans(n: int) -> bytes:
    return b"\xff\xd8" + b"\xff\xda\0\x0a\2\1\0\2\0\0\x3f\0ab" * n + b"\xff\xd9"


def film_behind(n: int) -> bytes:
    return b"\xff\xd8\xff\xd9" + box(b"ftyp", b"") + box(b"free", b"") * n


def same_map(n: int) -> bytes:
    """The same picture behind the picture, of many segments, is listed many times."""
    listed = b"".join(struct.pack(">IIIHH", 0, 4 * n, 100, 0, 0) for _ in range(80))
    block = struct.pack(">2sHIH", b"MM", 42, 8, 1)
    block += struct.pack(">HHII", 0xB002, 7, len(listed), 26) + bytes(4) + listed
    segment = b"MPF\0" + block
    head = b"\xff\xd8\xff\xe2" + struct.pack(">H", len(segment) + 2) + segment
    return head + b"\xff\xd9" + bytes(60) + b"\xff\xd8" + b"\xff\xe3\0\2" * n


def read_jpeg(data: bytes) -> None:
    stream = io.BytesIO(data)
    segments, is_complete = read_head(stream)
    describe_head(segments, is_complete)
    find_gain_map(contents_of(data), segments)
    collect_losses(list_jpeg_parts(stream))
    mend_jpeg(data, ends_itself=False)


def tiny_resources(n: int) -> bytes:
    return b"8BIM\4\x04\0\0\0\0\0\1x\0" * n


def read_iptc(data: bytes) -> None:
    iptc.join_segments([data[at : at + 50] for at in range(0, len(data), 50)])


def tiny_riff(n: int) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + 8 * n) + b"WEBP" + b"ANMF\0\0\0\0" * n


def tiny_jxl_boxes(n: int) -> bytes:
    return b"\0\0\0\x0cJXL \r\n\x87\n" + (b"\0\0\0\x08jxlp" + b"\0\0\0\x02abcd") * n


def read_jxl(data: bytes) -> None:
    stream = io.BytesIO(data)
    read_codestream_head(stream)
    collect_losses(list_parts(stream))


def overlapping_pages(n: int) -> bytes:
    """Pages each of whose fields claims most of the file."""
    size = 8 + n * (2 + 4 * 12 + 4)
    block = bytearray(b"II*\0" + struct.pack("<I", 8))
    for page in range(n):
        block += struct.pack("<H", 4)
        for tag in (258, 270, 320, 338):
            block += struct.pack("<HHII", tag, 3, size // 2 - 8, 8)
        block += struct.pack("<I", len(block) + 4 if page + 1 < n else 0)
    return bytes(block)


def own_sub_directories(n: int) -> bytes:
    """SubIFDs that are their own, and each other's, parents."""
    first = 8 + 4 * n
    places = [first + 18 * i for i in range(n)]
    block = b"II*\0" + struct.pack("<I", first) + struct.pack(f"<{n}I", *places)
    return block + struct.pack("<HHHIII", 1, 330, 4, n, 8, 0) * n


def read_tiff(data: bytes) -> None:
    try:
        tiff = read_directories(data)
    except ValueError:
        return
    pages = choose_pages(tiff)
    list(name_other_pages(tiff, pages))
    collect_losses(list_field_parts(pages or tiff.pages))


CASES: list[tuple[Make, Read]] = [
    (many_data_items, read_boxes),
    (many_tone_maps, read_boxes),
    (one_item_of_many_properties, read_boxes),
    (nested_directories, retract_promises),
    (many_namespaces, split),
    (cleared_frames, read_gif),
    (many_sub_blocks, read_gif),
    (small_chunks, read_png),
    (palettes, read_png),
    (stray_bytes, read_jpeg),
    (many_scans, read_jpeg),
    (film_behind, read_jpeg),
    (same_map, read_jpeg),
    (tiny_resources, read_iptc),
    (tiny_riff, lambda data: collect_losses(list_webp_parts(io.BytesIO(data)))),
    (tiny_jxl_boxes, read_jxl),
    (overlapping_pages, read_tiff),
    (own_sub_directories, read_tiff),
]


@pytest.mark.parametrize(("make", "read"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_steps_grow_with_the_file(make: Make, read: Read) -> None:
    few, many = (count_steps(partial(read, make(number))) for number in (50, 400))
    assert many <= 1.5 * 8 * few
    assert many <= MAX_STEPS_PER_BYTE * len(make(400))


class CountingStream(io.BytesIO):
    """Counts what is read."""

    reads = 0
    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.reads += 1
        self.bytes_read += len(data)
        return data


_PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            *(b"\xff\xd8", b"\xff\xda\0\2", b"\xff\xe1\0\2", b"\xff\xd9", b"\xff\xff"),
            *(b"\0\0\0\0IDAT", b"\0\0\0\4fcTL", b"\xff\xff\xff\xffabcd", b"\0\0\0\0IEND"),
            *(b"\0\0\0\0PLTE", b"\x21\xfe", b"\x2c", b"\1x", b"\0", b"\x21\xff\x0bXMP DataXMP"),
            *(b";", b"ANMF\0\0\0\0", b"EXIF\2\0\0\0ab", b"\0\0\0\x08ftyp"),
            *(b"\0\0\0\1jxlp", b"\0\0\0\0free"),
        ]
    ),
)

WALKS: list[tuple[bytes, Callable[[io.BytesIO], object]]] = [
    (b"\xff\xd8", lambda stream: list(list_jpeg_parts(stream))),
    (SIGNATURE, lambda stream: list(list_png_parts(stream))),
    (b"GIF89a" + bytes(7), lambda stream: list(list_gif_parts(stream))),
    (b"RIFF\xff\xff\0\0WEBP", lambda stream: list(list_webp_parts(stream))),
    (b"\0\0\0\x0cJXL \r\n\x87\n", lambda stream: list(list_parts(stream))),
]


@pytest.mark.parametrize(("head", "walk"), WALKS, ids=["jpeg", "png", "gif", "webp", "jxl"])
@given(pieces=st.lists(_PIECES, max_size=60))
def test_a_walk_reads_each_part_a_few_times(
    head: bytes, walk: Callable[[io.BytesIO], object], pieces: list[bytes]
) -> None:
    stream = CountingStream(head + b"".join(pieces))
    walk(stream)
    size = len(stream.getvalue())
    assert stream.reads <= 4 * size + 20
    assert stream.bytes_read <= 40 * size + 200


@pytest.mark.parametrize("tail", [b"#" * 60_000, b"# " * 30_000, b" #a" * 20_000])
def test_a_header_of_comments_ends(tail: bytes) -> None:
    with pytest.raises(ValueError, match="cut off or damaged"):
        read_header(contents_of(b"P5 " + tail))


def test_a_picture_of_text_without_spaces_ends(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P3 4 4 255\n" + b"1" * (1 << 22))
    with pytest.raises(PictureError, match="no number"):
        list(open_picture(tmp_path / "a.ppm").chunks())


def test_json_nested_without_end_is_a_text() -> None:
    """Python's parser gives up with a RecursionError."""
    text = b'{"shape": ' + b"[" * 100_000
    block = b"II*\0" + struct.pack("<IHHHII", 8, 1, 270, 2, len(text), 26) + bytes(4) + text
    pages = read_directories(block).pages
    assert [part.loss for part in list_field_parts(pages)] == [None]


def test_a_colour_chunk_has_a_limit() -> None:
    """What iCCP unfolds to is cut off where it has no room, and no profile then."""
    bomb = b"icc\0\0" + zlib.compress(bytes(1 << 26))
    colour = read_colour(io.BytesIO(SIGNATURE + build_chunk(b"iCCP", bomb)), grey=False)
    assert colour.profile is None
    assert [loss.what for loss in colour.losses] == ["icc"]
