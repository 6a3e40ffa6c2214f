"""EXIF blocks patched in place; Pillow is the oracle, and damaged blocks never raise."""

import io
import struct
from fractions import Fraction

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from samples import THUMBNAIL, directory, exif_block, smooth
from subpixel.media.formats.tiff.directories import read_directories
from subpixel.media.formats.tiff.fields import PageReader
from subpixel.media.metadata import exif
from subpixel.media.metadata.budget import Budget

DIRECTORIES = (0x8769, 0x8825)
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


def extract_block(file: bytes) -> bytes | None:
    """The block that the first page of a TIFF file gives; None where there is none."""
    try:
        pages = read_directories(file).pages
    except ValueError:
        return None
    return PageReader(Budget()).describe(pages[0]).exif if pages else None


def pillow_fields(block: bytes) -> dict[tuple[int, int], object]:
    """Every field but the directories' offsets, as Pillow reads it: by directory and tag."""
    read = Image.Exif()
    read.load(b"Exif\0\0" + block)
    fields = {(0, tag): value for tag, value in read.items() if tag not in DIRECTORIES}
    for where in (*DIRECTORIES, 1):
        fields |= {(where, tag): value for tag, value in read.get_ifd(where).items()}
    return fields


@ORDERS
@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
@pytest.mark.parametrize("wanted", range(1, 9))
def test_only_what_must_change_changes(order: str, orientation: int | None, wanted: int) -> None:
    block = exif_block(order, orientation)
    new = exif.adjust_block(block, width=70_000, height=300, orientation=wanted)
    assert new is not None
    before, after = pillow_fields(block), pillow_fields(new)
    before = {key: value for key, value in before.items() if key[0] != 1}
    before[0x8769, 0xA002], before[0x8769, 0xA003] = 70_000, 300
    if orientation is not None or wanted != 1:
        before[0, 0x0112] = wanted
    assert after == before
    assert exif.orientation_in(new) == wanted
    assert THUMBNAIL not in new


@ORDERS
def test_what_stays_does_not_move(order: str) -> None:
    """A maker note's own offsets count from the block's start."""
    block = exif_block(order, None)
    new = exif.adjust_block(
        block, width=9, height=9, orientation=6, resolution=(300 / 25.4, 72 / 25.4)
    )
    assert new is not None
    assert new.index(b"Maker\0") == block.index(b"Maker\0")


@ORDERS
def test_resolution_is_set_or_added(order: str) -> None:
    block = exif_block(order)
    assert exif.resolution_in(block) is None
    stated = (300 / 25.4, 72.5 / 25.4)
    new = exif.adjust_block(block, width=1, height=1, orientation=6, resolution=stated)
    assert exif.resolution_in(new) == pytest.approx(stated)
    again = exif.adjust_block(new, width=1, height=1, orientation=6, resolution=stated)
    assert again == new


def test_a_block_is_only_made_when_it_has_something_to_say() -> None:
    assert exif.adjust_block(None, width=9, height=9, orientation=1) is None
    made = exif.adjust_block(None, width=9, height=9, orientation=8)
    assert made is not None
    assert pillow_fields(made) == {(0, 0x0112): 8}


def test_a_thumbnail_before_other_data_is_blanked() -> None:
    block = exif_block() + b"data that a maker note points to"
    new = exif.adjust_block(block, width=9, height=9, orientation=6)
    assert new is not None
    assert THUMBNAIL not in new
    assert new[block.index(THUMBNAIL) + len(THUMBNAIL) :] == b"data that a maker note points to"


