"""Small JSON files of subpixel's own folders, of which nothing is believed."""

from pathlib import Path

from subpixel.strict_json import MAX_JSON_BYTES, parse_json
from subpixel.system.files.inputs import open_input


def read_json_file(file: Path, *, max_bytes: int = MAX_JSON_BYTES) -> object:
    """The value of a JSON file.

    Raises :class:`OSError` where it can't be read or is no ordinary file, and
    :class:`~subpixel.strict_json.JsonError` where it is longer than ``max_bytes`` or no JSON.
    """
    with open_input(file) as stream:
        return parse_json(stream.read(max_bytes + 1), max_bytes=max_bytes)
