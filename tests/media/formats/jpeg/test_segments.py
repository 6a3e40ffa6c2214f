"""Segments of a JPEG, and what stands behind its end."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from insertions import JPEG, PROGRESSIVE, between_scans, film, segment, with_segments
from subpixel.media.formats.account import MAX_PARTS, FilePart
from subpixel.media.formats.jpeg import segments as jpeg_segments
from subpixel.media.formats.jpeg.parts import list_jpeg_parts
from subpixel.media.formats.jpeg.segments import EOI, SOS, STRAY, read_head, walk_segments
from subpixel.media.formats.jpeg.trailer import list_trailing_parts
from subpixel.media.image_file import open_picture


def markers(data: bytes) -> list[int]:
    return [s.marker for s in walk_segments(io.BytesIO(data), 0, 64)]


def losses(data: bytes) -> list[FilePart]:
    return [part for part in list_jpeg_parts(io.BytesIO(data)) if part.loss is not None]


def noisy(**options: object) -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("block", [2, 3, 7, 1 << 16])
@pytest.mark.parametrize(
    "options",
    [
        {"quality": 100},
        {"progressive": True},
        {"restart_marker_blocks": 1},
        {"restart_marker_rows": 1, "progressive": True},
    ],
    ids=str,
)
def test_scans_end_where_the_next_segment_begins(
    monkeypatch: pytest.MonkeyPatch, options: dict, block: int
) -> None:
    """Stuffed bytes and restarts are no segments; block ends fall anywhere."""
    data = noisy(**options)
    monkeypatch.setattr(jpeg_segments, "_SEARCH_BYTES", block)
    walked = list(walk_segments(io.BytesIO(data), 0, 64))
    assert walked[-1].marker == EOI
    assert walked[-1].end == len(data)
    names = [s.marker for s in walked]
    assert names.count(SOS) == (data.count(b"\xff\xda") if "progressive" in options else 1)
    assert STRAY not in names
    assert losses(data) == []


def test_fill_bytes_and_zeros_between_segments_say_nothing() -> None:
    at = JPEG.index(b"\xff\xdb")
    for fill in (b"\xff\xff\xff", b"\0\0", b"\0\xff"):
        assert losses(JPEG[:at] + fill + JPEG[at:]) == []


@pytest.mark.parametrize("cut", range(2, len(JPEG), 7))
def test_a_file_that_is_cut_off(cut: int) -> None:
    parts = list(list_jpeg_parts(io.BytesIO(JPEG[:cut])))
    assert sum(part.size for part in parts) <= cut


def test_segments_say_where_their_content_stands() -> None:
    data = with_segments(b"\0\0", segment(0xE9, b"content"))
    for part in walk_segments(io.BytesIO(data), 0, 64):
        assert data[part.at : part.end][:64] == part.data


def test_metadata_behind_padding_is_read(tmp_path: Path) -> None:
    """As decoders do, which skip what is no segment."""
    padded = with_segments(b"\0\0\0", segment(0xFE, b"here"))
    (tmp_path / "a.jpg").write_bytes(padded)
    header = open_picture(tmp_path / "a.jpg").header
    assert header.metadata.text == (("Comment", "here"),)
    assert header.losses == ()


def test_a_segment_between_scans_is_no_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(between_scans(segment(0xFE, b"late")))
    header = open_picture(tmp_path / "a.jpg").header
    assert header.metadata.text == ()
    assert "a comment of 4 bytes (behind the first scan)" in header.losses[0].why
    assert PROGRESSIVE.count(b"\xff\xda") > 2


def test_many_segments_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg_segments, "MAX_HEAD", 500)
    data = with_segments(*[segment(0xE5, b"x" * 96)] * 9)
    read, is_complete = read_head(io.BytesIO(data))
    assert not is_complete
    assert sum(s.size + 4 for s in read) <= 500


def test_too_many_segments_are_named_as_one(tmp_path: Path) -> None:
    data = with_segments(segment(0xE5, b"") * (MAX_PARTS + 5))
    (tmp_path / "a.jpg").write_bytes(data)
    texts = list(map(str, open_picture(tmp_path / "a.jpg").header.losses))
    assert len(texts) == 3
    assert any("or too many" in text for text in texts)
    assert any("what follows" in text for text in texts)


class TestTrailer:
    @staticmethod
    def kinds(tail: bytes) -> list[tuple[str, int]]:
        parts = list_trailing_parts(io.BytesIO(b"12345" + tail), 5)
        return [(part.loss.what, part.size) for part in parts if part.loss]

    @pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 70_000, b"\r\n"])
    def test_each_part_ends_where_the_next_begins(self, padding: bytes) -> None:
        parts = {"further pictures": JPEG, "motion photo": film()}
        for order in itertools.permutations(parts):
            tail = padding + b"".join(parts[what] + padding for what in order)
            assert self.kinds(tail) == [(what, len(parts[what])) for what in order]

    def test_a_picture_that_is_kept_is_no_loss(self) -> None:
        index = segment(0xE2, b"MPF\0" + b"index")
        first, film_part = with_segments(index), film()
        data = first + b"\0\0" + JPEG + JPEG + film_part
        at = len(first) + 2
        for kept, number in (((), 2), ((at,), 1), ((at, at + len(JPEG)), 0), ((at - 1,), 2)):
            parts = list(list_jpeg_parts(io.BytesIO(data), kept))
            whats = [part.loss.what for part in parts if part.loss]
            assert whats == ["further pictures"] * number + ["motion photo"]

    def test_samsungs_film(self) -> None:
        tail = b"\0\0\x30\x0aMotionPhoto_Data" + film() + b"SEFT"
        assert [what for what, _ in self.kinds(tail)] == ["motion photo"]
        far = b"x" * 200_000 + b"MotionPhoto_Data" + film()
        assert self.kinds(far) == [("motion photo", len(far))]

    def test_a_picture_without_an_end(self) -> None:
        assert self.kinds(JPEG[:-2]) == [("further pictures", len(JPEG) - 2)]

    def test_boxes_that_never_end(self) -> None:
        endless = film() + b"\0\0\0\0free" + b"\1" * 50
        assert self.kinds(endless) == [("motion photo", len(endless))]
        lying = film() + b"\0\0\0\1wide" + b"\xff" * 8
        assert self.kinds(lying) == [("motion photo", len(lying))]

    def test_many_pictures_are_not_walked_one_by_one(self) -> None:
        tail = (b"\xff\xd8\xff\xe0\0\2" + b"\xff\xe0\0\2" * 99 + b"\xff\xd9") * 300
        kinds = self.kinds(tail)
        assert sum(size for _, size in kinds) <= len(tail)
        assert len(kinds) < 300
