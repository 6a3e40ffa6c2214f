"""`subpixel upscale` among hostile files, and where nobody hears it: the good pictures are done."""

import errno
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import subpixel
from journals import result_names
from subpixel.cli.main import run
from subpixel.jobs import folder as folder_listing
from subpixel.upscaling.upscaler import Upscaler

FAST = ("--model", "fast-int8")
GOOD = ("b.png", "m.jpg", "z.webp")

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files in folders")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    for name in GOOD:
        Image.fromarray(np.full((12, 16, 3), 90, np.uint8)).save(source / name)
    return source


def _expect_good(output: Path, *others: str) -> None:
    """The good pictures are there, whole, and nothing else is."""
    assert result_names(output) == {*GOOD, *others}
    for name in GOOD:
        with Image.open(output / name) as image:
            assert np.asarray(image).shape == (36, 48, 3)


def _upscale(*words: str | Path) -> int:
    return run(["upscale", *map(str, words), *FAST])


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _link_in_circles(path: Path) -> None:
    path.symlink_to("other.png")
    path.with_name("other.png").symlink_to(path.name)


def _link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _cut(path: Path) -> None:
    whole = path.with_name(GOOD[0]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def _do_nothing(_path: Path) -> None:
    pass


def _make_folder(path: Path) -> None:
    path.mkdir()


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (os.mkfifo if hasattr(os, "mkfifo") else _do_nothing, "it is a named pipe"),
    "device": (_link_to_device, "it is a device"),
    "link": (_link_to_itself, os.strerror(errno.ELOOP)),
    "circle": (_link_in_circles, os.strerror(errno.ELOOP)),
    "missing": (_do_nothing, os.strerror(errno.ENOENT)),
    "empty": (_write_nothing, "it is empty"),
    "cut": (_cut, "can't be read as PNG"),
}


@posix
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_that_was_named_is_one_line(
    folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = HOSTILE[kind]
    victim = folder / "c.png"
    make(victim)
    names = [folder / GOOD[0], victim, *(folder / name for name in GOOD[1:])]
    assert _upscale(*names, "-o", folder.parent / "out", "-q") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "c.png" in lines[0]
    assert words in lines[0]
    _expect_good(folder.parent / "out")


@posix
def test_what_is_no_picture_in_a_folder_is_passed_over_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / "a.png")
    (folder / "c.png").symlink_to("/dev/zero")
    (folder / "d.png").mkdir()
    assert _upscale(folder, "-o", folder.parent / "out") == 0
    assert "2 files that no format claims: no ordinary file (a.png; c.png)" in (
        capsys.readouterr().err
    )
    _expect_good(folder.parent / "out")


