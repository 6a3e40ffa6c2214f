import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from subpixel.errors import NetworkError, SubpixelError, UsageError
from subpixel.zoo.gallery import store
from subpixel.zoo.gallery.store import Entry


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "gallery_folder", lambda: tmp_path / "gallery")


def entry(id_: str, data: bytes = b"network") -> Entry:
    return Entry(
        id=id_,
        name="A network",
        authors=("somebody",),
        licence="MIT",
        accepted=(),
        tags=("photo",),
        description="",
        architecture="compact",
        scale=2,
        catalogue="https://host/api",
        source="https://host/net.pth",
        weights_type="pth",
        weights_sha256="ab" * 32,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        date="2026-11-29T12:00:00+00:00",
        report={"proven": True, "way": "by hand"},
    )


def put(id_: str, data: bytes = b"network") -> Entry:
    with store.workshop() as folder:
        (folder / "network.onnx").write_bytes(data)
        store.put_network(entry(id_, data), folder / "network.onnx")
    return entry(id_, data)


def files(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.rglob("*") if f.is_file())


def test_an_empty_cache_has_nothing_and_is_not_made(tmp_path: Path) -> None:
    assert store.entries() == ((), ())
    assert store.find_entry("net") is None
    assert store.suggestions("net") == []
    assert not (tmp_path / "gallery").exists()


def test_a_network_is_found_as_it_was_put(tmp_path: Path) -> None:
    assert put("2x-Net") == store.find_entry("2x-Net") == store.find_entry("2X-NET")
    assert store.entries() == ((entry("2x-Net"),), ())
    assert store.verify_entry(entry("2x-Net")).read_bytes() == b"network"
    assert len(files(tmp_path)) == 2, "the workshop is gone"


@pytest.mark.parametrize("name", ["2x", "../2x-net", "", "a/b", "..", "2x-net/", "2x-net.json"])
def test_nothing_else_is_found(name: str) -> None:
    put("2x-net")
    assert store.find_entry(name) is None


def test_names_that_may_be_meant() -> None:
    put("2x-span-photo")
    put("4x-span-anime")
    assert store.suggestions("span") == ["2x-span-photo", "4x-span-anime"]
    assert store.suggestions("2x-spam-foto") == ["2x-span-photo"]


def test_another_version_takes_the_place_of_the_first(tmp_path: Path) -> None:
    put("net", b"old")
    put("net-0123456789abcdef", b"neighbour")
    new = put("net", b"new")
    assert store.find_entry("net") == new
    assert store.verify_entry(new).read_bytes() == b"new"
    assert len(files(tmp_path)) == 4
    assert store.find_entry("net-0123456789abcdef") == entry("net-0123456789abcdef", b"neighbour")


def test_where_the_new_one_can_not_be_written_the_old_one_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = put("net", b"old")

    def full(*_: object, **__: object) -> None:
        raise SubpixelError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_bytes", full)
        with pytest.raises(SubpixelError, match="full"):
            put("net", b"new")
    assert store.find_entry("net") == old
    assert store.verify_entry(old).read_bytes() == b"old"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "7", "{}", '{"format": 1}', "\x00", "[" * 99_999),
        json.dumps({"format": 2}),
        *(
            json.dumps({"format": 1, **vars(entry("2x-net")), **damage})
            for damage in (
                {"id": "2x-other"},
                {"id": "../2x-net"},
                {"id": 3},
                {"sha256": "../../etc/passwd"},
                {"sha256": None},
                {"scale": "2"},
                {"authors": 3},
            )
        ),
    ],
)
def test_a_damaged_entry_is_refused_in_a_line_and_can_be_removed(text: str, tmp_path: Path) -> None:
    put("2x-net")
    put("3x-good")
    (tmp_path / "gallery" / "networks" / "2x-net.json").write_text(text)
    with pytest.raises(NetworkError, match=r"2x-net\.json is damaged .* --overwrite$") as refused:
        store.find_entry("2x-net")
    found, faults = store.entries()
    assert [e.id for e in found] == ["3x-good"]
    assert faults == (str(refused.value),)
    store.remove_network("2x-net")
    assert store.entries() == ((entry("3x-good"),), ())
    assert len(files(tmp_path)) == 2


def test_a_damaged_file_is_not_used() -> None:
    damaged = put("net")
    damaged.path.write_bytes(b"other")
    with pytest.raises(NetworkError, match="is damaged: its sha256"):
        store.verify_entry(damaged)
    damaged.path.unlink()
    with pytest.raises(NetworkError, match="can't be read: No such file"):
        store.verify_entry(damaged)


def test_removing_takes_the_downloads_along(tmp_path: Path) -> None:
    put("net")
    put("net-2")
    store.download_path("net", "ab" * 32, "pth.partial").write_bytes(b"part")
    store.remove_network("NET")
    assert [e.id for e in store.entries()[0]] == ["net-2"]
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("name", ["nte", "../net", "", "quite-another"])
def test_what_is_not_there_can_not_be_removed(name: str, tmp_path: Path) -> None:
    put("net")
    with pytest.raises(UsageError) as refused:
        store.remove_network(name)
    assert ("did you mean net?" in str(refused.value)) == (name == "nte")
    assert len(files(tmp_path)) == 2


def test_an_entry_for_another_file_is_another_path() -> None:
    assert entry("Net").path.name == f"net-{entry('Net').sha256[:16]}.onnx"
    assert replace(entry("net"), sha256="0" * 64).path != entry("net").path


def test_a_cache_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "gallery").write_text("a file")
    with pytest.raises(SubpixelError, match="can't be made"), store.workshop():
        pass
