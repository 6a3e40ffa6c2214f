"""Every code block of the README is run as it stands, in a folder like a reader's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from subpixel.zoo.manifest import Bundled, bundled, find

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def _timed(block: str) -> object:
    """The matrix takes most of a minute, and so does tuning."""
    long = "--matrix" in block or "subpixel tune" in block
    return pytest.param(block, marks=pytest.mark.slow) if long else block


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the README's commands speak of."""
    folder = tmp_path_factory.mktemp("reader")
    photo = REPOSITORY / "src" / "subpixel" / "media" / "photo.jpg"
    shutil.copy(photo, folder / "photo.jpg")
    shutil.copy(REPOSITORY / "weights" / "fast-x3.safetensors", folder / "network.safetensors")
    theirs = onnx.load(find("balanced", 2).path)
    del theirs.metadata_props[:]
    onnx.save(theirs, folder / "theirs.onnx")
    (folder / "holiday" / "beach").mkdir(parents=True)
    shutil.copy(photo, folder / "holiday" / "beach" / "sea.jpg")
    (folder / "photographs").mkdir()
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (96, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "photographs" / f"{index}.png")
    return folder


def test_there_are_blocks() -> None:
    assert {language for language, _ in BLOCKS} == {"sh", "python"}


@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are written for a POSIX shell")
@pytest.mark.parametrize("block", [_timed(body) for language, body in BLOCKS if language == "sh"])
def test_shell_blocks(folder: Path, block: str) -> None:
    targets = re.findall(r"^make (\S+)$", block, flags=re.MULTILINE)
    if targets:  # `make test` runs this very test: here, that make knows what to do
        _run(["make", "--dry-run", *targets], REPOSITORY)
    else:
        _run(["sh", "-e", "-c", block], folder)


def _run(command: list[str], folder: Path) -> None:
    """``subpixel`` on the PATH is that of the interpreter that runs the tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [body for language, body in BLOCKS if language == "python"])
def test_python_blocks(folder: Path, block: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=folder, check=True)


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


def test_the_first_picture_comes_early() -> None:
    assert any("![" in line for line in README.splitlines()[:30])


def test_the_figures_are_the_manifests() -> None:
    """docs/models.md has every bundled network's; the README only what it has room for."""
    models = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    ours = [_line(row) for row in bundled()]
    assert [line for line in ours if line not in models] == []
    shown = re.findall(r"^\| `[\w-]+` \| ×.*$", README, flags=re.MULTILINE)
    assert shown
    assert [line for line in shown if line not in ours] == []


def _line(row: Bundled) -> str:
    psnr = (f"{row.psnr[s]:.2f} ({row.bicubic_psnr[s]:.2f})" for s in row.psnr)
    size = f"{row.path.stat().st_size / 1000:.0f} kB"
    return " | ".join(
        [f"| `{row.name}`", f"×{row.scale}", size, f"{row.multiply_adds:,}", *psnr, ""]
    )[:-1]
