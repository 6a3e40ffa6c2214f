"""The metadata of an ONNX file, read without the graph: before it is known how to open it.

An ONNX file is one protobuf message. Each field begins with its number and wire type, so all but
the metadata can be skipped (https://protobuf.dev/programming-guides/encoding/).
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from subpixel.system.files.inputs import open_input

METADATA_PROPS = 14
"""Number of the field in ONNX's ``ModelProto``; each holds a key, 1, and a value, 2."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Protobuf's wire types."""

MAX_VARINT_BYTES = 10


def read_file_metadata(file: Path) -> Mapping[str, str]:
    """``metadata_props`` of an ONNX file by key; empty where the file is of another form, which is
    left to those that read it whole."""
    try:
        with open_input(file) as stream:
            entries = [dict(_fields(io.BytesIO(e))) for e in _metadata_entries(stream)]
        pairs = [(entry[1].decode(), entry[2].decode()) for entry in entries]
    except (OSError, ValueError, KeyError):
        return {}
    return dict(pairs) if len(dict(pairs)) == len(pairs) else {}


def _metadata_entries(stream: BinaryIO) -> Iterator[bytes]:
    for number, content in _fields(stream, only=METADATA_PROPS):
        if number == METADATA_PROPS:
            yield content


def _fields(stream: BinaryIO, only: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field of bytes, of number ``only`` if there is one; others are
    skipped. Raises :class:`ValueError` for what is no message."""
    end = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    while stream.tell() < end:
        tag = _read_varint(stream)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            _read_varint(stream)
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(wire) or _read_size(stream, wire)
        if stream.tell() + size > end:
            raise ValueError("a field ends beyond the file")
        if wire == BYTES and only in (None, number):
            yield number, stream.read(size)
        else:
            stream.seek(size, io.SEEK_CUR)


def _read_size(stream: BinaryIO, wire: int) -> int:
    if wire != BYTES:
        raise ValueError(f"no field has the wire type {wire}")
    return _read_varint(stream)


def _read_varint(stream: BinaryIO) -> int:
    """Seven bits a byte, the lowest first; the eighth says that another byte follows."""
    value = 0
    for i in range(MAX_VARINT_BYTES):
        (byte,) = stream.read(1) or (None,)
        if byte is None:
            break
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value
    raise ValueError("a number is cut short")
