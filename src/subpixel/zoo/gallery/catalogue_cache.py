"""The catalogue: downloaded at run time, with the last answer cached for when the server is
down."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from subpixel.errors import GalleryError
from subpixel.strict_json import read_value
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.json_files import read_json_file
from subpixel.system.files.targets import make_folder
from subpixel.zoo.gallery.catalogue import MAX_CATALOGUE_BYTES, Catalogue, parse_catalogue
from subpixel.zoo.gallery.store import gallery_folder
from subpixel.zoo.gallery.transport import open_url, read_chunks

DEFAULT_GALLERY = "https://openmodeldb.info"
CATALOGUE_PATH = "/api/v1/models.json"

MAX_RECORD_BYTES = 2 * MAX_CATALOGUE_BYTES
"""With JSON's escapes."""


@dataclass(frozen=True)
class Answer:
    """A catalogue and its age."""

    catalogue: Catalogue
    url: str
    date: str
    """When the server last confirmed it, ISO 8601 in UTC."""
    offline: str | None = None
    """Why it is from the cache; None where it is from the server."""


@dataclass(frozen=True)
class _Record:
    """An answer in the cache."""

    url: str
    date: str
    etag: str | None
    last_modified: str | None
    body: str


def ask_catalogue(gallery: str = DEFAULT_GALLERY, *, offline: bool = False) -> Answer:
    """The catalogue of ``gallery``, a base URL; from the cache where the server hasn't changed it.

    Where there is no valid answer, or with ``offline``, it is from the cache, and the answer states
    why. Raises :class:`GalleryError` where the cache has none.
    """
    url = gallery.rstrip("/") + CATALOGUE_PATH
    file = _cache_file(url)
    record = _read_record(file, url)
    reason: str | None = "as asked" if offline else None
    if not offline:
        try:
            newest = _ask_server(url, record)
            catalogue = parse_catalogue(newest.body.encode())
        except GalleryError as error:
            reason = str(error)
        else:
            _write_record(file, newest)
            return Answer(catalogue, url, newest.date)
    if record is None:
        hint = "; ask once without --offline" if offline else ""
        why = f"offline, {reason}" if offline else reason
        raise GalleryError(f"{url}: {why}; there is no catalogue in the cache either{hint}")
    return Answer(parse_catalogue(record.body.encode()), url, record.date, reason)


def _ask_server(url: str, record: _Record | None) -> _Record:
    with open_url(url, _conditions(record)) as response:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if response.status == 304 and record is not None:
            return _Record(**{**asdict(record), "date": now})
        if response.status != 200:
            raise GalleryError(f"the server answers {response.status} {response.reason}"[:200])
        body = bytearray()
        for data in read_chunks(response):
            body += data
            if len(body) > MAX_CATALOGUE_BYTES:
                raise GalleryError(f"the catalogue is longer than {MAX_CATALOGUE_BYTES} bytes")
        if response.length:
            raise GalleryError(f"the catalogue ends early, after {len(body)} bytes")
        headers = response.headers
        return _Record(
            url, now, headers.get("ETag"), headers.get("Last-Modified"), _decode_body(body)
        )


def _conditions(record: _Record | None) -> dict[str, str]:
    if record is None:
        return {}
    conditions = {"If-None-Match": record.etag, "If-Modified-Since": record.last_modified}
    return {key: value for key, value in conditions.items() if value}


def _decode_body(body: bytearray) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise GalleryError(f"the catalogue is no text: {error.reason}") from error


def _cache_file(url: str) -> Path:
    return gallery_folder() / "catalogues" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.json"


def _write_record(file: Path, record: _Record) -> None:
    make_folder(file.parent)
    write_bytes(file, json.dumps(asdict(record)).encode(), overwrite=True)


def _read_record(file: Path, url: str) -> _Record | None:
    """The cached record; None where there is none, or a damaged one, which the next replaces."""
    try:
        content = read_json_file(file, max_bytes=MAX_RECORD_BYTES)
        record = read_value(content, _Record, "the record")
        parse_catalogue(record.body.encode())
    except (OSError, ValueError, GalleryError):
        return None
    return record if record.url == url else None
