"""From an order to a network in the cache, against a gallery on loopback."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.torch
import torch

from loopback import Gallery, cut, listed, running_gallery, status, whole
from networks import classifier, sub_pixel_network
from rounding import dot_bound, spread
from same_function import compute_exactly
from subpixel.errors import (
    CheckpointError,
    ExportError,
    GalleryError,
    NetworkError,
    ProviderError,
    UsageError,
)
from subpixel.graph.metadata import load_model, read_spec
from subpixel.nets.architectures.plain import PlainNet
from subpixel.network.identify import describe
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.publish import gallery as orders
from subpixel.publish.gallery import GalleryOrder, obtain
from subpixel.runtime.op import NetOp
from subpixel.runtime.session import Session
from subpixel.zoo.gallery import store
from subpixel.zoo.gallery.catalogue import choose_resource
from subpixel.zoo.gallery.catalogue_cache import ask_catalogue


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with running_gallery() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache" / "gallery"


def net(scale: int = 2) -> PlainNet:
    torch.manual_seed(0)
    return PlainNet(scale, channels=4, depth=1)


def pickled(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


WEIGHTS = pickled(net().state_dict())
ONNX = sub_pixel_network(3, 2).SerializeToString()


def order(
    gallery: Gallery,
    data: bytes = WEIGHTS,
    kind: str = "pth",
    **changes: Any,  # noqa: ANN401
) -> GalleryOrder:
    gallery.publish({"2x-net": listed([gallery.serve("/net", whole(data))], data, kind, **changes)})
    answer = ask_catalogue(gallery.url)
    model = answer.catalogue.models["2x-net"]
    return GalleryOrder(model, choose_resource(model), answer.url)


def files(folder: Path) -> list[str]:
    return sorted(
        f.name for f in folder.rglob("*") if f.is_file() and f.parent.name != "catalogues"
    )


def test_a_licence_that_the_file_itself_states_counts_too(gallery: Gallery, cache: Path) -> None:
    data = safetensors.torch.save(net().state_dict(), {"license": "CC-BY-NC-4.0"})
    with pytest.raises(UsageError, match=r"2x-net, as its file says, is CC-BY-NC-4\.0"):
        obtain(order(gallery, data, "safetensors"))
    assert store.entries() == ((), ())
    assert not list((cache / "networks").iterdir())


@pytest.mark.slow
def test_weights_become_a_network_that_is_proven(gallery: Gallery, cache: Path) -> None:
    data = safetensors.torch.save(net().state_dict(), {"license": "CC-BY-NC-4.0"})
    wish = order(gallery, data, "safetensors", author=["a", "b"])
    entry = obtain(replace(wish, accepted=("cc-by-nc-4.0",)))
    assert (entry.source, entry.licence, entry.authors) == (f"{gallery.url}/net", "MIT", ("a", "b"))
    assert (entry.accepted, entry.weights_type) == (("cc-by-nc-4.0",), "safetensors")
    assert files(cache) == [entry.path.name, "2x-net.json"]
    assert_reported(store.find_entry("2x-net"))
    spec, declared = describe(store.verify_entry(entry))
    assert declared
    assert (spec.name, spec.licence, spec.scale) == ("2x-net", "MIT", 2)
    assert spec.origin == f"A network by a, b (sha256 {entry.weights_sha256[:8]})"
    assert_computes_as(net(), open_network("2x-net", RunSettings("cpu")).op)


def assert_reported(entry: store.Entry | None) -> None:
    assert entry is not None
    assert entry.report["proven"] is True
    assert entry.report["parity"]["passed"] is True
    assert entry.report["summary"].startswith("all ")


def assert_computes_as(module: PlainNet, op: NetOp) -> None:
    """On grey, where RGB is luma three times, clipped to what pictures hold."""
    found = op(np.full((1, 3, 9, 7), 0.5, np.float32))
    grey = torch.full((1, 1, 9, 7), 0.5)
    with torch.inference_mode():
        rounded = module(grey).numpy()
    exact = compute_exactly(module, grey).numpy()
    # luma of grey, and grey of luma: a sum of three products each, of at most 2 in all
    bound = spread(rounded, exact) + dot_bound(6, 2)
    np.testing.assert_allclose(found, exact.clip(0, 1).repeat(3, axis=1), rtol=0, atol=bound)


def test_a_third_party_onnx_file_is_adopted(gallery: Gallery, cache: Path) -> None:
    entry = obtain(order(gallery, ONNX, "onnx"))
    picture = np.random.default_rng(0).random((1, 3, 12, 9), np.float32)
    kept = store.verify_entry(entry)
    assert np.array_equal(Session(kept)(picture), Session(ONNX)(picture))
    spec = read_spec(load_model(kept))
    assert spec is not None
    assert (spec.name, spec.scale) == ("2x-net", 2)
    assert entry.report["proven"] is False
    assert open_network("2x-net", RunSettings("cpu")).spec.scale == 2
    assert files(cache) == [entry.path.name, "2x-net.json"]


@pytest.mark.parametrize(
    ("data", "kind", "changes", "error", "reason"),
    [
        (WEIGHTS, "pth", {"scale": 4}, CheckpointError, "listed as compact x4, .* by 2, not by 4"),
        (ONNX, "onnx", {"scale": 3}, NetworkError, "enlarges by 2; the catalogue says 3"),
        (classifier().SerializeToString(), "onnx", {}, NetworkError, "no super-resolution network"),
        (b"no network", "onnx", {}, NetworkError, "2x-net"),
        (b"no weights", "pth", {}, CheckpointError, "no checkpoint that PyTorch can read"),
        (pickled(net()), "pth", {}, CheckpointError, "wants to run"),
        (pickled({"a": torch.zeros(3)}), "pth", {}, CheckpointError, "listed as compact x2"),
    ],
)
def test_what_is_no_such_network_is_not_kept(
    gallery: Gallery,
    cache: Path,
    data: bytes,
    kind: str,
    changes: dict[str, Any],
    error: type[Exception],
    reason: str,
) -> None:
    with pytest.raises(error, match=reason):
        obtain(order(gallery, data, kind, **changes))
    assert store.entries() == ((), ())
    assert len([f for f in files(cache) if f.endswith(f".{kind}")]) == 1, "the download, verified"
    assert not list((cache / "networks").iterdir())


def test_a_verified_download_is_not_fetched_again(gallery: Gallery, cache: Path) -> None:
    wish = order(gallery, ONNX, "onnx", scale=4)
    for _ in range(2):
        with pytest.raises(NetworkError):
            obtain(wish)
    assert len(gallery.ranges("/net")) == 1
    (weights,) = (cache / "downloads").glob("*.onnx")
    weights.write_bytes(ONNX[:-1])
    entry = obtain(order(gallery, ONNX, "onnx"))
    assert len(gallery.ranges("/net")) == 2, "it was damaged since"
    assert entry.source == f"{gallery.url}/net"


@pytest.mark.slow
def test_nothing_unproven_is_kept(
    gallery: Gallery, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exporter that makes something else of the network: the true judge must see it."""
    from subpixel.publish import release

    def faulty(module: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        with torch.no_grad():
            module.last.bias.add_(0.1)
        exported = true_export(module, *arguments, **options)
        with torch.no_grad():
            module.last.bias.sub_(0.1)
        return exported

    true_export, all_ways = release.export_apart, release.list_attempts
    monkeypatch.setattr(release, "list_attempts", lambda *arguments: all_ways(*arguments)[:1])
    monkeypatch.setattr(release, "export_apart", faulty)
    with pytest.raises(ExportError, match=r"2x-net could not be proven.* cases fail"):
        obtain(order(gallery))
    assert store.entries() == ((), ())
    assert not list((cache / "networks").iterdir())


def test_a_wrong_hash_is_refused_before_anything_is_read(
    gallery: Gallery, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("read"))
    wish = order(gallery)
    gallery.serve("/net", whole(pickled(net(3).state_dict())[: len(WEIGHTS)].ljust(len(WEIGHTS))))
    with pytest.raises(GalleryError, match="the file has changed since it was listed"):
        obtain(wish)
    assert not files(cache)


def test_a_cut_download_is_resumed_by_the_next_order(gallery: Gallery) -> None:
    wish = order(gallery, ONNX, "onnx")
    gallery.serve("/net", cut(ONNX, 100))
    with pytest.raises(GalleryError, match="ends early, after 100 bytes"):
        obtain(wish)
    gallery.serve("/net", whole(ONNX))
    assert obtain(wish).weights_sha256 == hashlib.sha256(ONNX).hexdigest()
    assert gallery.ranges("/net")[-1] == "bytes=100-"


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", None])
def test_a_licence_that_is_not_permissive_must_be_agreed_to_first(
    gallery: Gallery, licence: str | None
) -> None:
    wish = order(gallery, ONNX, "onnx", license=licence)
    with pytest.raises(UsageError, match="not on the list of permissive ones"):
        obtain(wish)
    assert not gallery.ranges("/net")
    entry = obtain(replace(wish, accepted=(licence or "unknown",)))
    assert (entry.licence, entry.accepted) == (licence or "unknown", (licence or "unknown",))


@pytest.mark.parametrize("package", orders.TORCH_PACKAGES)
def test_without_pytorch_weights_are_not_even_downloaded(
    gallery: Gallery, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = order(gallery)
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ProviderError, match=r"pip install '\.\[torch\]'"):
        obtain(wish)
    assert not gallery.ranges("/net")
    assert obtain(order(gallery, ONNX, "onnx")), "an ONNX file needs none of it"


def test_a_file_that_was_downloaded_by_hand(gallery: Gallery, tmp_path: Path) -> None:
    wish = order(gallery, ONNX, "onnx")
    gallery.serve("/net", status(500))
    own = tmp_path / "download (1).onnx"
    own.write_bytes(ONNX)
    entry = obtain(wish, own)
    assert entry.source == "download (1).onnx"
    assert own.read_bytes() == ONNX, "it stays where it was"
    own.write_bytes(ONNX[::-1])
    with pytest.raises(GalleryError, match="is not the file that the catalogue lists: its sha256"):
        obtain(wish, own)
    assert store.verify_entry(entry)


def test_a_network_of_the_gallery_under_a_bundled_ones_name(gallery: Gallery) -> None:
    wish = order(gallery, ONNX, "onnx")
    obtain(replace(wish, model=replace(wish.model, id="fast")))
    assert open_network("fast", scale=2).spec.licence == "Apache-2.0", "the bundled one"


def test_parameters_in_a_second_file_are_missed_in_a_line(gallery: Gallery, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    model = sub_pixel_network(3, 2)
    onnx.save(model, file, save_as_external_data=True, location="net.data", size_threshold=0)
    with pytest.raises(NetworkError) as refused:
        obtain(order(gallery, file.read_bytes(), "onnx"))
    assert "\n" not in str(refused.value)
