"""`verify` and `bisect` against a function of one's own, on pictures and sizes of one's own."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from subpixel.cli.main import run
from subpixel.cli.options.comparison import locate_sides, make_tolerance
from subpixel.errors import UsageError
from subpixel.nets.export.exporters import BATCH, HEIGHT, WIDTH, run_exporter
from subpixel.nets.factory import load_factory
from subpixel.parity.compare import Tolerance
from subpixel.zoo.manifest import find_bundled

CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 6, 3, 1, 1), nn.Conv2d(6, 12, 3, 1, 1)

    def forward(self, pixels):
        base = nn.functional.interpolate(pixels, scale_factor=2.0)
        detail = nn.functional.pixel_shuffle(self.tail(self.head(pixels).relu()), 2)
        return base + 0.05 * detail

def build():
    return Net()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``good.onnx``; ``bad.onnx``, a bias of which was edited; ``photo.png``; the code of both."""
    import torch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("subpixel.parity.cases.BUDGET", 1.0)
    name = f"ours_{tmp_path.name}"  # a module is imported once
    (tmp_path / f"{name}.py").write_text(CODE)
    module = load_factory(f"{name}:build").module
    free = {BATCH: 1, HEIGHT: 1, WIDTH: 1}
    model = run_exporter("trace", module, torch.rand(1, 3, 9, 7), 17, free)
    onnx.save(model, "good.onnx")
    tensor = next(each for each in model.graph.initializer if each.name.endswith("tail.bias"))
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 0.4, tensor.name))
    onnx.save(model, "bad.onnx")
    grey = np.linspace(60, 180, 13 * 17, dtype=np.uint8).reshape(13, 17)
    Image.fromarray(grey).convert("RGB").save("photo.png")
    return tmp_path


def module(folder: Path) -> list[str]:
    return ["--module", f"ours_{folder.name}:build"]


@pytest.mark.slow
def test_against_a_function(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "good.onnx", *module(folder)]) == 0
    assert run(["verify", "bad.onnx", *module(folder)]) == 1
    capsys.readouterr()
    assert run(["bisect", "good.onnx", *module(folder)]) == 0
    assert run(["bisect", "bad.onnx", *module(folder), "--picture", "photo.png", "--json"]) == 1
    blame = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert (blame["stage"], blame["node"]) == ("change after export", "/tail/Conv")
    assert blame["result"]["case"]["source"] == "photo.png"


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_pictures_and_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--picture", "photo.png", "--size", "12x34", "--size", "5×6"]
    assert run(["verify", "bad.onnx", "--against", "good.onnx", *options, "--json"]) == 1
    cases = [result["case"] for result in json.loads(capsys.readouterr().out)["results"]]
    assert cases[0] == {
        "batch": 1, "height": 13, "width": 17, "content": "picture", "seed": 0,
        "source": "photo.png",
    }  # fmt: skip
    assert {(case["height"], case["width"]) for case in cases} > {(13, 17), (12, 34), (5, 6)}
    assert run(["verify", "bad.onnx", "--against", "good.onnx", *options]) == 1
    assert "photo.png" in capsys.readouterr().out
    assert run(["bisect", "bad.onnx", "--against", "good.onnx", *options]) == 1
    assert "1×5×6" in capsys.readouterr().out, "the smallest of them, and none of the grid"


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("verb", ["verify", "bisect"])
def test_tolerances(verb: str) -> None:
    """The bias is 5.1 code values off, about 34 dB."""
    command = [verb, "bad.onnx", "--against", "good.onnx"]
    assert run(command) == 1
    assert run([*command, "--max-codes", "6"]) == 0
    assert run([*command, "--max-codes", "4"]) == 1
    assert run([*command, "--min-psnr", "33"]) == 0
    assert run([*command, "--min-psnr", "35"]) == 1
    assert run([*command, "--min-psnr", "33", "--max-codes", "4"]) == 1


def test_a_tolerance_is_what_was_asked_for() -> None:
    assert make_tolerance(None, None) is None
    assert make_tolerance(40.0, None) == Tolerance(rtol=None, max_codes=255, min_psnr=40.0)
    assert make_tolerance(None, 2) == Tolerance(rtol=None, max_codes=2)
    assert make_tolerance(None, None, 0.1) == Tolerance(rtol=0.1)
    assert make_tolerance(None, 3, None, 0.5) == Tolerance(atol=0.5, max_codes=3)
    both = Tolerance(rtol=0.1, max_codes=255, min_psnr=40.0)
    assert make_tolerance(40.0, None, 0.1) == both, "no code values were asked about"
    assert make_tolerance(40.0, 2, 0.1) == replace(both, max_codes=2)


BUNDLED = find_bundled("fast", 2).path


def test_networks_by_their_names(tmp_path: Path) -> None:
    file, checkpoint = tmp_path / "mine.onnx", Path("mine.pth")
    assert locate_sides(Path("fast"), Path("fast"), 2) == (BUNDLED, BUNDLED)
    assert locate_sides(file, Path("fast"), 2) == (file, BUNDLED)
    assert locate_sides(Path("fast"), checkpoint, 2) == (BUNDLED, checkpoint)
    assert locate_sides(file, None, None) == (file, None)
    assert locate_sides(Path("fast"), None, None) == (find_bundled("fast", 3).path, None)
    (tmp_path / "archive").touch()
    assert locate_sides(file, tmp_path / "archive", None) == (file, tmp_path / "archive")
    with pytest.raises(UsageError, match="did you mean fast"):
        locate_sides(file, Path("fastt"), None)
    with pytest.raises(UsageError, match="--scale chooses"):
        locate_sides(file, checkpoint, 2)


@pytest.mark.parametrize("verb", ["verify", "bisect"])
def test_a_bundled_network_against_itself(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("subpixel.parity.cases.BUDGET", 1.0)
    size = ["--size", "5x6"] if verb == "bisect" else []
    assert run([verb, "fast", "--against", "fast", "--scale", "2", *size]) == 0
    assert run([verb, "fast", "--against", "nothing"]) == 2
    assert "neither a bundled network" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("verb", ["verify", "bisect"])
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "name the reference"),
        (["--against", "good.onnx", "--module", "a:b"], 2, "name the reference"),
        (["--module", "nowhere:build"], 1, "no module nowhere"),
        (["--against", "good.onnx", "--size", "12"], 2, "no size"),
        (["--against", "good.onnx", "--size", "0x5"], 2, "no size"),
        (["--against", "good.onnx", "--picture", "missing.png"], 1, "missing.png"),
        (["--against", "good.onnx", "--max-codes", "-1"], 2, "max-codes"),
        (["--against", "good.onnx", "--min-psnr", "nan"], 2, "no number of"),
    ],
)
def test_what_is_refused(
    verb: str,
    options: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([verb, "bad.onnx", *options]) == code
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("option", ["--picture", "--size", "--min-psnr", "--max-codes", "--module"])
def test_the_matrix_has_its_own(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"--size": "5x5", "--picture": "photo.png", "--module": "a:b"}.get(option, "9")
    assert run(["verify", "bad.onnx", "--against", "good.onnx", "--matrix", option, value]) == 2
    assert f"{option} clashes with --matrix" in capsys.readouterr().err
