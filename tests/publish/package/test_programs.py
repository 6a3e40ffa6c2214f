"""What all programs in packages share: arguments, what is kept, lost and refused, whole files."""

import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from nodes import expect_node
from subpixel.publish.package.filling import fill_templates
from subpixel.publish.package.targets import OWN_TEMPLATES, PACKAGE_TARGETS
from subpixel.publish.package.values import LOSSES

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = SRGB[:16] + b"GRAY" + SRGB[20:]
"""The profile of a scanner, as far as the programs look at it."""

COLOURS = np.arange(8 * 9 * 4, dtype=np.uint8).reshape(8, 9, 4)
RGB = np.ascontiguousarray(COLOURS[..., :3])


def write_files(folder: Path, package: str) -> None:
    """The files of a folder of templates that name nothing of a network."""
    values = dict.fromkeys(("slug", "input", "output"), "x")
    for name, content in fill_templates(f"{OWN_TEMPLATES}.{package}", values).items():
        (folder / name).write_bytes(content)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """The shared module of Python's programs."""
    write_files(tmp_path, "pictures")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import program

    yield program
    for name in ("program", "pictures"):
        sys.modules.pop(name, None)


def double(rgb: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return rgb.repeat(2, 0).repeat(2, 1)


def call(program: types.ModuleType, *arguments: str | Path) -> int:
    """As a program with these arguments ends; its upscaling repeats pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/somewhere/upscale.py", *map(str, arguments)])
        usage = "\nThe usage.\n"
        try:
            program.run(usage, [2], lambda *names: program.enlarge_file(*names, double))
        except SystemExit as end:
            if isinstance(end.code, int):
                return end.code
            sys.stderr.write(f"{end.code}\n")  # as Python does
            return 1
    return 0


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        ([], 2, ("", "The usage.\n")),
        (["a.png"], 2, ("", "The usage.\n")),
        (["a.png", "b.png", "c.png"], 2, ("", "The usage.\n")),
        (["--help"], 0, ("The usage.\n", "")),
        (["-h"], 0, ("The usage.\n", "")),
    ],
)
def test_usage(
    program: types.ModuleType,
    arguments: list[str],
    code: int,
    printed: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(program, *arguments) == code
    assert tuple(capsys.readouterr()) == printed


def write_refused(folder: Path) -> Iterator[tuple[str, str]]:
    """Pictures that no program takes, and a word of the refusal."""
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    for name in ("a.gif", "b.webp", "c.png", "d.tif"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
        yield name, "has 2 frames"
    for name, image, word in (
        ("clear.png", Image.fromarray(COLOURS), "transparency"),
        ("cmyk.jpg", Image.fromarray(RGB).convert("CMYK"), "CMYK"),
        ("deep.tif", Image.fromarray(RGB[..., 0].astype(np.uint16)), "I;16"),
    ):
        image.save(folder / name)
        yield name, word
    Image.fromarray(RGB[..., 0]).save(folder / "grey.png", icc_profile=GREY)
    yield "grey.png", "profile is for 'GRAY'"
    Image.fromarray(RGB).save(folder / "cut.png")
    cut = (folder / "cut.png").read_bytes()
    for name, content in {"cut.png": cut[:60], "text.png": b"no picture", "empty.png": b""}.items():
        (folder / name).write_bytes(content)
        yield name, ""
    yield "missing.png", "No such file"


def expect_line(said: str) -> None:
    assert said.startswith("upscale.py: ")
    assert said.count("\n") == 1


def test_refused_pictures_are_a_line(
    program: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, word in list(write_refused(tmp_path)):
        before = sorted(tmp_path.iterdir())
        assert call(program, tmp_path / name, tmp_path / "larger.png") == 1, name
        said = capsys.readouterr().err
        expect_line(said)
        assert word in said, name
        assert sorted(tmp_path.iterdir()) == before, "no draft, no result"


def test_jpegs_with_previews_are_taken(program: types.ModuleType, tmp_path: Path) -> None:
    """Those of phones and cameras; what is behind the picture is named as lost."""
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(tmp_path / "a.mpo", "MPO", save_all=True, append_images=frames[1:])
    assert call(program, tmp_path / "a.mpo", tmp_path / "larger.png") == 0
    assert "gain maps" in LOSSES


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("own.png", "is the picture itself"),
        ("hard.png", "is the picture itself"),
        ("soft.png", "is the picture itself"),
        ("larger.xyz", "names no format"),
        ("larger.bmp", "names no format"),
        ("larger", "names no format"),
        ("nowhere/larger.png", "is no folder"),
        ("folder.png", "is no ordinary file"),
    ],
)
def test_targets_are_looked_at_before_the_picture(
    program: types.ModuleType,
    tmp_path: Path,
    target: str,
    word: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = tmp_path / "own.png"
    Image.fromarray(RGB).save(own)
    os.link(own, tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to("own.png")
    (tmp_path / "folder.png").mkdir()
    before = own.read_bytes()
    monkeypatch.setattr(program, "read_picture", None)
    assert call(program, own, tmp_path / target) == 1
    said = capsys.readouterr().err
    expect_line(said)
    assert word in said
    assert own.read_bytes() == before


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".tif", ".tiff"])
def test_the_profile_is_carried_over(
    program: types.ModuleType, tmp_path: Path, suffix: str
) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png", icc_profile=SRGB)
    assert call(program, tmp_path / "a.png", tmp_path / f"larger{suffix}") == 0
    with Image.open(tmp_path / f"larger{suffix}") as larger:
        assert larger.info["icc_profile"] == SRGB
        assert program.FORMATS[suffix.lower()] == larger.format
        assert larger.size == (18, 16)
    Image.fromarray(RGB).save(tmp_path / "a.png")
    assert call(program, tmp_path / "a.png", tmp_path / f"larger{suffix}") == 0
    with Image.open(tmp_path / f"larger{suffix}") as larger:
        assert larger.info.get("icc_profile") is None


def test_an_earlier_result_is_replaced_whole(
    program: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also behind a link, which stays one; where the work fails it is as it was."""
    Image.fromarray(RGB).save(tmp_path / "a.png")
    (tmp_path / "real.png").write_bytes(b"earlier")
    (tmp_path / "larger.png").symlink_to("real.png")
    names = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(program.Image, "fromarray", None)
        assert call(program, tmp_path / "a.png", tmp_path / "larger.png") == 1
    assert (tmp_path / "real.png").read_bytes() == b"earlier"
    assert call(program, tmp_path / "a.png", tmp_path / "larger.png") == 0
    with Image.open(tmp_path / "real.png") as larger:
        assert np.array_equal(np.asarray(larger), double(RGB))
    assert sorted(tmp_path.iterdir()) == names
    assert (tmp_path / "larger.png").is_symlink()


def test_another_s_draft_is_left_alone(program: types.ModuleType, tmp_path: Path) -> None:
    """In each container the program is process 1: drafts that bear its number are not its own."""
    Image.fromarray(RGB).save(tmp_path / "a.png")
    inner = tmp_path / "inner.png"

    def work_beside_another(rgb: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        program.enlarge_file(tmp_path / "a.png", inner, double)
        return double(rgb)

    program.enlarge_file(tmp_path / "a.png", tmp_path / "outer.png", work_beside_another)
    assert inner.read_bytes() == (tmp_path / "outer.png").read_bytes()


def test_every_readme_says_what_is_lost() -> None:
    for target in PACKAGE_TARGETS:
        keys = ("slug", "input", "output", "triton_inputs", "triton_outputs")
        values = Values(dict.fromkeys(keys, "x"), losses=LOSSES)
        files = fill_templates(f"{OWN_TEMPLATES}.{target.name}", values)
        assert (LOSSES in files["README.md"].decode()) is (target.name != "web"), target.name


class Values(dict[str, str]):
    """Something for every key."""

    def __missing__(self, key: str) -> str:
        return key


STANDS_IN = {
    "onnxruntime-node": "exports.InferenceSession = exports.Tensor = null;",
    "pngjs": "exports.PNG = { sync: { read() { throw new Error('no PNG'); } } };",
}
"""What is needed of the packages to look at arguments, targets and chunks."""


@pytest.fixture
def node(tmp_path: Path) -> str:
    program = expect_node()
    values = Values()
    for name, content in fill_templates(f"{OWN_TEMPLATES}.node", values).items():
        (tmp_path / name).write_bytes(content)
    for name, text in STANDS_IN.items():
        (tmp_path / "node_modules" / name).mkdir(parents=True)
        (tmp_path / "node_modules" / name / "index.js").write_text(text)
    return program


def call_node(
    node: str, folder: Path, *arguments: str, text: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [node, *arguments], cwd=folder, input=text, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ([], 2, "usage: node upscale.mjs"),
        (["own.png", "b.png", "c.png"], 2, "usage: node upscale.mjs"),
        (["--help"], 0, "usage: node upscale.mjs"),
        (["own.png", "own.png"], 1, "is the picture itself"),
        (["own.png", "hard.png"], 1, "is the picture itself"),
        (["own.png", "soft.png"], 1, "is the picture itself"),
        (["own.png", "larger.jpg"], 1, "writes PNG"),
        (["own.png", "nowhere/larger.png"], 1, "no folder"),
        (["own.png", "folder.png"], 1, "no ordinary file"),
        (["missing.png", "larger.png"], 1, "no such file"),
        (["own.png", "larger.png"], 1, "own.png: no PNG"),
    ],
)
def test_node_s_arguments(
    node: str, tmp_path: Path, arguments: list[str], code: int, word: str
) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(b"text")
    os.link(own, tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to("own.png")
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.iterdir())
    done = call_node(node, tmp_path, "upscale.mjs", *arguments)
    assert done.returncode == code
    said, silent = (done.stdout, done.stderr) if code == 0 else (done.stderr, done.stdout)
    assert word in said
    assert (said.count("\n"), silent) == (1, "")
    assert said.startswith("upscale.mjs: " if code == 1 else "usage")
    assert (sorted(tmp_path.iterdir()), own.read_bytes()) == (before, b"text")


NODE_S_CHUNKS = """
import { readFileSync, writeFileSync } from "node:fs";
import { findProfile, withProfile } from "./upscale.mjs";
import { writeWhole } from "./program.mjs";
const profile = findProfile(readFileSync("a.png"));
const bytes = withProfile(readFileSync("plain.png"), profile);
await Promise.all([writeWhole("b.png", bytes), writeWhole("beside.png", bytes)]);
for (const name of ["plain.png", "grey.png", "frames.png", "still.png"])
  try {
    console.log(name, findProfile(readFileSync(name)));
  } catch (error) {
    console.log(name, error.message);
  }
"""


def test_node_carries_the_profile_over(node: str, tmp_path: Path) -> None:
    """The chunk goes into another PNG; Pillow, which checks its sum, reads it there. Two files are
    written at a time."""
    picture, other = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    picture.save(tmp_path / "a.png", icc_profile=SRGB)
    other.save(tmp_path / "plain.png")
    picture.convert("L").save(tmp_path / "grey.png", icc_profile=GREY)
    picture.save(tmp_path / "frames.png", save_all=True, append_images=[other])
    picture.save(tmp_path / "still.png", save_all=True)
    done = call_node(node, tmp_path, "--input-type=module", "-", text=NODE_S_CHUNKS)
    plain, grey, frames, still = done.stdout.splitlines()
    assert plain == "plain.png undefined"
    assert "profile is for GRAY" in grey
    assert "has 2 frames" in frames
    assert still == "still.png undefined"
    assert (tmp_path / "beside.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "b.png") as larger:
        assert larger.info["icc_profile"] == SRGB
        assert np.array_equal(np.asarray(larger), 255 - RGB)