@ORDERS
@pytest.mark.parametrize("target", ["<", ">"])
def test_into_a_tiff_and_back(order: str, target: str) -> None:
    """Values come through a change of byte order; tifffile is the second oracle."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, smooth(3)[0], byteorder=target, photometric="rgb")
    block = exif_block(order)
    exif.insert_fields(stream, [exif.descriptive_fields(block, target)])
    file = stream.getvalue()
    back = extract_block(file)
    assert back is not None
    before = {k: v for k, v in pillow_fields(block).items() if k[0] != 1}
    del before[0, 0x0112]  # the file's own
    assert before.items() <= pillow_fields(back).items()
    with tifffile.TiffFile(io.BytesIO(file)) as seen:
        assert (seen.asarray() == smooth(3)[0]).all()
        assert seen.pages.first.tags["Make"].value == "Acme"
        assert seen.pages.first.tags["ExifTag"].value["BodySerialNumber"] == "SN-001"


def test_exif_of_a_bigtiff() -> None:
    stream = io.BytesIO()
    tags = [(0x010F, 2, 0, "Acme", True)]
    tifffile.imwrite(stream, smooth(3)[0], bigtiff=True, photometric="rgb", extratags=tags)
    back = extract_block(stream.getvalue())
    assert back is not None
    assert pillow_fields(back)[0, 0x010F] == "Acme"


@given(block=st.binary(max_size=200))
def test_any_bytes_come_through(block: bytes) -> None:
    assert exif.adjust_block(block, width=9, height=9, orientation=1) is not None
    exif.orientation_in(block)
    exif.resolution_in(block)
    extract_block(block)


@given(
    order=st.sampled_from(["<", ">"]),
    at=st.integers(0, 460),
    junk=st.binary(min_size=1, max_size=6),
    orientation=st.integers(1, 8),
)
def test_damaged_blocks_come_through(order: str, at: int, junk: bytes, orientation: int) -> None:
    block = exif_block(order)
    damaged = block[:at] + junk + block[at + len(junk) :]
    exif.adjust_block(damaged, width=9, height=9, orientation=orientation, resolution=(3.0, 3.0))
    extract_block(damaged)
    exif.has_maker_note(damaged)


VALUES = st.one_of(
    st.tuples(st.just(1), st.binary(min_size=1, max_size=9)),
    st.tuples(st.just(7), st.binary(min_size=1, max_size=9)),
    st.tuples(st.just(2), st.text("abcXYZ 019", max_size=9).map(lambda t: t.encode() + b"\0")),
)


@given(
    entries=st.dictionaries(st.integers(0xC000, 0xFFFF), VALUES, max_size=8),
    size=st.tuples(st.integers(1, 1 << 20), st.integers(1, 1 << 20)),
    orientation=st.integers(1, 8),
    dpi=st.fractions(1, 5000, max_denominator=100),
)
def test_fields_keep_their_values(
    entries: dict[int, tuple[int, bytes]],
    size: tuple[int, int],
    orientation: int,
    dpi: Fraction,
) -> None:
    fields = [(tag, kind, len(value), value) for tag, (kind, value) in entries.items()]
    block = b"II*\0" + struct.pack("<I", 8) + directory(fields, 8, "<")
    new = exif.adjust_block(
        block,
        width=size[0],
        height=size[1],
        orientation=orientation,
        resolution=(float(dpi) / 25.4, float(dpi) / 25.4),
    )
    assert new is not None
    seen = {f.tag: (f.kind, bytes(f.value)) for f in exif.fields_of(new)}
    assert entries.items() <= seen.items()
    assert seen.keys() - entries.keys() <= {0x0112, 0x011A, 0x011B, 0x0128}
    assert exif.orientation_in(new) == orientation
    assert exif.resolution_in(new) == pytest.approx((float(dpi) / 25.4,) * 2)


def test_a_resolution_that_is_nonsense_is_none() -> None:
    """GLib would complain on stderr."""
    near, over = (exif.add_fields(exif_block("<"), exif.resolution_fields(r, "<")) for r in (
        (1000.0, 900_000.0), (1000.0, 2_000_000.0)))  # fmt: skip
    assert exif.resolution_in(near) == pytest.approx((1000, 900_000))
    assert exif.resolution_in(over) is None
