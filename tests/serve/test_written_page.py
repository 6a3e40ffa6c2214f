"""The page as a folder: it holds all that it refers to, states its networks' facts, and has a name
that changes with its files."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import onnx
import pytest

from networks import sub_pixel_network
from subpixel.errors import NetworkError, ProviderError, UsageError
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.network.opening import open_network
from subpixel.serve import page_files, vendor
from subpixel.serve.page_files import list_page_networks, write_page
from subpixel.serve.vendor import LICENCES, LOCK, NPM_PACKAGES, PAGE, vendor_files
from subpixel.spec import ModelSpec
from subpixel.zoo.manifest import find_bundled

LUMA = ModelSpec("our-luma", 2, "luma", "luma", halo=1)


@pytest.fixture(autouse=True)
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as npm would fill it, empty files all; no test fetches anything."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    for name in (*vendor_files(), LICENCES):
        (folder / name).touch()
    monkeypatch.setattr(page_files, "find_vendor", lambda: folder)
    return folder


def int8_network(scale: int = 2) -> Path:
    return find_bundled("fast-int8", scale).path


def luma_network(file: Path, spec: ModelSpec = LUMA) -> Path:
    onnx.save(with_spec(sub_pixel_network(), spec), file)
    return file


def release(folder: Path) -> dict[str, object]:
    text = (folder / "release.js").read_text(encoding="utf-8")
    return dict(json.loads(text.removeprefix("self.RELEASE = ").removesuffix(";\n")))


def test_the_facts_of_the_networks_are_listed(tmp_path: Path) -> None:
    write_page(tmp_path / "page", [int8_network(3), int8_network(2)])
    rows = json.loads((tmp_path / "page" / "networks.json").read_text(encoding="utf-8"))
    assert [row["file"] for row in rows] == ["fast-int8-x3.onnx", "fast-int8-x2.onnx"]
    assert [row["sha256"] for row in rows] == [
        find_bundled("fast-int8", scale).sha256 for scale in (3, 2)
    ]
    facts = {name: rows[0][name] for name in ("name", "scale", "halo", "samples", "fixed_size")}
    assert facts == {
        "name": "fast-int8",
        "scale": 3,
        "halo": 7,
        "samples": "uint8",
        "fixed_size": None,
    }
    assert rows[0]["bytes"] == (tmp_path / "page/networks/fast-int8-x3.onnx").stat().st_size


def test_a_luma_network_takes_rgb_in_the_page(tmp_path: Path) -> None:
    write_page(tmp_path / "page", [luma_network(tmp_path / "luma.onnx")])
    file = tmp_path / "page" / "networks" / "luma.onnx"
    spec = read_spec(onnx.load(file))
    assert spec is not None
    assert (spec.interface, spec.name) == ("rgb", "our-luma")
    assert open_network(file).spec == spec


def test_what_is_kept_offline_is_there_and_named_once(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    rows = (("fast-int8", 2), ("balanced-int8", 2), ("fast-int8", 3), ("fast", 2))
    write_page(folder, [find_bundled(*row).path for row in rows])
    files = release(folder)["files"]
    assert isinstance(files, list)
    assert len(files) == len(set(files))
    assert [name for name in files if not (folder / name).is_file()] == []
    networks = [name for name in files if name.startswith("networks/")]
    assert networks == ["networks/balanced-int8-x2.onnx", "networks/fast-int8-x2.onnx"]
    assert not [name for name in files if "asyncify" in name], "the graphics card's half"
    assert release(folder)["later"] == ["networks/fast-x2.onnx", "networks/fast-int8-x3.onnx"]
    asked = release(folder)["asked"]
    assert isinstance(asked, list)
    assert {*asked, *files} >= {f"vendor/{name}" for name in vendor_files()}


@pytest.mark.parametrize("change", ["network", "vendor"])
def test_its_version_changes_with_any_file(change: str, tmp_path: Path, npm: Path) -> None:
    write_page(tmp_path / "page", [int8_network(2)])
    write_page(tmp_path / "again", [int8_network(2)])
    if change == "vendor":
        (npm / "ort.webgpu.min.mjs").write_text("another", encoding="utf-8")
    write_page(tmp_path / "other", [int8_network(3 if change == "network" else 2)])
    before, again, after = (
        release(tmp_path / name)["version"] for name in ("page", "again", "other")
    )
    assert before == again != after


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_everything_that_the_page_refers_to_is_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    write_page(folder, [int8_network()])
    html = _References()
    html.feed((folder / "index.html").read_text(encoding="utf-8"))
    manifest = json.loads((folder / "manifest.webmanifest").read_text(encoding="utf-8"))
    targets = [folder / name for name in html.found]
    targets += [folder / icon["src"] for icon in manifest["icons"]]
    for module in folder.glob("[afw]*/*.js"):
        text = module.read_text(encoding="utf-8")
        targets += [module.parent / name for name in re.findall(r'from "(\.[^"]+)"', text)]
    assert len(targets) > 30
    assert [target for target in targets if not target.exists()] == []


def test_the_page_and_its_headers_have_one_policy() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert f'http-equiv="Content-Security-Policy" content="{page_files.PAGE_POLICY}"' in html


def test_the_page_s_own_files_name_no_other_place() -> None:
    namespaces = ("http://www.w3.org/", "http://ns.adobe.com/")
    own = [file for pattern in page_files.SOURCES for file in PAGE.glob(pattern)]
    addresses = [
        address
        for file in own
        for address in re.findall(r"https?://[^\s\"'`]*", file.read_text(encoding="utf-8"))
        if not address.startswith(namespaces)
    ]
    assert addresses == []


def test_the_bundled_networks_begin_with_the_default() -> None:
    names = [file.name for file in list_page_networks()]
    assert names[0] == "balanced-int8-x2.onnx"
    assert {"denoise-50-int8-x3.onnx", "fast-int8-x4.onnx", "balanced-x2.onnx"} <= set(names)


def test_no_network_or_two_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one"):
        write_page(tmp_path / "page", [])
    with pytest.raises(UsageError, match="two network files are called"):
        write_page(tmp_path / "page", [int8_network(), int8_network()])


def test_what_a_page_cannot_run_is_refused(tmp_path: Path) -> None:
    third_party = tmp_path / "theirs.onnx"
    onnx.save(sub_pixel_network(), third_party)
    with pytest.raises(NetworkError, match="states no facts"):
        write_page(tmp_path / "page", [third_party])
    with pytest.raises(NetworkError, match="no such file"):
        write_page(tmp_path / "page", [tmp_path / "none.onnx"])
    half = luma_network(tmp_path / "half.onnx", replace(LUMA, precision="fp16"))
    with pytest.raises(NetworkError, match="is fp16"):
        write_page(tmp_path / "page", [half])
    batch = luma_network(tmp_path / "batch.onnx", replace(LUMA, fixed_batch=4))
    with pytest.raises(NetworkError, match="4 pictures at once"):
        write_page(tmp_path / "page", [batch])


def test_without_npm_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor.shutil, "which", lambda _: None)
    with pytest.raises(ProviderError, match=r"install Node\.js"):
        vendor.fill_vendor(tmp_path / "vendor")
    assert list(tmp_path.glob("vendor*")) == []


def test_the_licences_name_the_locked_versions() -> None:
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    text = vendor._write_licences()
    for package in NPM_PACKAGES:
        entry = locked[f"node_modules/{package.name}"]
        assert f"{package.name} {entry['version']}, {entry['license']}" in text
        assert entry["license"] == package.licence


def test_every_locked_file_has_its_hash() -> None:
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    assert [name for name, entry in locked.items() if name and "integrity" not in entry] == []