@posix
def test_a_circle_of_links_in_a_folder_is_a_fault(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _link_in_circles(folder / "c.png")
    assert _upscale(folder, "-o", folder.parent / "out", "-q") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [os.strerror(errno.ELOOP) in line for line in lines] == [True, True]
    _expect_good(folder.parent / "out")


@pytest.mark.parametrize("length", [255, 254, 249])
def test_a_name_as_long_as_may_be(folder: Path, length: int) -> None:
    name = "n" * (length - 4) + ".png"
    (folder / GOOD[0]).rename(folder / name)
    assert _upscale(folder, "-o", folder.parent / "out") == 0
    assert result_names(folder.parent / "out") == {name, *GOOD[1:]}
    assert _upscale(folder) == 0, "the name is cut to make room for the mark"
    results = result_names(folder) - {name, *GOOD[1:]}
    assert len(results) == 3
    assert all(len(result) <= 255 for result in results)


def test_a_name_that_is_too_long_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [folder / "x.jpg" / ("n" * 300 + ".png"), folder / ("n" * 300 + ".png")]
    for name in names:
        good = [folder / each for each in GOOD]
        assert _upscale(name, *good, "-o", folder.parent / "out", "-q", "--overwrite") == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
        _expect_good(folder.parent / "out")
        assert _upscale(good[0], name, "-o", folder.parent / "out", "-q", "--overwrite") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert name.parent != folder or "too long" in line.lower()


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_a_folder_where_a_result_should_go(
    folder: Path, overwrite: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    output = folder.parent / "out"
    (output / "c.png").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(folder / "c.png")
    assert _upscale(folder, "-o", output, "-q", *overwrite) == 1
    line = f"subpixel: {output / 'c.png'} can't be written: it is a folder; name a file\n"
    assert capsys.readouterr().err == line
    _expect_good(output, "c.png")


def test_a_file_where_a_folder_should_go(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "deep").mkdir()
    (folder / GOOD[0]).rename(folder / "deep" / "c.png")
    output = folder.parent / "out"
    output.mkdir()
    (output / "deep").write_bytes(b"in the way")
    assert _upscale(folder, "-o", output, "-q") == 1
    assert "the folder can't be made" in capsys.readouterr().err
    assert result_names(output) == {"deep", *GOOD[1:]}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_a_folder_that_takes_no_file(
    folder: Path, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Injected, as root may write anywhere."""
    (folder / "closed").mkdir()
    Image.new("RGB", (9, 9)).save(folder / "closed" / "c.png")
    opening = os.open

    def refuse(path: object, *rest: object, **more: object) -> int:
        if str(path).endswith(os.path.join("out", "closed")):  # noqa: PTH118
            raise OSError(number, os.strerror(number))
        return opening(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    whole = Path.open

    def refuse_name(path: Path, mode: str = "r", *rest: object, **more: object) -> object:
        if "x" in mode and path.parent.name == "closed":
            raise OSError(number, os.strerror(number))
        return whole(path, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", refuse_name)
    assert _upscale(folder, "-o", folder.parent / "out", "-q") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert os.strerror(number) in lines[0]
    assert "c.png" in lines[0]
    _expect_good(folder.parent / "out", "closed")


def test_a_subfolder_that_can_not_be_read_is_said_and_exit_code_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Injected, as root reads everything."""
    (folder / "closed").mkdir()
    listing = os.scandir

    def refuse(path: Path) -> "Iterator[os.DirEntry[str]]":
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listing(path)

    monkeypatch.setattr(folder_listing.os, "scandir", refuse)
    assert _upscale(folder, "-o", folder.parent / "out", "-q") == 1
    line = f"subpixel: {folder / 'closed'} can't be read: {os.strerror(errno.EACCES)}\n"
    assert capsys.readouterr().err == line
    _expect_good(folder.parent / "out")


@pytest.mark.parametrize("verbose", [(), ("-v",)])
def test_a_fault_of_ours_shows_where_it_struck_with_v_only(
    folder: Path,
    verbose: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = Upscaler.choose

    def choose(self: Upscaler, source: object) -> object:
        if source.file.name == GOOD[1]:
            raise struct.error("bad offset")
        return whole(self, source)

    monkeypatch.setattr(Upscaler, "choose", choose)
    assert _upscale(folder, "-o", folder.parent / "out", *verbose) == 1
    said = capsys.readouterr().err
    assert f"{folder / GOOD[1]}: error: bad offset (a fault of subpixel" in said
    assert ("Traceback (most recent call last)" in said) == bool(verbose)
    assert result_names(folder.parent / "out") == {GOOD[0], GOOD[2]}


DEAF = {
    "stderr closed": ("2>&-", 0),
    "stderr full": ("2>/dev/full", 0),
    "stderr nobody reads": ("2>&1 >/dev/null | true", None),
    "stdout closed": (">&-", 0),
    "all closed": ("<&- >&- 2>&-", 0),
    "stdout closed, with JSON": (">&- --json", 1),
    "stdout full, with JSON": (">/dev/full --json", 1),
    "both full, with JSON": (">/dev/full 2>/dev/full --json", 1),
}


OFTEN = ("stderr closed", "all closed", "both full, with JSON")


@posix
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in OFTEN else pytest.mark.slow) for case in DEAF]
)
def test_the_pictures_are_done_where_nobody_hears_of_it(folder: Path, case: str) -> None:
    if "/dev/full" in DEAF[case][0] and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    output, (ends, code) = folder.parent / "out", DEAF[case]
    command = f'"$0" -m subpixel upscale "$1" missing.png -o "$2" {" ".join(FAST)} -v {ends}'
    if code == 0:
        command = command.replace(" missing.png", "")
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(folder), str(output)],
        env=os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert code in (done.returncode, None)
    _expect_good(output)


@posix
def test_a_picture_for_a_standard_output_that_is_closed_is_a_failure(folder: Path) -> None:
    command = f'"$0" -m subpixel upscale "$1" -o - {" ".join(FAST)} >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(folder / GOOD[0])],
        env=os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert "standard output can't be written: Bad file descriptor" in done.stderr


def test_the_trace_is_in_the_json(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def choose(self: Upscaler, source: object) -> object:  # noqa: ARG001
        raise KeyError("tag")

    monkeypatch.setattr(Upscaler, "choose", choose)
    assert _upscale(folder / GOOD[0], "--json") == 1
    (facts,) = json.loads(capsys.readouterr().out)["files"]
    assert "KeyError: 'tag'" in facts["error"]
    assert "in choose" in facts["trace"]
