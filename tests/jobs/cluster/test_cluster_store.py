"""Places by name: folders, and URLs that fsspec opens."""

import pickle
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cluster_jobs import write_pictures
from subpixel.errors import PictureError, ProviderError, UsageError
from subpixel.jobs.cluster.places import expect_no_urls, open_store, read_url
from subpixel.jobs.cluster.store import FolderStore
from subpixel.jobs.folder import Omission, SourceFile

pytest.importorskip("fsspec", reason="needs the extra ray")

from subpixel.jobs.cluster.url_store import UrlStore


@pytest.fixture
def memory() -> UrlStore:
    """A place in memory that no other test has."""
    return UrlStore.open(f"memory://{uuid.uuid4().hex}/photos")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("s3://bucket/photos", "s3://bucket/photos"),
        ("s3://bucket/photos/", "s3://bucket/photos"),
        (Path("s3://bucket/photos"), "s3://bucket/photos"),
        (Path("gs://bucket"), "gs://bucket"),
        ("photos", None),
        ("/mnt/photos", None),
        (Path("a:b/c"), None),
        ("C:/photos", None),
        (Path("photos/10:30"), None),
    ],
)
def test_url_is_told_from_a_path(name: str | Path, url: str | None) -> None:
    assert read_url(name) == url


def test_url_needs_the_engine() -> None:
    with pytest.raises(UsageError, match=r"s3://bucket/x is a URL, which --engine ray reads"):
        expect_no_urls([Path("photos"), Path("s3://bucket/x")])


def test_unknown_protocol_is_said() -> None:
    with pytest.raises(UsageError, match="nothing://there: Protocol not known: nothing"):
        open_store("nothing://there")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(ProviderError, match="s3://bucket: Install s3fs to access S3"):
        open_store("s3://bucket")


def test_listing_tells_pictures_by_their_names(memory: UrlStore) -> None:
    for place in ("a.png", "b/c.JPG", "b/.hidden.png", "b/notes.txt", "a_x2.png", "raw.nef"):
        memory.write(place, b"?")
    memory.write("out/old.png", b"?")
    items = list(memory.list_sources(UrlStore(f"{memory.url}/out"), "_x3"))
    pictures = {item.place.as_posix() for item in items if isinstance(item, SourceFile)}
    reasons = {item.path.as_posix(): item.reason for item in items if isinstance(item, Omission)}
    assert pictures == {"a.png", "b/c.JPG"}
    assert reasons == {
        "b/.hidden.png": "hidden",
        "b/notes.txt": "unclaimed",
        "a_x2.png": "result",
        "raw.nef": "unclaimed",
        "out/old.png": "output",
    }


def test_object_is_fetched_with_its_facts(memory: UrlStore) -> None:
    memory.write("a/b.png", b"content")
    with memory.fetch("a/b.png") as copy:
        assert (copy.file.read_bytes(), copy.file.name) == (b"content", "b.png")
        facts = copy.read_facts()
    assert (facts.size, facts.mtime_ns) == (7, 0)  # as fresh as it is, its time tells nothing
    assert not copy.file.exists()
    assert memory.refresh("a/b.png", facts) is not None


def test_object_that_changes_while_it_is_read_is_refused(
    memory: UrlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.write("a.png", b"content")
    stamps = iter([(7, 1), (8, 1)])
    monkeypatch.setattr(UrlStore, "find_stamp", lambda self, place: next(stamps))
    with pytest.raises(PictureError, match="was changed while it was read"), memory.fetch("a.png"):
        pass


def test_changed_object_of_the_same_size_is_told_by_its_hash(memory: UrlStore) -> None:
    memory.write("a.png", b"content")
    with memory.fetch("a.png") as copy:
        facts = copy.read_facts()
    memory.write("a.png", b"CONTENT")
    assert memory.refresh("a.png", facts) is None
    assert memory.refresh("b.png", facts) is None


def test_nothing_is_delivered_of_what_fails(memory: UrlStore) -> None:
    with suppress(ZeroDivisionError), memory.deliver("a.png") as file:
        file.write_bytes(b"half")
        raise ZeroDivisionError
    assert memory.find_stamp("a.png") is None
    with memory.deliver("a.png") as file:
        file.write_bytes(b"whole")
    assert memory.read("a.png") == b"whole"


def test_stores_reach_other_processes(memory: UrlStore, tmp_path: Path) -> None:
    memory.write("a.png", b"content")
    again = pickle.loads(pickle.dumps(memory))
    assert again.read("a.png") == b"content"
    assert pickle.loads(pickle.dumps(FolderStore(tmp_path))) == FolderStore(tmp_path)


def test_stamps_of_all_are_those_of_each(memory: UrlStore) -> None:
    for place in ("a.png", "b/c.png"):
        memory.write(place, b"content")
    stamps = memory.read_stamps()
    for place in ("a.png", "b/c.png", "b/d.png"):
        assert stamps(place) == memory.find_stamp(place)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A folder behind HTTP, with pages that list what is in it."""
    pytest.importorskip("aiohttp", reason="needs aiohttp")
    write_pictures(tmp_path / "photos", 4)
    handler = partial(SilentHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/photos"
        server.shutdown()


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_pages_that_list_files_are_a_place_to_read(web: str, tmp_path: Path) -> None:
    store = open_store(web)
    items = store.list_sources(FolderStore(tmp_path / "out"), "_x3")
    places = {item.place.as_posix() for item in items if isinstance(item, SourceFile)}
    assert places == {f"part{number % 2}/p{number}.png" for number in range(4)}
    with store.fetch("part1/p3.png") as copy:
        facts = copy.read_facts()
        assert copy.file.read_bytes() == (tmp_path / "photos/part1/p3.png").read_bytes()
    assert store.refresh("part1/p3.png", facts) is not None
