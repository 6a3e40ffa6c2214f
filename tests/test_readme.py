"""Every code block of the README is run as it stands, in a folder like a reader's."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from markdown_blocks import Block, read_blocks
from reader_folder import REPOSITORY, make_reader_folder, run_python, run_shell
from subpixel.zoo.manifest import BundledNetwork, read_manifest

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = read_blocks(REPOSITORY / "README.md")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCE = PROJECT["urls"]["Source"]
MOST_WORDS = 700


def _timed(block: Block) -> object:
    """The matrix takes most of a minute, and so does tuning."""
    long = "--matrix" in block.body or "subpixel tune" in block.body
    return pytest.param(block.body, marks=pytest.mark.slow) if long else block.body


def _run(language: str) -> list[object]:
    return [_timed(block) for block in BLOCKS if block.language == language and not block.not_run]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the README's commands speak of."""
    folder = tmp_path_factory.mktemp("reader")
    make_reader_folder(folder)
    (folder / "network.onnx").unlink()  # the README makes it
    return folder


def test_there_are_blocks() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "python"}


@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are written for a POSIX shell")
@pytest.mark.parametrize("block", _run("sh"))
def test_shell_blocks(folder: Path, block: str) -> None:
    run_shell(block, folder)


@pytest.mark.parametrize("block", _run("python"))
def test_python_blocks(folder: Path, block: str) -> None:
    run_python(block, folder)


def test_only_installing_is_not_run() -> None:
    """It needs the network. What it names is what pyproject.toml names."""
    (block,) = [block for block in BLOCKS if block.not_run]
    assert f"git clone {SOURCE}.git" in block.body
    extras = re.findall(r"'\.\[([\w,-]+)\]'", block.body)
    assert extras
    assert set(extras) <= set(PROJECT["optional-dependencies"])


def test_links_lead_somewhere() -> None:
    """PyPI shows the README too, so its links to the repository are whole."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets == []
    raw = SOURCE.replace("github.com", "raw.githubusercontent.com")
    own = re.findall(rf"(?:{re.escape(SOURCE)}/blob|{re.escape(raw)})/main/([^)#\s]+)", README)
    assert own
    assert [target for target in own if not (REPOSITORY / target).exists()] == []


def test_the_first_picture_comes_early() -> None:
    assert any("![" in line for line in README.splitlines()[:30])


def test_it_is_short() -> None:
    text = re.sub(r"```.*?```|!\[.*?\]\(.*?\)|<.*?>", " ", README, flags=re.DOTALL)
    assert len(text.split()) <= MOST_WORDS


def test_the_figures_are_the_manifests() -> None:
    """docs/models.md has every bundled network's; the README only what it has room for."""
    models = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    ours = [_line(row) for row in read_manifest()]
    assert [line for line in ours if line not in models] == []
    shown = re.findall(r"^\| `[\w-]+` \| ×.*$", README, flags=re.MULTILINE)
    assert shown
    assert [line for line in shown if line not in ours] == []


def test_the_times_are_the_benchmarks() -> None:
    """As multiples of Pillow's bicubic, from the page that benchmarks/performance.py writes."""
    page = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    table = page.split("## Against interpolation")[1].split("## ")[0]
    times = dict(re.findall(r"^\| `?([^|`]+?)`? \| ([\d.]+) \|", table, flags=re.MULTILINE))
    text = " ".join(README.split())
    assert f"`fast-int8` takes {times['fast-int8']} times as long as Pillow's bicubic" in text
    assert f"`balanced` {times['balanced']} times" in text
    tutorial = times["the tutorial's picture part"]
    assert f"as the tutorial runs it, {tutorial} times" in text


def _line(row: BundledNetwork) -> str:
    psnr = (f"{row.psnr[s]:.2f} ({row.bicubic_psnr[s]:.2f})" for s in row.psnr)
    size = f"{row.path.stat().st_size / 1000:.0f} kB"
    return " | ".join(
        [f"| `{row.name}`", f"×{row.scale}", size, f"{row.multiply_adds:,}", *psnr, ""]
    )[:-1]
