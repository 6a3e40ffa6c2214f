"""Small JSON files of subpixel's own folders, of which nothing is believed."""

import os
import stat
from pathlib import Path

from subpixel.strict_json import MAX_JSON_BYTES, JsonError, parse_json


def read_json_file(file: Path, *, max_bytes: int = MAX_JSON_BYTES) -> object:
    """The value of a JSON file.

    Raises :class:`OSError` where it can't be read, and
    :class:`~subpixel.strict_json.JsonError` where it is no file, such as a pipe, is longer than
    ``max_bytes``, or is no JSON.
    """
    # Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - a descriptor has no path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise JsonError("it is no regular file")
        return parse_json(stream.read(max_bytes + 1), max_bytes=max_bytes)


_BINARY = getattr(os, "O_BINARY", 0)
"""On Windows, files are text otherwise."""
