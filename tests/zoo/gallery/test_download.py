import hashlib
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback import Gallery, begin, cut, endless, lying, redirect, running_gallery, status, whole
from subpixel.errors import GalleryError, SubpixelError
from subpixel.zoo.gallery.download import MAX_TRIES, ExpectedFile, download, expect_same

DATA = random.Random(0).randbytes(300_000)
EXPECTED = ExpectedFile(hashlib.sha256(DATA).hexdigest(), len(DATA))
UNSIZED = ExpectedFile(EXPECTED.sha256)


def refused(gallery: Gallery, target: Path, expected: ExpectedFile = EXPECTED) -> str:
    """Why the file at ``/a`` is not taken; nothing is where it should be."""
    with pytest.raises(GalleryError) as error:
        download([f"{gallery.url}/a"], expected, target)
    assert not target.exists()
    assert str(error.value).isprintable()
    return str(error.value)


@pytest.mark.parametrize("expected", [EXPECTED, UNSIZED])
def test_a_file_is_there_afterwards_and_nothing_else(
    gallery: Gallery, tmp_path: Path, expected: ExpectedFile
) -> None:
    url, told = gallery.serve("/a", whole(DATA)), []
    report = lambda what, done, total: told.append((what, done, total))  # noqa: E731
    assert download([url], expected, tmp_path / "net.pth", report) == url
    assert (tmp_path / "net.pth").read_bytes() == DATA
    assert [file.name for file in tmp_path.iterdir()] == ["net.pth"]
    assert told[0] == ("download", 0, expected.size or 0)
    assert told[-1] == ("download", len(DATA), expected.size or 0)


def test_every_url_is_tried_in_turn(gallery: Gallery, tmp_path: Path) -> None:
    urls = [
        "http://host.invalid/x",
        "ftp://host.invalid/x",
        gallery.serve("/gone", status(404)),
        gallery.serve("/broken", status(500)),
        gallery.serve("/page", status(200, {"Content-Type": "text/html"}, b"<html>")),
        gallery.serve("/other", whole(DATA[::-1])),
        gallery.serve("/circle", redirect("/circle")),
        gallery.serve("/a", whole(DATA)),
        gallery.serve("/unused", whole(DATA)),
    ]
    assert download(urls, EXPECTED, tmp_path / "net") == f"{gallery.url}/a"
    assert (tmp_path / "net").read_bytes() == DATA
    assert gallery.requests[-1][0] == "/a"


def test_where_no_url_gives_it_each_is_accounted_for(gallery: Gallery, tmp_path: Path) -> None:
    urls = [
        "http://host.invalid/x",
        gallery.serve("/gone", status(404)),
        gallery.serve("/c", redirect("/c")),
    ]
    with pytest.raises(GalleryError) as error:
        download(urls, EXPECTED, tmp_path / "net")
    said = str(error.value)
    assert "host.invalid/x: 'http://host.invalid/x' is not https" in said
    assert "/gone: the server answers 404 Not Found" in said
    assert "/c: redirects in a circle" in said
    assert not list(tmp_path.iterdir())


def test_a_stale_hash_is_a_refusal_that_says_so(gallery: Gallery, tmp_path: Path) -> None:
    gallery.serve("/a", whole(DATA[::-1]))
    other = hashlib.sha256(DATA[::-1]).hexdigest()
    said = refused(gallery, tmp_path / "net")
    assert f"its sha256 is {other[:16]}…; the catalogue says {EXPECTED.sha256[:16]}…" in said
    assert "the file has changed since it was listed" in said
    assert not list(tmp_path.iterdir())
    assert len(gallery.requests) == 1, "what is another file is not fetched again"


@pytest.mark.parametrize("length", [2 << 30, len(DATA) + 1, len(DATA) - 1, 1])
def test_a_length_that_is_not_the_catalogues_is_refused_unread(
    gallery: Gallery, tmp_path: Path, length: int
) -> None:
    gallery.serve("/a", lying(DATA, length))
    assert f"its length is {length} bytes; it must be {len(DATA)}" in refused(
        gallery, tmp_path / "net"
    )
    assert not list(tmp_path.iterdir())


def test_a_length_of_8_gb_is_refused_where_the_catalogue_names_none(
    gallery: Gallery, tmp_path: Path
) -> None:
    gallery.serve("/a", lying(b"", 8 << 30))
    assert "it must be at most 4294967296" in refused(gallery, tmp_path / "net", UNSIZED)


