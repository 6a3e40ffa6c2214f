"""`subpixel compare`, where one of the pictures comes from standard input."""

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from samples import smooth
from subpixel.cli.main import run


class Stream:
    """Standard input that gives bytes."""

    def __init__(self, data: bytes, terminal: bool = False) -> None:
        self.buffer, self._terminal = io.BytesIO(data), terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A picture that is to be turned, and another, three times as large."""
    tag = Image.Exif()
    tag[0x0112] = 6
    small = Image.fromarray(smooth(3, size=(30, 20))[0])
    small.save(tmp_path / "small.png", exif=tag)
    small.transpose(Image.Transpose.ROTATE_270).resize((60, 90)).save(tmp_path / "large.png")
    return tmp_path / "small.png", tmp_path / "large.png"


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    "more",
    [
        (),
        pytest.param(
            ("--untrusted",),
            marks=pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked"),
        ),
    ],
)
def test_either_side_from_a_pipe(
    pair: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    side: int,
    more: tuple[str, ...],
) -> None:
    words = [str(file) for file in pair]
    assert run(["compare", *words, "-o", str(tmp_path / "files.png")]) == 0
    monkeypatch.setattr(sys, "stdin", Stream(pair[side].read_bytes()))
    words[side] = "-"
    assert run(["compare", *words, "-o", str(tmp_path / "pipe.png"), *more]) == 0
    assert (tmp_path / "pipe.png").read_bytes() == (tmp_path / "files.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "stream", "text"),
    [
        (("-", "-"), Stream(b"x"), "are both -"),
        (("-", "a.png"), Stream(b"x", terminal=True), "< before.png"),
        (("a.png", "-"), None, "redirect a file"),
    ],
)
def test_no_picture_is_to_be_had(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, str],
    stream: Stream | None,
    text: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", stream)
    assert run(["compare", *words, "-o", "sheet.png"]) == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "text"), [(b"", "it is empty"), (b"no picture", "holds no"), (b"\xff\xd8\xff", "JPEG")]
)
def test_a_stream_that_is_no_picture_is_named(
    pair: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: bytes,
    text: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", Stream(data))
    assert run(["compare", "-", str(pair[1]), "-o", str(pair[1].with_name("sheet.png"))]) == 1
    error = capsys.readouterr().err
    assert "standard input can't be read" in error
    assert text in error
    assert not pair[1].with_name("sheet.png").exists()
