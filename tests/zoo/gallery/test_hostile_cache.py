"""Whatever lies in the gallery's cache: networks are named as damaged, catalogues are ignored."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subpixel.errors import GalleryError, NetworkError
from subpixel.zoo.gallery import catalogue_cache, store
from subpixel.zoo.gallery.catalogue import parse_catalogue
from subpixel.zoo.gallery.catalogue_cache import ask_catalogue
from subpixel.zoo.gallery.store import ENTRY_FORMAT, Entry

GOOD = Entry(
    id="2x-net",
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
    sha256="cd" * 32,
    size=7,
    date="2026-11-29T12:00:00+00:00",
    report={"proven": True, "way": "by hand"},
)
CONTENT = {"format": ENTRY_FORMAT, **asdict(GOOD)}

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**4000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
BYTES = st.binary(max_size=100) | ANYTHING.map(lambda value: json.dumps(value).encode())
BOMBS = st.sampled_from([b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"\xff", b"NaN"])
MANY = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (store, catalogue_cache):
        monkeypatch.setattr(module, "gallery_folder", lambda: tmp_path / "gallery")
    (tmp_path / "gallery" / "networks").mkdir(parents=True)
    return tmp_path / "gallery"


@pytest.mark.slow
@MANY
@given(BYTES | BOMBS)
def test_any_bytes_in_a_networks_place_are_a_damaged_network(folder: Path, data: bytes) -> None:
    (folder / "networks" / "2x-net.json").write_bytes(data)
    with pytest.raises(NetworkError, match="is damaged"):
        store.find_entry("2x-net")
    networks, (fault,) = store.entries()
    assert networks == ()
    assert "\n" not in fault
    assert len(fault) < 600


@MANY
@given(st.sampled_from(sorted(CONTENT)), ANYTHING)
def test_any_value_in_a_description_is_refused_or_read(
    folder: Path, key: str, value: object
) -> None:
    (folder / "networks" / "2x-net.json").write_text(json.dumps({**CONTENT, key: value}))
    networks, faults = store.entries()
    assert len(networks) + len(faults) == 1
    for network in networks:
        assert network.path.parent == folder / "networks"
        assert 1 <= network.scale <= 16
        assert isinstance(getattr(network, key, value), type(getattr(GOOD, key, value)))


@MANY
@given(BYTES | BOMBS)
def test_any_bytes_in_a_catalogues_place_are_no_catalogue(data: bytes) -> None:
    url = "https://host"
    file = catalogue_cache._cache_file(url + catalogue_cache.CATALOGUE_PATH)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    with pytest.raises(GalleryError, match="no catalogue in the cache"):
        ask_catalogue(url, offline=True)


@given(BOMBS)
def test_bombs_are_no_catalogue(data: bytes) -> None:
    with pytest.raises(GalleryError, match=r"the catalogue is (no|a) JSON"):
        parse_catalogue(data)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no such files")
def test_a_pipe_in_a_networks_place_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "networks" / "2x-net.json")
    assert len(store.entries()[1]) == 1


def test_a_folder_that_cant_be_read_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for anybody but the superuser."""

    def refuse(_path: Path, *_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    monkeypatch.setattr(Path, "glob", refuse)
    line = f"{folder / 'networks'} can't be read (Permission denied)"
    with pytest.raises(NetworkError, match=r"can't be read \(Permission denied\)"):
        store.find_entry("2x-net")
    assert store.entries()[1][0].startswith(line)
