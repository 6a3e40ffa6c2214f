"""What tells one file from another: a hash of its bytes."""

import hashlib
from pathlib import Path


def hash_file(file: Path) -> str:
    """The sha256 of the file's bytes, 64 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
