"""``subpixel models search``, ``get``, ``remove``, and what is got, as a user types it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from loopback import Gallery, cut, listed, running_gallery, status, whole
from networks import sub_pixel_network
from subpixel.cli.main import run
from subpixel.cli.pictures.models import PURPOSES
from subpixel.graph.metadata import load_model, read_spec
from subpixel.nets.architectures.plain import PlainNet
from subpixel.zoo.family import DRAWING_STRENGTH, POINTS, nearest_point
from subpixel.zoo.gallery import store
from subpixel.zoo.manifest import read_manifest

ONNX = sub_pixel_network(3, 2).SerializeToString()

WITHOUT_PYTORCH = (
    "import sys; sys.modules.update(dict.fromkeys(('torch', 'spandrel', 'safetensors')))\n"
    "from subpixel.cli.main import run; sys.exit(run(sys.argv[1:]))"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As platformdirs has it on Linux, for this process and for others."""
    folder = tmp_path / "cache" / "subpixel"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent))
    return folder


@pytest.fixture
def gallery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    with running_gallery() as server:
        monkeypatch.setenv("SUBPIXEL_GALLERY_URL", server.url)
        yield server


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.linear_gradient("L").resize((40, 32)).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def publish(gallery: Gallery, **changes: Any) -> None:  # noqa: ANN401
    """2x-photo, an ONNX file, and 4x-drive, which wants a person."""
    url = gallery.serve("/net.onnx", whole(ONNX))
    drive = listed(["https://drive.google.com/file/d/1"], b"weights", scale=4, tags=["anime"])
    gallery.publish({"2x-photo": listed([url], ONNX, "onnx") | changes, "4x-drive": drive})


def without_pytorch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_PYTORCH, *arguments],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )


def weights() -> bytes:
    torch.manual_seed(0)
    stream = io.BytesIO()
    torch.save(PlainNet(2, channels=4, depth=1).state_dict(), stream)
    return stream.getvalue()


