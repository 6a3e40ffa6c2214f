"""`--denoise` with and without a number, on every version of Click; what it goes with."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.cli.main import run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    y, x = np.mgrid[:48, :64]
    rgb = np.stack([(3 * x + y * y) % 256, 5 * y, 255 - 3 * x], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(file, quality=82)
    return file


def choice(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["upscale", *arguments, "--json", "--overwrite"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["files"]
    return dict(result["choice"] or {})


def test_a_jpeg_s_quality_picks_the_network(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choice(capsys, str(photo)) == {
        "network": "denoise-75",
        "strength": 0.75,
        "reason": "a JPEG of quality 82, by its tables",
        "jpeg_quality": 82,
    }
    assert run(["upscale", str(photo), "--overwrite"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "subpixel: photo.jpg: network denoise-75 (a JPEG of quality 82, by its tables)\n"
    )


def test_it_is_said_again_where_it_changes(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Image.open(photo) as image:
        image.save(photo.with_name("a.jpg"), quality=82)
        image.save(photo.with_name("b.jpg"), quality=40)
    files = [str(photo.with_name(name)) for name in ("photo.jpg", "a.jpg", "b.jpg")]
    assert run(["upscale", *files]) == 0
    *lines, _summary = capsys.readouterr().err.splitlines()
    assert [line.split()[1:4] for line in lines] == [
        ["photo.jpg:", "network", "denoise-75"],
        ["b.jpg:", "network", "denoise"],
    ]


@pytest.mark.parametrize(
    ("options", "network"),
    [
        (["--denoise"], "denoise"),
        (["--denoise", "1"], "denoise"),
        (["--denoise=0.5"], "denoise-50"),
        (["--denoise", "0"], "balanced"),
        (["--denoise", ".25", "--model", "balanced"], "denoise-25"),
        (["--model", "auto", "--denoise"], "denoise"),
    ],
)
def test_a_strength_picks_the_network(
    photo: Path, capsys: pytest.CaptureFixture[str], options: list[str], network: str
) -> None:
    assert choice(capsys, str(photo), *options)["network"] == network
    assert choice(capsys, *options, str(photo))["network"] == network


def test_a_rounded_strength_is_said(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", str(photo), "--denoise", "0.6"]) == 0
    assert "strength 0.5, the nearest there is to 0.6" in capsys.readouterr().err


def test_a_picture_that_is_called_like_the_option(
    photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    photo.rename("--denoise")
    assert run(["upscale", "-o", "out.png", "--json", "--", "--denoise"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["files"]
    assert result["choice"]["network"] == "denoise-75"


@pytest.mark.parametrize("options", [["--denoise", "2"], ["--denoise=-0.1"], ["--denoise=x"]])
def test_other_strengths_are_refused(
    photo: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert run(["upscale", str(photo), *options]) == 2
    assert "--denoise" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["fast", "denoise", "balanced-int8", "net.onnx"])
def test_a_strength_beside_another_network_is_refused(
    photo: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    assert run(["upscale", str(photo), "--denoise", "--model", model]) == 2
    said = capsys.readouterr().err
    assert f"--denoise and --model {model} don't go together" in said
    assert "--model auto or balanced" in said


def test_a_named_network_is_not_explained(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert choice(capsys, str(photo), "--model", "fast") == {}
    assert run(["upscale", str(photo), "--model", "fast", "--overwrite"]) == 0
    assert capsys.readouterr() == ("", "")
