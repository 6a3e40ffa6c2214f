"""No verb overwrites one of its inputs: not with --overwrite, not by another name."""

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import subpixel
from subpixel.cli.main import run
from subpixel.errors import UsageError
from subpixel.zoo.manifest import find_bundled

WEIGHTS = Path(__file__).resolve().parents[2] / "weights" / "fast-x2.safetensors"
NETWORK, CHECKPOINT, PICTURE, OTHER = "net.onnx", "net.safetensors", "photos/a.png", "photos/b.png"

COMMANDS = {
    "upscale": ["upscale", PICTURE, "-o", PICTURE],
    "compare, before": ["compare", PICTURE, OTHER, "-o", PICTURE],
    "compare, after": ["compare", PICTURE, OTHER, "-o", OTHER],
    "quantize": ["quantize", "--model", NETWORK, "--precision", "fp16", "-o", NETWORK],
    "adopt": ["adopt", NETWORK, "-o", NETWORK],
    "export": ["export", NETWORK, "--interface", "bytes", "-o", NETWORK],
    "export, linked": ["export", CHECKPOINT, "-o", "net2.onnx"],
    "verify, the network": [
        *("verify", NETWORK, "--against", CHECKPOINT),
        *("--matrix", "--html", NETWORK),
    ],
    "verify, against": [
        *("verify", NETWORK, "--against", CHECKPOINT),
        *("--matrix", "--html", CHECKPOINT),
    ],
    "bisect": ["bisect", NETWORK, "--against", CHECKPOINT, "-o", "."],
    "package": ["package", NETWORK, "--target", "docker", "-o", "."],
    "evaluate": ["evaluate", "--model", "fast", "--data", "photos", "--pictures", "photos"],
    "train, warm start": [
        *("train", "--data", "photos", "--scale", "2", "--preset", "smoke"),
        *("--warm-start", CHECKPOINT, "-o", NETWORK.replace("net", "net3")),
    ],
}
LINKS = {"net2.onnx": CHECKPOINT, "net3.safetensors": CHECKPOINT}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(find_bundled("fast", 2).path, tmp_path / NETWORK)
    shutil.copy(WEIGHTS, tmp_path / CHECKPOINT)
    (tmp_path / "photos").mkdir()
    for name in (PICTURE, OTHER):
        Image.fromarray(np.full((8, 9, 3), 77, np.uint8)).save(tmp_path / name)
    for link, target in LINKS.items():
        (tmp_path / link).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_verb_overwrites_an_input(
    folder: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    assert run([*command, "--overwrite"]) == 2
    assert "overwrit" in capsys.readouterr().err.replace("--overwrite", "")
    assert contents(folder) == before


@pytest.mark.parametrize(
    "link", [os.link, os.symlink, shutil.copy], ids=["hard link", "symbolic link", "itself"]
)
def test_nor_does_the_python_interface(folder: Path, link: Callable[[Path, Path], object]) -> None:
    source, target = folder / PICTURE, folder / "linked.png"
    if link is shutil.copy:
        target = source
    else:
        link(source, target)
    before = contents(folder)
    upscaler = subpixel.Upscaler(model="fast", scale=2)
    with pytest.raises(UsageError, match="is one of the inputs, which are never overwritten"):
        upscaler.file(source, target, overwrite=True)
    assert contents(folder) == before


def test_training_replaces_nothing_of_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record of a run lies beside its network, under the same name."""
    command = [*("train", "--data", "photos", "--scale", "2"), "-o", "own.onnx"]
    for name in ("own.safetensors", "own.csv", "own.sample.png", "own.md"):
        file = folder / name
        file.write_text("mine")
        assert run(command) == 1
        assert f"{name} exists" in capsys.readouterr().err
        assert file.read_text() == "mine"
        file.unlink()