@pytest.mark.slow
def test_from_nothing_to_an_upscaled_picture(
    gallery: Gallery, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = weights()
    urls = [gallery.url + "/gone.pth", gallery.serve("/net.pth", whole(data))]
    gallery.publish({"2x-plain": listed(urls, data, license="Apache-2.0", author="us")})
    assert run(["models", "search", "photo", "x2"]) == 0
    assert "2x-plain" in capsys.readouterr().out
    assert run(["models", "get", "plain"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:4] == [
        "network   2x-plain, compact x2, by us",
        "licence   Apache-2.0 (permissive)",
        f"file      pth, {len(data):,} bytes",
        f"from      {urls[1]}",
    ]
    assert any(line.startswith("compared  all ") for line in told)
    big = photo.with_name("big.png")
    done = without_pytorch("upscale", str(photo), "--model", "2x-plain", "-o", str(big))
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(big) as picture:
        assert picture.size == (80, 64)


@pytest.mark.slow
def test_what_is_here_is_known_everywhere_without_pytorch_or_a_network(
    gallery: Gallery, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(gallery)
    done = without_pytorch("models", "get", "2x-photo", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["source"] == f"{gallery.url}/net.onnx"
    gallery.routes.clear()
    asked = len(gallery.requests)
    folder = photo.parent / "data"
    folder.mkdir()
    photo.rename(folder / "photo.png")
    out = ["--scale", "2", "-o", str(photo.parent / "out")]
    for command in (
        ["info", "2x-photo"],
        ["evaluate", "--model", "2X-PHOTO", "--data", str(folder)],
        ["upscale", str(folder), "--model", "2x-photo", *out],
    ):
        assert without_pytorch(*command).returncode == 0, command
    assert len(gallery.requests) == asked
    assert run(["models"]) == 0
    said = capsys.readouterr().out
    assert "From the gallery" in said
    assert "no: third-party ONNX" in said


def test_models_lists_the_bundled_and_then_the_gallerys(
    gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(gallery)
    assert run(["models", "get", "2x-photo"]) == 0
    capsys.readouterr()
    assert run(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["from"] for row in rows] == ["bundled"] * len(read_manifest()) + ["gallery"]
    assert (rows[-1]["name"], rows[-1]["scale"], rows[-1]["proven"]) == ("2x-photo", 2, False)
    spec = read_spec(load_model(Path(rows[-1]["path"])))
    assert spec is not None
    assert spec.name == "2x-photo"


def test_a_damaged_entry_does_not_hide_the_rest(
    gallery: Gallery, capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    publish(gallery)
    assert run(["models", "get", "2x-photo"]) == 0
    (cache / "gallery" / "networks" / "2x-photo.json").write_text("{")
    capsys.readouterr()
    assert run(["models"]) == 0
    said = capsys.readouterr()
    assert "balanced" in said.out
    assert "2x-photo.json is damaged" in said.err
    assert run(["upscale", "x.png", "--model", "2x-photo"]) == 1
    assert run(["models", "get", "2x-photo"]) == 1
    assert run(["models", "get", "2x-photo", "--overwrite"]) == 0


def test_search(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    publish(gallery)
    assert run(["models", "search", "anime", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["permissive"]) == ("4x-drive", True)
    assert run(["models", "search", "x4"]) == 0
    assert "by hand" in capsys.readouterr().out
    assert run(["models", "search", "2x-foto"]) == 1
    assert "none of 2 networks matches; similar names: 2x-photo" in capsys.readouterr().err
    assert run(["models", "search", "nothing", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == []


def test_offline_the_last_catalogue_is_used_and_said_so(
    gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "search", "photo", "--offline"]) == 1
    assert "there is no catalogue in the cache either" in capsys.readouterr().err
    publish(gallery)
    assert run(["models", "search", "photo"]) == 0
    assert not capsys.readouterr().err
    for how in (["--offline"], []):
        gallery.routes.clear()
        assert run(["models", "search", "photo", *how]) == 0
        said = capsys.readouterr()
        assert "2x-photo" in said.out
        assert "subpixel: offline, " in said.err
        assert "this is the catalogue of 20" in said.err
    assert run(["models", "get", "2x-photo"]) == 1
    assert "no URL gives the file" in capsys.readouterr().err


def test_files_are_listed_and_chosen(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    publish(gallery)
    entry = listed([gallery.serve("/gone", status(410))], b"weights")
    entry["resources"] += listed([gallery.url + "/net.onnx"], ONNX, "onnx")["resources"]
    gallery.publish({"2x-both": entry})
    assert run(["models", "get", "2x-both", "--list-files", "--json"]) == 0
    assert [row["type"] for row in json.loads(capsys.readouterr().out)] == ["pth", "onnx"]
    assert run(["models", "get", "2x-both", "--list-files"]) == 0
    assert "/net.onnx" in capsys.readouterr().out
    assert run(["models", "get", "2x-both"]) == 1
    assert "the server answers 410" in capsys.readouterr().err
    assert run(["models", "get", "2x-both", "--file", "3"]) == 2
    assert run(["models", "get", "2x-both", "--file", "2"]) == 0
    assert "one of 2 (--list-files)" in capsys.readouterr().out


def test_what_is_here_is_not_got_again(
    gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(gallery)
    for _ in range(2):
        assert run(["models", "get", "2x-photo"]) == 0
    assert "2x-photo is here already" in capsys.readouterr().out
    assert len(gallery.ranges("/net.onnx")) == 1
    assert run(["models", "get", "2x-photo", "--overwrite"]) == 0
    assert len(gallery.ranges("/net.onnx")) == 2


def test_a_licence_must_be_named(gallery: Gallery, capsys: pytest.CaptureFixture[str]) -> None:
    publish(gallery, license="CC-BY-NC-SA-4.0")
    assert run(["models", "get", "2x-photo"]) == 2
    said = capsys.readouterr()
    assert "licence   CC-BY-NC-SA-4.0 (to be agreed to)" in said.out
    assert '--accept-licence "CC-BY-NC-SA-4.0"' in said.err
    assert run(["models", "get", "2x-photo", "--accept-licence", "MIT"]) == 2
    assert not gallery.ranges("/net.onnx")
    assert run(["models", "get", "2x-photo", "--accept-licence", "CC-BY-NC-SA-4.0"]) == 0


def test_a_file_host_that_wants_a_person(
    gallery: Gallery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(gallery)
    assert run(["models", "get", "4x-drive"]) == 1
    said = capsys.readouterr().err
    assert "open https://drive.google.com/file/d/1 in a browser" in said
    assert "subpixel models get 4x-drive --from FILE" in said
    own = tmp_path / "net.onnx"
    own.write_bytes(ONNX)
    assert run(["models", "get", "4x-drive", "--from", str(own)]) == 1
    assert "is not what the catalogue lists for 4x-drive: its sha256" in capsys.readouterr().err
    assert run(["models", "get", "2x-photo", "--offline", "--from", str(own)]) == 0
    assert run(["models", "get", "4x-drive", "--from", str(tmp_path / "none")]) == 1
    assert not gallery.ranges("/net.onnx")


def test_without_pytorch_get_says_what_to_install_first(gallery: Gallery) -> None:
    gallery.publish({"2x-net": listed([gallery.serve("/net", whole(b"weights"))], b"weights")})
    done = without_pytorch("models", "get", "2x-net")
    assert done.returncode == 1
    assert "pip install '.[torch]'" in done.stderr
    assert not gallery.ranges("/net")


def test_names_that_several_could_mean_or_nobody_has(
    gallery: Gallery, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(gallery)
    for name, reason in (("x-", "may be any of 2x-photo, 4x-drive"), ("2x-foto", "did you mean")):
        assert run(["models", "get", name]) == 2
        assert reason in capsys.readouterr().err
    assert run(["models", "get", "2x-photo"]) == 0
    assert run(["upscale", str(photo), "--model", "photo"]) == 2, "pictures want the whole name"
    assert "did you mean 2x-photo?" in capsys.readouterr().err
    assert run(["upscale", str(photo), "--model", "2x-photo", "--scale", "3"]) == 0
    assert "2x-photo enlarges 2 times: it runs 2 times in turn" in capsys.readouterr().err
    assert run(["upscale", str(photo), "--model", "2x-photo", "--precision", "int8"]) == 2
    assert "subpixel quantize" in capsys.readouterr().err


def test_remove(gallery: Gallery, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(gallery)
    assert run(["models", "get", "2x-photo"]) == 0
    assert run(["models", "remove", "2x-foto"]) == 2
    assert run(["models", "remove", "../../x"]) == 2
    assert run(["models", "remove", "2x-photo"]) == 0
    assert not list((cache / "gallery" / "networks").iterdir())
    assert run(["models", "remove", "2x-photo"]) == 2
    gallery.serve("/net.onnx", cut(ONNX, 50))
    assert run(["models", "get", "2x-photo"]) == 1
    assert list((cache / "gallery" / "downloads").iterdir())
    assert run(["models", "remove", "2x-photo"]) == 0
    assert not list((cache / "gallery" / "downloads").iterdir())
    capsys.readouterr()


COMMUNITY = (
    ("realesr-animevideov3-x4.pth", "4x-animevideo-v3", "compact"),
    pytest.param("span-x4.pth", "4x-span", "span", marks=pytest.mark.campaign),
)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "name", "architecture"), COMMUNITY)
def test_networks_that_people_have(
    gallery: Gallery, shared_data: Path, photo: Path, file: str, name: str, architecture: str
) -> None:
    if not (shared_data / "community" / file).is_file():
        pytest.skip(f"needs ../shared/data/community/{file}")
    data = (shared_data / "community" / file).read_bytes()
    urls = [gallery.serve("/weights", whole(data))]
    gallery.publish({name: listed(urls, data, architecture=architecture, scale=4)})
    assert run(["models", "get", name]) == 0
    entry = store.find_entry(name)
    assert entry is not None
    assert entry.report["proven"]
    big = photo.with_name("big.png")
    done = without_pytorch("upscale", str(photo), "--model", name, "-o", str(big))
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(big) as picture:
        assert picture.size == (160, 128)


def test_each_network_is_a_line_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    names = [line.split()[0] for line in lines[1:]]
    assert names == list(dict.fromkeys(row.name for row in read_manifest()))
    assert all(
        f"{row.psnr['Set5']:.2f}" in " ".join(lines) for row in read_manifest() if row.scale == 3
    )


def test_every_network_says_what_it_is_for() -> None:
    assert {row.name.removesuffix("-int8") for row in read_manifest()} == set(PURPOSES)


def test_the_help_says_what_upscale_takes_by_other_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["models", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    points = [point.name for point in POINTS]
    assert f"chooses among {', '.join(points[:-1])} and {points[-1]} by how" in words
    assert f"`--model drawing` takes {nearest_point(DRAWING_STRENGTH).name}." in words


def test_verbose_has_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--verbose"]) == 0
    said = capsys.readouterr().out.replace("\n", "")
    for row in read_manifest():
        assert row.file in said


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ([], ["list"]),
        (["-v"], ["list", "-v"]),
        (["--json"], ["list", "--json"]),
        (["--json"], ["--json", "list"]),
    ],
)
def test_list_is_what_models_prints(
    capsys: pytest.CaptureFixture[str], short: list[str], long: list[str]
) -> None:
    assert run(["models", *short]) == 0
    by_itself = capsys.readouterr().out
    assert run(["models", *long]) == 0
    assert capsys.readouterr().out == by_itself
    assert "balanced" in by_itself
