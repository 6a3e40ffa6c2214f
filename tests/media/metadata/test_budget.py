"""What reading a block costs: no more fields and bytes than fit into it side by side."""

import struct
import zlib
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steps import count_steps
from subpixel.media.metadata import exif, tags
from subpixel.media.metadata.budget import Budget, NoRoomError, inflate
from subpixel.media.metadata.exif import DirectoryReader, Field

POINTERS = (0x8769, 0x8825, 0xA005)
VALUES = (0x010E, 0x927C, 0x02BC, 0x83BB, 40000)


def put_directory(
    block: bytearray, at: int, entries: list[tuple[int, int, int, int]], following: int, order: str
) -> None:
    """A classic directory at an offset: tag, kind, count and value or offset of each field."""
    data = struct.pack(order + "H", len(entries))
    data += b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    data += struct.pack(order + "I", following)
    block[at : at + len(data)] = data[: len(block) - at]


def self_pointing(count: int, tag: int = 0x8769) -> bytes:
    """A directory all of whose fields say that it is their directory."""
    block = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(12 * count + 6))
    put_directory(block, 8, [(tag, 4, 1, 8)] * count, 8, "<")
    return bytes(block)


def mutual(count: int) -> bytes:
    """Two directories; all fields of each name the other."""
    second = 8 + 12 * count + 6
    block = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(2 * (12 * count + 6)))
    put_directory(block, 8, [(0x8769, 4, 1, second)] * count, second, "<")
    put_directory(block, second, [(0xA005, 4, 1, 8)] * count, 8, "<")
    return bytes(block)


def overlapping(count: int) -> bytes:
    """Fields that name a directory each, which overlap: each claims all that follows."""
    size = 8 + 12 * count + 6 + 12 * count
    block = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(size - 8))
    start = 8 + 12 * count + 6
    places = [start + 2 * i for i in range(count)]
    put_directory(block, 8, [(0x8769, 4, 1, place) for place in places], 0, "<")
    for place in places:
        struct.pack_into("<H", block, place, (size - place - 6) // 12)
    return bytes(block)


def overlapping_values(count: int) -> bytes:
    """Fields each of which claims nearly the whole block as its value."""
    size = 8 + 12 * count + 6
    block = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(size - 8))
    put_directory(block, 8, [(0x927C, 7, size - 8, 8)] * count, 0, "<")
    return bytes(block)


Bomb = Callable[[int], bytes]

BOMBS: list[Bomb] = [self_pointing, mutual, overlapping, overlapping_values]


@st.composite
def tangled_blocks(draw: st.DrawFn) -> bytes:
    """Directories at any offsets, whose fields name one another and claim any bytes."""
    order: Literal["<", ">"] = draw(st.sampled_from(["<", ">"]))
    size = draw(st.integers(30, 600))
    places = draw(st.lists(st.integers(8, size - 6), min_size=1, max_size=6))
    block = bytearray(size)
    block[:8] = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, places[0])
    pointer = st.tuples(
        st.sampled_from(POINTERS), st.just(4), st.integers(1, 3), st.sampled_from(places)
    )
    value = st.tuples(
        st.sampled_from(VALUES),
        st.sampled_from([1, 2, 3, 4, 5, 7, 12]),
        st.integers(0, size),
        st.integers(0, size),
    )
    for place in places:
        entries = draw(st.lists(pointer | value, max_size=12))
        put_directory(block, place, entries, draw(st.sampled_from([0, *places])), order)
    return bytes(block)


def walk(fields: tuple[Field, ...]) -> list[Field]:
    return [inner for f in fields for inner in (f, *walk(f.children))]


def outer_bytes(fields: list[Field]) -> tuple[int, int]:
    """Of values that stand elsewhere than in their fields, and of blocks that may be shared, each
    once: these may lie over the others."""
    shared = {(f.start, len(f.value)) for f in fields if f.tag in tags.BLOCKS}
    own = [len(f.value) for f in fields if f.tag not in tags.BLOCKS]
    return sum(n for n in own if n > 4), sum(n for _, n in shared if n > 4)


