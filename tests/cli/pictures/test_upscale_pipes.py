"""`subpixel upscale` in a pipe: a picture in, a picture out, and no other byte on stdout."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import subpixel


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    y, x = np.mgrid[:20, :30]
    rgb = np.stack([8 * x, 12 * y, 255 - 8 * x], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(file)
    return file


def _start(
    *words: str, stdin: int | io.BufferedReader = subprocess.DEVNULL, folder: Path | None = None
) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])}
    if folder:
        environment["TMPDIR"] = str(folder)
    return subprocess.Popen(
        [sys.executable, "-m", "subpixel", "upscale", "--model", "fast", *words],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def _run(*words: str, data: bytes = b"", folder: Path | None = None) -> tuple[int, bytes, str]:
    process = _start(*words, stdin=subprocess.PIPE, folder=folder)
    out, err = process.communicate(data)
    return process.returncode, out, err.decode()


def _look(data: bytes) -> tuple[str | None, tuple[int, int]]:
    """Format and size; raises where the data is not whole."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.format, image.size


def test_in_and_out(photo: Path, tmp_path: Path) -> None:
    """Byte for byte what a file gets, in the input's format and another; no file is left behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for words in ((), ("--format", "webp"), ("--width", "75")):
        suffix = ".webp" if "webp" in words else ".png"
        target = photo.with_name(f"out{len(words)}{suffix}")
        assert _run(str(photo), "-o", str(target), "--overwrite", *words)[0] == 0
        code, out, err = _run("-", "-o", "-", *words, data=photo.read_bytes(), folder=scratch)
        assert (code, err) == (0, "")
        assert out == target.read_bytes()
    assert list(scratch.iterdir()) == []


def test_a_redirected_file_is_a_stream_like_any_other(photo: Path) -> None:
    with photo.open("rb") as stream:
        process = _start("-", "-o", "-", "--format", "JPG", "--scale", "2", stdin=stream)
        out, _ = process.communicate()
    assert (process.returncode, _look(out)) == (0, ("JPEG", (60, 40)))


@pytest.mark.slow
def test_from_a_pipe_to_a_file_and_from_a_file_to_a_pipe(photo: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.webp"
    code, out, err = _run("-", "-o", str(target), "--scale", "2", data=photo.read_bytes())
    assert (code, out, err) == (0, b"", "")
    assert _look(target.read_bytes()) == ("WEBP", (60, 40))
    code, out, err = _run(str(photo), "-o", "-", "--scale", "2")
    assert (code, err) == (0, "")
    assert _look(out) == ("PNG", (60, 40))


def test_without_an_output_a_pipe_leads_to_the_next(photo: Path) -> None:
    code, out, err = _run("-", data=photo.read_bytes())
    assert (code, err, _look(out)) == (0, "", ("PNG", (90, 60)))


@pytest.mark.slow
def test_what_is_said_goes_to_stderr(photo: Path) -> None:
    deep = io.BytesIO()
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(deep, "PNG")
    code, out, err = _run("-", "-o", "-", "--format", "jpeg", data=deep.getvalue())
    assert (code, _look(out)) == (0, ("JPEG", (27, 27)))
    assert err.startswith("subpixel: -: lost bit depth")
    words = ("-", "-o", "-", "--format", "jpeg", "--strict")
    code, out, err = _run(*words, data=deep.getvalue())
    assert (code, out) == (1, b"")
    assert err.startswith("subpixel: standard output would lose bit depth")
    code, out, err = _run("-", "-o", "-", "--width", "15", data=photo.read_bytes())
    assert (code, _look(out)) == (0, ("PNG", (15, 10)))
    assert err == "subpixel: -: 30 x 20 pixels become fewer, 15 x 10: no network is used\n"


@pytest.mark.parametrize(
    ("data", "words", "line"),
    [
        (b"", (), "standard input can't be read: it is empty (0 bytes)"),
        (b"no picture at all, but words", (), "standard input can't be read: it holds no "),
        (None, ("--max-pixels", "500"), "standard input has 30 x 20 pixels"),
        (b"cut", (), "standard input can't be read as PNG"),
    ],
)
def test_a_bad_picture_is_one_line_and_no_output(
    photo: Path, data: bytes | None, words: tuple[str, ...], line: str
) -> None:
    whole = photo.read_bytes()
    sent = whole if data is None else whole[:-60] if data == b"cut" else data
    code, out, err = _run("-", "-o", "-", *words, data=sent)
    assert (code, out) == (1, b"")
    assert err.startswith(f"subpixel: {line}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [("--max-memory", "200M"), ("--max-pixels", "1000000")])
def test_a_stream_without_end_is_given_up(photo: Path, words: tuple[str, str]) -> None:
    process = _start("-", "-o", "-", *words, stdin=subprocess.PIPE)
    assert process.stdin
    assert process.stderr
    process.stdin.write(photo.read_bytes())
    with pytest.raises(BrokenPipeError):
        process.stdin.write(bytes(1 << 30))
    assert process.stderr.read().startswith(b"subpixel: standard input gives more than ")
    process.communicate()
    assert process.returncode == 1


def test_a_reader_that_goes_ends_it_quietly(photo: Path) -> None:
    process = _start("-", "-o", "-", "--scale", "8", "--format", "tiff", stdin=subprocess.PIPE)
    assert process.stdout
    process.stdout.close()
    _, err = process.communicate(photo.read_bytes())
    assert process.returncode == 1
    assert err.decode() == (
        "subpixel: standard output: whoever reads it went before the picture was whole\n"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("-", "-o", "-", "--json"), "--json and the picture would both go to standard output"),
        (("-", "photo.png", "-o", "out.png"), "2 inputs, and - is a stream of one picture"),
        (("photo.png", "photo.png", "-o", "-"), "2 inputs, and - is a stream of one picture"),
        ((".", "-o", "-"), "is a folder, and -o - takes one picture"),
        (("-", "-o", "."), "has no name for a file in .; name one, such as -o photo.png"),
        (("-", "-o", "larger"), "name one, such as -o larger/photo.png"),
        (("-", "-o", "a.png", "--format", "webp"), "a.png names PNG, and --format another (.webp)"),
        (("-", "-o", "-", "--format", "xyz"), "'xyz' is no picture format; use one of jpeg, png"),
        (("-", "-o", "-", "--format", "mkv"), "a film is named by its file: -o film.mkv"),
    ],
)
def test_what_can_not_be_piped_is_exit_code_2(
    photo: Path, words: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    code, out, err = _run(*words)
    assert (code, out) == (2, b"")
    assert line.replace("larger/", f"larger{os.sep}") in err
    assert {file.name for file in photo.parent.iterdir()} == {"photo.png"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("way", ["in", "out"])
def test_a_terminal_gets_no_picture_and_gives_none(photo: Path, way: str) -> None:
    import pty

    master, terminal = pty.openpty()
    words = ["-", "-o", "-"] if way == "in" else [str(photo), "-o", "-"]
    environment = os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "subpixel", "upscale", *words],
        stdin=terminal if way == "in" else subprocess.DEVNULL,
        stdout=subprocess.PIPE if way == "in" else terminal,
        stderr=subprocess.PIPE,
        env=environment,
    )
    os.close(terminal)
    os.close(master)
    hint = {"in": b"< photo.jpg), or name the file", "out": b"> larger.jpg), pipe it on, or name"}
    assert done.returncode == 2
    assert hint[way] in done.stderr


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no named pipes in folders")
    pipe, target = tmp_path / "pipe.png", tmp_path / "out.png"
    os.mkfifo(pipe)
    code, out, err = _run(str(pipe), "-o", str(target), "--scale", "2")
    line = f"{pipe} can't be read: it is a named pipe, and only ordinary files are read"
    assert (code, out) == (1, b"")
    assert line in err
    assert not target.exists()


def test_a_stream_that_is_no_picture_is_refused_before_it_ends() -> None:
    """Nor is it held: it may never end."""
    with _start("-", "-o", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"no picture".ljust(64))
        process.stdin.flush()
        assert b"standard input can't be read: it holds no" in process.stderr.readline()
        assert process.wait() == 1


def test_another_format_for_files(photo: Path) -> None:
    code, out, err = _run(str(photo), "--format", "webp", "--scale", "2")
    assert (code, out, err) == (0, b"", "")
    assert _look(photo.with_name("photo_x2.webp").read_bytes()) == ("WEBP", (60, 40))
