import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback import listed
from subpixel.errors import GalleryError, UsageError
from subpixel.zoo.gallery.catalogue import Catalogue, Resource, choose_resource, parse_catalogue

SHA = "ab" * 32


def parsed(models: dict[str, Any]) -> Catalogue:
    return parse_catalogue(json.dumps(models).encode())


def entry(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return listed(["https://host/file.pth"], b"weights", **changes)


def file(kind: str, url: str = "https://host/file", sha256: str | None = SHA) -> dict[str, Any]:
    return {"type": kind, "platform": "any", "size": None, "sha256": sha256, "urls": [url]}


def test_an_entry_is_read() -> None:
    found = parsed({"2x-net": entry(author=["a", "b"], license=None, unheard_of={"x": 1})})
    model = found.models["2x-net"]
    assert (model.id, model.authors, model.licence, model.scale) == ("2x-net", ("a", "b"), None, 2)
    assert model.resources[0].size == 7
    assert not found.faults


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 1},
        {"name": None},
        {"license": 3},
        {"tags": "photo"},
        {"tags": [1]},
        {"author": 5},
        *({"scale": scale} for scale in (0, 17, -1, "2", 2.0, True, None, 10**400)),
        {"inputChannels": 0},
        {"outputChannels": "3"},
        {"architecture": ["a"]},
        {"resources": {}},
        {"resources": None},
        {"resources": ["file"]},
        {"resources": [file("pth", sha256="ab" * 31)]},
        {"resources": [file("pth", sha256="../" + "a" * 61)]},
        {"resources": [file("pth") | {"size": -1}]},
        {"resources": [file("pth") | {"size": 1 << 60}]},
        {"resources": [file("pth") | {"urls": "https://host"}]},
        {"resources": [file("pth", url="https://host/\r\nHost: other")]},
    ],
)
def test_one_entry_that_can_not_be_read_does_not_hide_the_others(changes: dict[str, Any]) -> None:
    found = parsed({"bad": entry(**changes), "good": entry()})
    assert list(found.models) == ["good"]
    assert list(found.faults) == ["bad"]
    with pytest.raises(GalleryError, match="entry bad can't be used"):
        found.find("bad")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", ".x", "a\u001b[2J", "x.onnx"])
def test_an_id_that_can_be_no_files_name_is_refused(name: str) -> None:
    found = parsed({name: entry(), "good": entry()})
    assert list(found.models) == ["good"]
    assert all(fault.isprintable() for fault in found.faults)


def test_texts_give_a_terminal_no_orders() -> None:
    evil = "\x1b]52;c;aGk=\x07red\r\nline\u202e"
    changes = dict.fromkeys(("name", "author", "license", "description", "architecture"), evil)
    model = parsed({"net": entry(**changes, tags=[evil])}).models["net"]
    texts = (model.name, *model.authors, model.licence or "", model.description, *model.tags)
    assert all(text.isprintable() for text in texts)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no JSON, or cut short"),
        (b"<html>", "no JSON"),
        (b'{"a": {"name": "cut', "no JSON, or cut short"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a": ' * 100_000, "no JSON"),
        (b"[]", "JSON list"),
        (b"7", "JSON int"),
        (b"\xff\xfe{", "no JSON"),
        (b'{"net": 1}', "no entry of the catalogue can be used; net: the entry is no JSON object"),
    ],
)
def test_what_is_no_catalogue_is_refused_in_a_line(data: bytes, reason: str) -> None:
    with pytest.raises(GalleryError, match=reason) as refused:
        parse_catalogue(data)
    assert str(refused.value).isprintable()


@given(st.data())
def test_a_damaged_catalogue_is_read_or_refused(data: st.DataObject) -> None:
    whole = json.dumps({"net": entry(), "other": entry()}).encode()
    at = data.draw(st.integers(0, len(whole)))
    damaged = whole[:at] + data.draw(st.binary(max_size=3)) + whole[data.draw(st.integers(at)) :]
    with suppress(GalleryError):
        parse_catalogue(damaged)


def test_an_empty_catalogue_has_nothing() -> None:
    assert parsed({}).search(["a"]) == ()


def test_every_word_must_stand_somewhere() -> None:
    found = parsed(
        {"4x-b": entry(scale=4, tags=["anime"]), "2x-a": entry(), "2x-c": entry(author="Zoe")}
    )
    names = lambda *words: [model.id for model in found.search(words)]  # noqa: E731
    assert names() == ["2x-a", "2x-c", "4x-b"]
    assert names("ANIME") == ["4x-b"]
    assert names("x2") == names("2x") == ["2x-a", "2x-c"]
    assert names("x2", "zoe") == ["2x-c"]
    assert names("x2", "anime") == []


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        (["onnx", "pth", "safetensors"], "safetensors"),
        (["onnx", "pth"], "pth"),
        (["zip", "onnx"], "onnx"),
    ],
)
def test_the_preferred_kind_of_file_is_chosen(kinds: list[str], chosen: str) -> None:
    model = parsed({"net": entry(resources=[file(kind) for kind in kinds])}).models["net"]
    assert choose_resource(model).type == chosen
    assert choose_resource(model, kinds.index("onnx") + 1).type == "onnx"
    with pytest.raises(UsageError, match=f"has no file 9; it has 1 to {len(kinds)}"):
        choose_resource(model, 9)


def test_a_file_with_a_plain_link_goes_before_one_that_wants_a_person() -> None:
    drive = file("safetensors", "https://drive.google.com/file/d/1")
    model = parsed({"net": entry(resources=[drive, file("onnx")])}).models["net"]
    assert choose_resource(model).type == "onnx"
    with pytest.raises(
        GalleryError, match=r"wants a person: open https://drive\.google\.com/file/d"
    ):
        choose_resource(model, 1)


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ([], "has no file that can be used, of safetensors, pth, onnx; it has none"),
        ([file("zip"), file("bin")], "it has bin, zip"),
        ([file("pth", sha256=None)], "doesn't state the sha256"),
        ([file("pth") | {"urls": []}], "names no URL"),
    ],
)
def test_networks_without_a_file_that_can_be_used(resources: list[Any], reason: str) -> None:
    model = parsed({"net": entry(resources=resources)}).models["net"]
    with pytest.raises(GalleryError, match=reason):
        choose_resource(model)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://github.com/a/b/releases/download/v1/net.pth", True),
        ("https://drive.google.com/uc?id=1", False),
        ("https://DRIVE.google.com./uc", False),
        ("https://www.mediafire.com/file/x", False),
        ("https://notmega.nz/x", True),
        ("https://[bad", True),
    ],
)
def test_which_links_lead_to_the_file(url: str, plain: bool) -> None:
    resource = Resource("pth", 1, SHA, (url,))
    assert (resource.plain_urls, resource.pages) == (((url,), ()) if plain else ((), (url,)))