@given(tangled_blocks())
def test_fields_and_bytes_fit_into_the_block(block: bytes) -> None:
    layout = exif.layout_of(block)
    assert layout is not None
    reader = DirectoryReader(block, layout)
    fields = walk(reader.read(exif.first_offset(block, layout), depth=2)[0])
    assert 12 * len(fields) <= len(block)
    assert max(outer_bytes(fields)) <= len(block)
    assert len({field.at for field in fields}) >= len(fields) // 2 or len(fields) < 8


@given(tangled_blocks())
def test_what_is_made_of_a_block_is_of_its_size(block: bytes) -> None:
    new = exif.adjust_block(block, width=9, height=7, orientation=6, resolution=(11.8, 11.8))
    assert new is not None
    assert len(new) <= 2 * len(block) + 200
    for order in ("<", ">"):
        fields = exif.descriptive_fields(block, order)  # type: ignore[arg-type]
        assert len(exif.build_block(fields, order)) <= 3 * len(block) + 200  # type: ignore[arg-type]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_twice_the_size_is_twice_the_work(bomb: Bomb) -> None:
    def work(block: bytes) -> int:
        def read() -> None:
            exif.adjust_block(block, width=9, height=7, orientation=6)
            exif.fields_left_out(block)
            exif.count_further_directories(block)
            exif.descriptive_fields(block, ">")

        return count_steps(read)

    small, large = work(bomb(40)), work(bomb(400))
    assert large <= 12 * small


@pytest.mark.parametrize("bomb", BOMBS)
def test_libexif_is_not_shown_a_bomb(bomb: Bomb) -> None:
    for prefix in (b"", exif.EXIF_PREFIX):
        hidden = exif.hide_tangled(prefix + bomb(50), 100)
        assert list(hidden) == [100 + len(prefix)]
    changed = b"\0\0" + bomb(50)[2:]
    assert exif.reveal_tangled(changed) == bomb(50)


def test_a_plain_block_is_shown() -> None:
    block = exif.build_block(exif.resolution_fields((2.8, 2.8), "<"), "<")
    assert exif.hide_tangled(block, 0) == {}
    assert exif.reveal_tangled(block) == block


def test_pages_may_share_a_profile() -> None:
    """Each of ten pages names the same bytes as its profile: they count once."""
    profile, pages = bytes(1000), 10
    block = bytearray(b"II*\0" + struct.pack("<I", 1008) + profile)
    for number in range(pages):
        at = len(block)
        block += bytes(18)
        following = at + 18 if number + 1 < pages else 0
        put_directory(block, at, [(tags.PROFILE, 7, 1000, 8)], following, "<")
    layout = exif.layout_of(bytes(block))
    assert layout is not None
    reader, offset = DirectoryReader(bytes(block), layout), 1008
    for _ in range(pages):
        (field,), offset = reader.read(offset, depth=2)
        assert len(field.value) == 1000
    assert offset == 0


class TestInflate:
    @given(st.binary(max_size=4000), st.integers(0, 5000), st.integers(0, 5000))
    def test_no_more_than_has_room(self, data: bytes, room: int, most: int) -> None:
        budget = Budget(bytes=room)
        try:
            whole = inflate(zlib.compress(data), budget, most)
        except NoRoomError:
            assert len(data) >= room
        except EOFError:
            assert len(data) > most
        else:
            assert whole == data
            assert len(data) <= min(room, most)
        assert 0 <= budget.bytes <= room

    def test_damage_behind_a_bomb_counts(self) -> None:
        """What unfolds before the damage is work too."""
        bomb = zlib.compress(bytes(1 << 20))[:-4] + b"\0\0\0\0"
        budget = Budget()
        before = budget.bytes
        with pytest.raises(zlib.error):
            inflate(bomb, budget, 1 << 24)
        assert before - budget.bytes >= 1 << 19

    def test_what_is_cut_off(self) -> None:
        with pytest.raises(EOFError):
            inflate(zlib.compress(b"x" * 1000)[:-6], Budget(), 5000)