def test_a_length_of_2_gb_that_does_not_come(gallery: Gallery, tmp_path: Path) -> None:
    gallery.serve("/a", lying(DATA, 2 << 30))
    assert f"ends early, after {len(DATA)} bytes of {2 << 30}" in refused(
        gallery, tmp_path / "net", UNSIZED
    )


def test_a_body_that_never_ends_is_cut_at_the_catalogues_size(
    gallery: Gallery, tmp_path: Path
) -> None:
    gallery.serve("/a", endless())
    assert f"it is longer than {len(DATA)} bytes" in refused(gallery, tmp_path / "net")
    assert not list(tmp_path.iterdir())
    assert len(gallery.requests) == 1


def test_a_chunked_body_that_never_ends(gallery: Gallery, tmp_path: Path) -> None:
    def route(handler: Any) -> None:  # noqa: ANN401
        begin(handler, 200, {"Transfer-Encoding": "chunked"})
        for _ in range(1 << 12):
            handler.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")

    gallery.serve("/a", route)
    assert "it is longer than" in refused(gallery, tmp_path / "net")


def test_a_body_that_never_ends_where_the_size_is_unknown(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subpixel.zoo.gallery.download.MAX_WEIGHTS", 1 << 20)
    gallery.serve("/a", endless())
    assert f"it is longer than {1 << 20} bytes" in refused(gallery, tmp_path / "net", UNSIZED)


@pytest.mark.parametrize("expected", [EXPECTED, UNSIZED])
def test_a_download_that_breaks_off_is_continued_by_itself(
    gallery: Gallery, tmp_path: Path, expected: ExpectedFile
) -> None:
    ends = iter([70_000, 70_001, 200_000, len(DATA)])
    url = gallery.serve("/a", lambda handler: cut(DATA, next(ends))(handler))
    download([url], expected, tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == DATA
    assert gallery.ranges("/a") == [None, "bytes=70000-", "bytes=70001-", "bytes=200000-"]
    assert [headers.get("if-range") for _, headers in gallery.requests] == [None, *['"1"'] * 3]


def test_and_by_the_next_call(gallery: Gallery, tmp_path: Path) -> None:
    target = tmp_path / "net"
    gallery.serve("/a", cut(DATA, 70_000))
    assert f"it ends early, after 70000 bytes of {len(DATA)}" in refused(gallery, target)
    assert (tmp_path / "net.partial").stat().st_size == 70_000
    assert gallery.ranges("/a") == [None, "bytes=70000-"], "the second brought nothing"
    download([gallery.serve("/a", whole(DATA))], EXPECTED, target)
    assert gallery.ranges("/a")[2:] == ["bytes=70000-"]
    assert [file.name for file in tmp_path.iterdir()] == ["net"]
    assert target.read_bytes() == DATA


def test_a_server_that_gives_little_at_a_time_is_not_asked_for_ever(
    gallery: Gallery, tmp_path: Path
) -> None:
    ends = iter(range(1, 1000))
    gallery.serve("/a", lambda handler: cut(DATA, next(ends))(handler))
    refused(gallery, tmp_path / "net")
    assert len(gallery.requests) == MAX_TRIES


@pytest.mark.parametrize(
    "later",
    [
        whole(DATA, ranges=False),  # ignores ranges
        whole(DATA, etag='"2"'),  # another version
        lambda handler: (status(416) if handler.headers.get("Range") else whole(DATA))(handler),
    ],
)
def test_a_server_that_can_not_continue_begins_anew(
    gallery: Gallery,
    tmp_path: Path,
    later: Any,  # noqa: ANN401
) -> None:
    gallery.serve("/a", cut(DATA, 70_000))
    refused(gallery, tmp_path / "net")
    download([gallery.serve("/a", later)], EXPECTED, tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == DATA


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_without_a_strong_validator_nothing_is_continued(
    gallery: Gallery, tmp_path: Path, etag: str | None
) -> None:
    gallery.serve("/a", cut(DATA, 70_000, etag=etag))
    refused(gallery, tmp_path / "net")
    download([gallery.serve("/a", whole(DATA))], EXPECTED, tmp_path / "net")
    assert set(gallery.ranges("/a")) == {None}


def test_another_url_does_not_continue_the_first_ones_file(
    gallery: Gallery, tmp_path: Path
) -> None:
    urls = [gallery.serve("/a", cut(DATA[::-1], 70_000)), gallery.serve("/b", whole(DATA))]
    assert download(urls, EXPECTED, tmp_path / "net") == urls[1]
    assert gallery.ranges("/b") == [None]
    assert (tmp_path / "net").read_bytes() == DATA


def test_what_was_continued_and_is_another_file_is_fetched_whole(
    gallery: Gallery, tmp_path: Path
) -> None:
    """A server that changes its file under one ETag."""
    gallery.serve("/a", cut(DATA[::-1], 70_000))
    refused(gallery, tmp_path / "net")
    download([gallery.serve("/a", whole(DATA))], EXPECTED, tmp_path / "net")
    assert gallery.ranges("/a")[-2:] == ["bytes=70000-", None]
    assert (tmp_path / "net").read_bytes() == DATA


@pytest.mark.parametrize("range_", ["bytes 0-9/10", "bytes 70001-9/10", "lines 1-2", ""])
def test_another_part_than_was_asked_for_is_refused(
    gallery: Gallery, tmp_path: Path, range_: str
) -> None:
    gallery.serve("/a", cut(DATA, 70_000))
    refused(gallery, tmp_path / "net")
    gallery.serve("/a", status(206, {"Content-Range": range_}, DATA[70_000:]))
    assert "sends another part than was requested" in refused(gallery, tmp_path / "net")


def test_a_part_that_nobody_asked_for_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    gallery.serve("/a", status(206, {"Content-Range": f"bytes 0-9/{len(DATA)}"}, DATA[:10]))
    assert "sends another part" in refused(gallery, tmp_path / "net")


def test_a_compressed_answer_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    gallery.serve("/a", status(200, {"Content-Encoding": "gzip"}, DATA))
    assert "sent compressed" in refused(gallery, tmp_path / "net")


def test_a_whole_partial_file_is_verified_without_asking_again(
    gallery: Gallery, tmp_path: Path
) -> None:
    """The earlier run was ended after the last byte."""
    url = gallery.serve("/a", cut(DATA, 70_000))
    refused(gallery, tmp_path / "net")
    (tmp_path / "net.partial").write_bytes(DATA)
    asked = len(gallery.requests)
    download([url], EXPECTED, tmp_path / "net")
    assert len(gallery.requests) == asked


@pytest.mark.parametrize("note", [b"", b"[]", b"{}", b'{"url": 1}', b"\xff"])
def test_a_damaged_note_is_no_note(gallery: Gallery, tmp_path: Path, note: bytes) -> None:
    (tmp_path / "net.partial").write_bytes(DATA[:1000])
    (tmp_path / "net.partial.json").write_bytes(note)
    download([gallery.serve("/a", whole(DATA))], EXPECTED, tmp_path / "net")
    assert gallery.ranges("/a") == [None]


def test_a_folder_that_can_not_be_written(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(SubpixelError, match="can't be written"):
        download([gallery.serve("/a", whole(DATA))], EXPECTED, tmp_path / "none" / "net")


@pytest.mark.slow
@given(ends=st.lists(st.integers(0, 5000), max_size=6), honest=st.booleans())
def test_however_it_breaks_off_the_file_is_whole_or_not_there(
    tmp_path_factory: pytest.TempPathFactory, ends: list[int], honest: bool
) -> None:
    data = DATA[:5000]
    expected = ExpectedFile(hashlib.sha256(data).hexdigest(), len(data))
    folder, remaining = tmp_path_factory.mktemp("any"), list(ends)

    def route(handler: Any) -> None:  # noqa: ANN401
        end = remaining.pop(0) if remaining else len(data)
        cut(data if honest else data[::-1], end)(handler)

    with running_gallery() as gallery:
        url = gallery.serve("/a", route)
        for _ in range(len(ends) + 1):
            with suppress(GalleryError):
                download([url], expected, folder / "net")
            if (folder / "net").exists():
                break
    assert (folder / "net").exists() == honest
    assert not honest or (folder / "net").read_bytes() == data


def test_a_file_is_the_same_by_size_and_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    expect_same(tmp_path / "a", EXPECTED)
    expect_same(tmp_path / "a", UNSIZED)
    with pytest.raises(GalleryError, match="has 300000 bytes; the catalogue says 5"):
        expect_same(tmp_path / "a", ExpectedFile(EXPECTED.sha256, 5))
    with pytest.raises(GalleryError, match="its sha256 is"):
        expect_same(tmp_path / "a", ExpectedFile("0" * 64, len(DATA)))
