"""A file that stands for a network says what it is, as a checkpoint and as an ONNX file."""

from pathlib import Path

import pytest

from subpixel.errors import NetworkError
from subpixel.graph.metadata import load_model
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.system.files.stand_ins import describe_stand_in

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (POINTER, "is a pointer of Git LFS, and not the file itself; get that: git lfs pull"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", r"is a page \(HTML\), and not the file its"),
        (b"\xef\xbb\xbf<html>", r"is a page \(HTML\), and not the file itself"),
    ],
)
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors", "net.onnx"])
def test_what_it_is(content: bytes, message: str, name: str, tmp_path: Path) -> None:
    (file := tmp_path / name).write_bytes(content)
    with pytest.raises(NetworkError, match=f"{name}: {message}"):
        load_model(file) if name.endswith(".onnx") else load_checkpoint(file)


def test_other_content_stands_for_nothing() -> None:
    assert describe_stand_in(b"PK\x03\x04<html>") is None
    assert describe_stand_in(b"") is None
