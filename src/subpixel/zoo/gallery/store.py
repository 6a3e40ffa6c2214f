"""The gallery's networks in the user's cache: an ONNX file each, and its description.

A network exists when ``<id>.json`` does, which states the sha256 in the file's name, so a network
is replaced atomically.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from subpixel.errors import NetworkError, SubpixelError, UsageError, one_line
from subpixel.strict_json import JsonError, Within, read_value
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.json_files import read_json_file
from subpixel.system.files.targets import make_folder
from subpixel.zoo.gallery.catalogue import MAX_SCALE
from subpixel.zoo.gallery.names import close_ids, is_sha256, is_valid_id

ENTRY_FORMAT = 1
"""The version of the JSON format."""

DIGEST_LENGTH = 16
"""The number of hexadecimal digits of a sha256 in a file's name."""

MAX_NETWORK_BYTES = 1 << 40
"""The largest size that a description may say."""

_SUFFIX = r"\.(?:onnx|pth|safetensors)(?:\.partial|\.partial\.json|\.source)?"
"""The ends of the names of a network's files, after the digits; no other network's ID matches
them."""


@dataclass(frozen=True)
class Entry:
    """A network in the cache, and its source."""

    id: str
    name: str
    authors: tuple[str, ...]
    licence: str
    """SPDX, or ``unknown``."""
    accepted: tuple[str, ...]
    """The licences that the user accepted by name."""
    tags: tuple[str, ...]
    description: str
    architecture: str
    scale: Annotated[int, Within(1, MAX_SCALE)]
    catalogue: str
    """The gallery's URL."""
    source: str
    """The URL of the weights, or the local file."""
    weights_type: str
    weights_sha256: str
    sha256: str
    """Of the ONNX file."""
    size: Annotated[int, Within(0, MAX_NETWORK_BYTES)]
    """Of the ONNX file, in bytes."""
    date: str
    """When it was made, ISO 8601."""
    report: Mapping[str, Any]
    """How it was exported and verified."""

    @property
    def path(self) -> Path:
        """The ONNX file, not verified; see :func:`verify_entry`."""
        return _networks() / f"{self.id.lower()}-{self.sha256[:DIGEST_LENGTH]}.onnx"


def entries() -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """All networks in the cache, by name, and a line on each damaged one."""
    networks: list[Entry] = []
    faults: list[str] = []
    try:
        files = sorted(_networks().glob("*.json"))
    except OSError as error:
        return (), (_unreadable(error),)
    for file in files:
        try:
            networks.append(_read_entry(file))
        except NetworkError as error:
            faults.append(str(error))
    return tuple(networks), tuple(faults)


def find_entry(name: str) -> Entry | None:
    """The network called ``name``, ignoring case; None where there is none.

    Raises :class:`NetworkError` for one that is damaged, or where the cache can't be read.
    """
    if not is_valid_id(name):
        return None
    try:
        exists = _entry_file(name).is_file()
    except OSError as error:
        raise NetworkError(_unreadable(error)) from error
    return _read_entry(_entry_file(name)) if exists else None


def _unreadable(error: OSError) -> str:
    return f"{_networks()} can't be read ({error.strerror}); no network of the gallery is used"


def suggestions(name: str) -> list[str]:
    """Names of networks in the cache that contain ``name``, else similar ones."""
    ids = [entry.id for entry in entries()[0]]
    parts = [i for i in ids if name.lower() in i.lower()]
    return parts or close_ids(name, ids)


def verify_entry(entry: Entry) -> Path:
    """The network's ONNX file; raises :class:`NetworkError` where it was changed."""
    try:
        digest = hash_file(entry.path)
    except OSError as error:
        raise NetworkError(f"{entry.path} can't be read: {error.strerror}; {_AGAIN}") from error
    if digest != entry.sha256:
        raise NetworkError(
            f"{entry.path} is damaged: its sha256 is {digest[:16]}…, and was "
            f"{entry.sha256[:16]}…; {_AGAIN}"
        )
    return entry.path


_AGAIN = "get it again: subpixel models get NAME --overwrite"


def put_network(entry: Entry, file: Path) -> None:
    """Move the ONNX ``file``, from :func:`workshop`, into the cache as ``entry``'s.

    An older network of that name stays available until the new one is. Raises
    :class:`SubpixelError` where the cache can't be written.
    """
    try:
        file.replace(entry.path)
    except OSError as error:
        raise SubpixelError(f"{entry.path} can't be written: {error.strerror}") from error
    text = json.dumps({"format": ENTRY_FORMAT, **asdict(entry)}, indent=1)
    write_bytes(_entry_file(entry.id), text.encode(), overwrite=True)
    _remove_files(_networks(), entry.id, keep=entry.path)


def remove_network(name: str) -> None:
    """Remove the network called ``name``, damaged or not, and its downloads.

    Raises :class:`UsageError` where there are no such files.
    """
    if not is_valid_id(name):
        raise UsageError(f"{name!r} can't be the name of a network")
    count = int(_entry_file(name).is_file())
    _entry_file(name).unlink(missing_ok=True)  # first: the network exists as long as this file does
    count += _remove_files(_networks(), name) + remove_downloads(name)
    if count == 0:
        near = suggestions(name)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise UsageError(f"no network of the gallery is called {name!r} here{hint}")


def download_path(id: str, sha256: str, suffix: str) -> Path:  # noqa: A002 - the field's name
    """The path for downloaded weights; the folder is created."""
    return make_folder(_downloads()) / f"{id.lower()}-{sha256[:DIGEST_LENGTH]}.{suffix}"


def remove_downloads(id: str) -> int:  # noqa: A002
    """Remove the downloads of a network, complete or not; return the number of files."""
    return _remove_files(_downloads(), id)


@contextmanager
def workshop() -> Iterator[Path]:
    """A temporary folder for building a network, on the cache's file system."""
    folder = make_folder(_networks())
    with TemporaryDirectory(dir=folder, prefix=".", ignore_cleanup_errors=True) as name:
        yield Path(name)


def gallery_folder() -> Path:
    """The folder of the gallery's cache, which need not exist."""
    return cache_folder() / "gallery"


def _networks() -> Path:
    return gallery_folder() / "networks"


def _downloads() -> Path:
    return gallery_folder() / "downloads"


def _entry_file(name: str) -> Path:
    return _networks() / f"{name.lower()}.json"


def _remove_files(folder: Path, name: str, keep: Path | None = None) -> int:
    """Remove the files called ``<name>-<digits>.…`` from ``folder``; return their number."""
    own = re.compile(rf"{re.escape(name.lower())}-[0-9a-f]{{{DIGEST_LENGTH}}}{_SUFFIX}")
    files = [f for f in folder.glob("*") if own.fullmatch(f.name) and f != keep]
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)


def _read_entry(file: Path) -> Entry:
    try:
        values = read_json_file(file)
        if not isinstance(values, dict) or values.get("format") != ENTRY_FORMAT:
            raise JsonError("it is of another version of subpixel")
        known = {field.name for field in fields(Entry)}
        content = {key: value for key, value in values.items() if key in known}
        entry = _expect_entry(read_value(content, Entry, "the network"), file)
    except (OSError, JsonError) as error:
        raise NetworkError(f"{file} is damaged ({one_line(error)}); {_AGAIN}") from error
    return entry


def _expect_entry(entry: Entry, file: Path) -> Entry:
    if not (is_valid_id(entry.id) and is_sha256(entry.sha256)):
        raise JsonError("its ID or its sha256 is none")
    if _entry_file(entry.id) != file:
        raise JsonError(f"it is of {entry.id}")
    return entry
