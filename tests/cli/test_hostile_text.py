"""No name and no text of a file makes a terminal do anything, whatever verb and encoding."""

import io
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.cli.main import VERBS, run
from subpixel.cli.streams import GuardedStream, guard_streams, print_line
from subpixel.graph.metadata import load_model
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import write_picture
from subpixel.plain_text import escape_controls, escape_markdown
from subpixel.zoo.manifest import find_bundled

NASTY = "a\x1b[2J\x1b]0;owned\x07\r\n\x7f\x9b1m\u202egnp\u2066\u2028z"
"""Clears the screen, sets the window's title, begins a line anew, turns the text around."""

NASTY_NAME = os.fsdecode(os.fsencode(NASTY) + b"\xff")
"""And a byte that is no UTF-8."""

needs_such_names = pytest.mark.skipif(
    sys.platform != "linux", reason="the file system has no such names"
)


def is_harmless(text: str) -> bool:
    """By Unicode's categories: no control but newline, no format character, no surrogate."""
    forbidden = ("Cc", "Cs", "Zl", "Zp")
    directions = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return all(
        char == "\n" or (unicodedata.category(char) not in forbidden and char not in directions)
        for char in text
    )


@given(st.text(st.characters()))
def test_every_text_becomes_harmless_and_harmless_text_stays(text: str) -> None:
    escaped = escape_controls(text)
    assert is_harmless(escaped)
    assert "\n" not in escaped
    assert escape_controls(escaped) == escaped
    assert (escaped == text) == (is_harmless(text) and "\n" not in text)
    assert escape_controls(text, keep_newlines=True).count("\n") == text.count("\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, a network with such facts, and one without any, all with such a name."""
    place = tmp_path_factory.mktemp("nasty")
    picture = to_picture(np.full((8, 9, 3), 99, np.uint8))
    write_picture(picture, place / "good.png")
    (place / f"{NASTY_NAME}.png").write_bytes((place / "good.png").read_bytes())
    (place / f"{NASTY_NAME}.txt").write_bytes(b"no picture")
    (place / f"{NASTY_NAME}.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (place / f"{NASTY_NAME}.pth").write_bytes(b"no checkpoint")
    (place / f"{NASTY_NAME}.npz").write_bytes(b"PK\x03\x04 no checkpoint")
    for name, change in (("facts", _change_facts), ("nodes", _change_nodes)):
        model = load_model(find_bundled("fast", 2).path)
        change(model)
        (place / f"{name}{NASTY_NAME}.onnx").write_bytes(model.SerializeToString())
    return place


def _change_facts(model: onnx.ModelProto) -> None:
    model.producer_name = NASTY
    for prop in model.metadata_props:
        if prop.key in ("subpixel.name", "subpixel.origin", "subpixel.licence"):
            prop.value = json.dumps(NASTY, ensure_ascii=False)


def _change_nodes(model: onnx.ModelProto) -> None:
    """It has no facts, and an operator that there isn't, of such a name."""
    del model.metadata_props[:]
    model.graph.node[0].op_type = model.graph.node[0].name = NASTY


_NAMES = {
    "picture": f"{NASTY_NAME}.png",
    "text": f"{NASTY_NAME}.txt",
    "damaged": f"{NASTY_NAME}.jpg",
    "facts": f"facts{NASTY_NAME}.onnx",
    "nodes": f"nodes{NASTY_NAME}.onnx",
    "checkpoint": f"{NASTY_NAME}.pth",
    "archive": f"{NASTY_NAME}.npz",
    "new": f"new{NASTY_NAME}",
    "missing": f"missing{NASTY_NAME}.onnx",
    "word": NASTY,
}
LINES: Sequence[tuple[str, ...]] = (
    ("upscale", "<picture>", "--model", "<facts>", "-o", "<new>.png", "-v"),
    ("upscale", "<picture>", "--model", "<facts>", "-o", "<new>.webp", "--json"),
    ("upscale", "<text>", "<damaged>", "--model", "fast"),
    ("upscale", "<picture>", "--model", "<nodes>"),
    ("upscale", "<picture>", "--model", "<missing>"),
    ("upscale", "<picture>", "--model", "<word>"),
    ("upscale", "<picture>", "-o", "<new>.<word>"),
    ("upscale", "<picture>", "--scale", "<word>"),
    ("upscale", "<picture>", "--<word>"),
    ("compare", "<picture>", "<damaged>", "-o", "<new>.png"),
    ("compare", "<picture>", "<picture>", "-o", "<new>.<word>"),
    ("models", "<word>"),
    ("models", "remove", "<word>"),
    ("info", "<facts>"),
    ("info", "<facts>", "--json"),
    ("info", "<nodes>"),
    ("info", "<missing>"),
    ("info", "<checkpoint>"),
    ("info", "<word>"),
    ("export", "<checkpoint>", "-o", "<new>.onnx"),
    ("export", "<archive>", "-o", "<new>.onnx"),
    ("export", "<missing>", "-o", "<new>.onnx"),
    ("adopt", "<nodes>", "-o", "<new>.onnx"),
    ("adopt", "<text>", "-o", "<new>.onnx"),
    ("quantize", "<nodes>", "-o", "<new>.onnx"),
    ("quantize", "<missing>", "-o", "<word>"),
    ("verify", "<nodes>", "--against", "<checkpoint>"),
    ("verify", "<missing>", "--against", "<facts>"),
    ("bisect", "<missing>", "--against", "<facts>"),
    ("train", "--data", "<word>", "--scale", "2", "-o", "<new>.onnx"),
    ("evaluate", "--model", "<facts>", "--data", "<word>"),
    ("tune", "<missing>"),
    ("tune", "<nodes>"),
    ("package", "<missing>", "--target", "node", "-o", "<new>"),
    ("serve", "--model", "<missing>"),
    ("serve", "--model", "<nodes>"),
    ("serve", "--model", "fast", "--page", "<word>"),
    ("serve", "--model", "fast", "--token-file", "<word>"),
    ("serve", "--model", "fast", "--host", "<word>"),
    ("cache", "<word>"),
    ("jobs", "<missing>"),
    ("doctor", "<word>"),
    ("completion", "<word>"),
    ("<word>",),
    ("--<word>",),
)


def test_every_verb_has_a_line() -> None:
    assert {line[0] for line in LINES} >= VERBS.keys()


def _fill_in(word: str, folder: Path) -> str:
    for key, name in _NAMES.items():
        path = name if key == "word" else str(folder / name)
        word = word.replace(f"<{key}>", path)
    return word


def _run(line: Sequence[str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The exit code, and all that it writes, as a terminal of that encoding gets it."""
    streams = [
        io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2)
    ]
    with monkeypatch.context() as patch:
        for name, stream in zip(("stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        code = run(list(line))
    return code, "".join(_content(stream) for stream in streams)


def _content(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.buffer.read().decode(stream.encoding)


@pytest.mark.sample(every=5)
@needs_such_names
@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_nothing_that_is_printed_is_obeyed(
    line: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    encoding = "ascii" if LINES.index(line) % 2 else "utf-8"
    words = [_fill_in(word, folder) for word in line]
    code, text = _run(words, encoding, monkeypatch)
    assert is_harmless(text)
    assert code in (0, 1, 2)
    assert "owned" in text or code == 0, "what is wrong is named"
    if code:
        assert text.count("\n") == sum(row.startswith("subpixel: ") for row in text.splitlines())
    for file in folder.glob("new*"):
        file.unlink()


@needs_such_names
@pytest.mark.parametrize(
    "line",
    [
        ("upscale", "<picture>", "--model", "<facts>", "-o", "<new>.png"),
        ("info", "<facts>"),
        ("compare", "<picture>", "<picture>", "-o", "<new>.png"),
    ],
    ids=" ".join,
)
def test_such_names_work(
    line: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [_fill_in(word, folder) for word in line]
    assert _run(words, "ascii", monkeypatch)[0] == 0
    for file in folder.glob("new*"):
        file.unlink()


@needs_such_names
def test_json_is_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [_fill_in(word, folder) for word in ("info", "<facts>", "--json")]
    code, text = _run(words, "ascii", monkeypatch)
    assert code == 0
    assert json.loads(text)["origin"] == NASTY


@pytest.mark.parametrize("write", [print, lambda text: print_line(text, err=False)])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "utf-16"])
def test_what_others_write_is_guarded_too(
    write: Callable[[str], object], encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding=encoding))
    with guard_streams():
        write(f"é…{NASTY_NAME}")
    sys.stdout.flush()
    assert is_harmless(buffer.getvalue().decode(encoding).replace(os.linesep, "\n"))


def test_streams_without_an_encoding_are_written_as_they_are() -> None:
    stream = io.StringIO()
    GuardedStream(stream).write("é…\x1b")  # type: ignore[arg-type]
    assert stream.getvalue() == "é…\\x1b"


@given(st.text())
def test_markdown_keeps_no_markup_of_theirs(text: str) -> None:
    page = escape_markdown(f"{text}<img src=x>![x](http://x)[a](javascript:b)\n[a]: http://x")
    assert is_harmless(page)
    assert all(markup not in page for markup in ("![", "](", "]:"))
    assert page.replace("\\<", "").count("<") == 0
