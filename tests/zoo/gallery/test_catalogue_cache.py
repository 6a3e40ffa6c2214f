import json
from pathlib import Path

import pytest

from loopback import API, Gallery, endless, listed, lying, redirect, status, whole
from subpixel.errors import GalleryError
from subpixel.zoo.gallery import catalogue_cache, store
from subpixel.zoo.gallery.catalogue_cache import DEFAULT_GALLERY, ask_catalogue

MODELS = {"2x-net": listed(["https://host/net.pth"], b"weights")}
DATA = json.dumps(MODELS).encode()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (catalogue_cache, store):
        monkeypatch.setattr(module, "gallery_folder", lambda: tmp_path)


def test_openmodeldb_is_asked_by_default() -> None:
    assert DEFAULT_GALLERY + API == "https://openmodeldb.info/api/v1/models.json"


def test_the_server_is_asked_and_its_answer_remembered(gallery: Gallery) -> None:
    gallery.publish(MODELS)
    first = ask_catalogue(f"{gallery.url}/")
    assert list(first.catalogue.models) == ["2x-net"]
    assert (first.url, first.offline) == (gallery.url + API, None)
    second = ask_catalogue(gallery.url)
    assert second.catalogue == first.catalogue
    assert "if-none-match" not in gallery.requests[0][1]
    assert gallery.requests[1][1]["if-none-match"]


def test_what_has_changed_is_read_anew(gallery: Gallery) -> None:
    gallery.publish(MODELS)
    ask_catalogue(gallery.url)
    gallery.publish({"3x-other": MODELS["2x-net"]})
    assert list(ask_catalogue(gallery.url).catalogue.models) == ["3x-other"]


def test_offline_nobody_is_asked(gallery: Gallery) -> None:
    gallery.publish(MODELS)
    date = ask_catalogue(gallery.url).date
    again = ask_catalogue(gallery.url, offline=True)
    assert (again.offline, again.date, list(again.catalogue.models)) == (
        "as asked",
        date,
        ["2x-net"],
    )
    assert len(gallery.requests) == 1
    with pytest.raises(GalleryError, match="as asked; there is no catalogue in the cache either"):
        ask_catalogue("http://127.0.0.1:1", offline=True)


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (status(500), "the server answers 500"),
        (status(404), "the server answers 404"),
        (status(304), "the server answers 304"),
        (whole(DATA[:-5]), "no JSON, or cut short"),
        (lying(DATA, len(DATA) + 9), "ends early, after"),
        (whole(b"<html>"), "no JSON"),
        (whole(b"[]"), "JSON list"),
        (whole(b"\xff\xff"), "no text"),
        (redirect(API), "in a circle"),
        (redirect("http://host.invalid/"), "not https"),
        (endless(), "longer than"),
    ],
)
def test_what_is_no_catalogue_is_refused_or_the_last_one_used_and_said_so(
    gallery: Gallery, route: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_cache, "MAX_CATALOGUE_BYTES", 1 << 20)
    gallery.serve(API, route)  # type: ignore[arg-type]
    with pytest.raises(GalleryError, match=f"{reason}.*no catalogue in the cache either"):
        ask_catalogue(gallery.url)
    gallery.publish(MODELS)
    date = ask_catalogue(gallery.url).date
    if reason == "the server answers 304":
        return  # now it is an answer
    gallery.serve(API, route)  # type: ignore[arg-type]
    answer = ask_catalogue(gallery.url)
    assert reason in (answer.offline or "")
    assert (answer.date, list(answer.catalogue.models)) == (date, ["2x-net"])


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"url": 1}', b"\xff"])
def test_a_damaged_record_is_asked_for_anew(
    gallery: Gallery, tmp_path: Path, damage: bytes
) -> None:
    gallery.publish(MODELS)
    ask_catalogue(gallery.url)
    (record,) = (tmp_path / "catalogues").iterdir()
    record.write_bytes(damage)
    assert ask_catalogue(gallery.url).offline is None
    assert "if-none-match" not in gallery.requests[1][1]


def test_two_galleries_do_not_share_a_record(gallery: Gallery) -> None:
    gallery.publish(MODELS)
    gallery.serve(f"/mirror{API}", whole(b"{}"))
    ask_catalogue(gallery.url)
    assert not ask_catalogue(f"{gallery.url}/mirror").catalogue.models
    assert ask_catalogue(gallery.url, offline=True).catalogue.models
