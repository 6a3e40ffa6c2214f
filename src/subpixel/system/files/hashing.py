"""What tells one file from another: a hash of its bytes."""

import hashlib
from pathlib import Path
from typing import BinaryIO

HASH_BYTES = 1 << 20
"""Bytes that are read at a time."""


def hash_file(file: Path) -> str:
    """The sha256 of the file's bytes, 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hash_stream(stream)


def hash_stream(stream: BinaryIO) -> str:
    """The sha256 of all bytes of a file that is open, 64 hexadecimal digits."""
    stream.seek(0)
    digest = hashlib.sha256()
    while block := stream.read(HASH_BYTES):
        digest.update(block)
    return digest.hexdigest()
