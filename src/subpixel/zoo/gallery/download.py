"""Verified downloads from one of several URLs, resumed after interruptions."""

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO

from subpixel.errors import GalleryError, SubpixelError
from subpixel.strict_json import JsonError, read_value
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.hashing import hash_stream
from subpixel.system.files.json_files import read_json_file
from subpixel.zoo.gallery.catalogue import MAX_WEIGHTS
from subpixel.zoo.gallery.transport import open_url, read_chunks

MAX_TRIES = 4
"""The maximum number of requests to one URL, as long as each receives something."""

ReportBytes = Callable[[str, int, int], None]
"""Is called with the current activity, the bytes so far, and their total (0: unknown)."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True)
class ExpectedFile:
    """The required sha256 and size of a file."""

    sha256: str
    size: int | None = None

    @property
    def limit(self) -> int:
        """The maximum number of bytes to read."""
        return MAX_WEIGHTS if self.size is None else self.size


def download(
    urls: Sequence[str],
    expected: ExpectedFile,
    target: Path,
    report: ReportBytes = lambda what, done, total: None,
) -> str:
    """Download ``target`` from the first of ``urls`` that works, and return that URL.

    The file matches ``expected``, or ``target`` is unchanged. Partial data is kept beside it, as
    ``<target>.partial``, and the next call resumes where the server confirms that it still has the
    same file. Raises :class:`GalleryError` with the fault of each URL, and :class:`SubpixelError`
    where it can't be written.
    """
    faults = []
    for url in urls:
        try:
            _Download(url, expected, target, report).run()
            return url
        except GalleryError as error:
            faults.append(f"{url}: {error}")
        except OSError as error:
            raise SubpixelError(f"{target} can't be written: {error.strerror or error}") from error
    raise GalleryError("no URL gives the file; " + "; ".join(faults))


def expect_same(file: Path, expected: ExpectedFile) -> None:
    """Raise :class:`GalleryError` for a file of another size or sha256."""
    with file.open("rb") as stream:
        expect_same_content(stream, expected)


def expect_same_content(stream: BinaryIO, expected: ExpectedFile) -> None:
    """:func:`expect_same` for a file that is open."""
    size = stream.seek(0, io.SEEK_END)
    if expected.size not in (None, size):
        raise GalleryError(f"it has {size} bytes; the catalogue says {expected.size}{_STALE}")
    digest = hash_stream(stream)
    if digest != expected.sha256:
        raise GalleryError(
            f"its sha256 is {digest[:16]}…; the catalogue says {expected.sha256[:16]}…{_STALE}"
        )


_STALE = ": the file has changed since it was listed, or was damaged, so it was not used"


@dataclass(frozen=True)
class _Note:
    """Beside a partial file: what it is a part of."""

    url: str
    validator: str | None


@dataclass(frozen=True)
class _Download:
    """The download from one URL."""

    url: str
    expected: ExpectedFile
    target: Path
    report: ReportBytes

    @property
    def partial(self) -> Path:
        return self.target.with_name(f"{self.target.name}.partial")

    @property
    def note(self) -> Path:
        """The file that records the URL and the version of the partial file."""
        return self.target.with_name(f"{self.target.name}.partial.json")

    def run(self) -> None:
        fault: str | None = None
        for _ in range(MAX_TRIES):
            before = self._length()
            start, fault = self._receive()
            if fault is not None and self._length() == before:
                break  # nothing new: give up this URL
            if fault is None:
                fault = self._accept()
                if fault is None:
                    return
                if start == 0:
                    break  # the whole file is from this response
        raise GalleryError(fault or "nothing was received")

    def _accept(self) -> str | None:
        """Move the complete file to ``target``; or discard it and return the fault."""
        try:
            expect_same(self.partial, self.expected)
        except GalleryError as error:
            self._discard()
            return str(error)
        self.partial.replace(self.target)
        self._discard()
        return None

    def _receive(self) -> tuple[int, str | None]:
        """Receive what is missing; return the offset of the response, and its fault or None.

        Raises :class:`GalleryError` where another request is of no use."""
        validator = self._validator()
        offset = self._length() if validator and self._length() <= self.expected.limit else 0
        if offset and offset == self.expected.size:
            return offset, None  # complete; an earlier run ended before it was verified
        ranged = {"Range": f"bytes={offset}-", "If-Range": validator or ""}
        with open_url(self.url, ranged if offset else {}) as response:
            if offset and response.status == 416:
                self._discard()
                return offset, "the server has no such range"
            start = _start(response, offset)
            self._expect_length(response, start)
            with self._writable(response, start) as stream:
                fault = self._copy(response, stream, start)
        return start, fault or self._shortfall(response)

    def _copy(self, response: HTTPResponse, stream: BinaryIO, offset: int) -> str | None:
        chunks = read_chunks(response)
        while True:
            self.report("download", offset, self.expected.size or 0)
            try:
                data = next(chunks, b"")
            except GalleryError as error:
                return str(error)
            if not data:
                return None
            offset += len(data)
            if offset > self.expected.limit:
                stream.close()
                self._discard()
                raise GalleryError(f"it is longer than {self.expected.limit} bytes{_STALE}")
            stream.write(data)

    def _shortfall(self, response: HTTPResponse) -> str | None:
        length, missing = self._length(), response.length or 0
        if missing or length < (self.expected.size or 0):
            return (
                f"it ends early, after {length} bytes of {self.expected.size or length + missing}"
            )
        return None

    def _expect_length(self, response: HTTPResponse, start: int) -> None:
        """Reject a response whose headers show that it isn't the file."""
        if response.headers.get_content_type() == "text/html":
            raise GalleryError("it is a web page, not the file; try it in a browser")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise GalleryError("it is sent compressed, which was not requested")
        length, size = response.length, self.expected.size
        too_long = length is not None and start + length > self.expected.limit
        if too_long or (length is not None and size is not None and start + length != size):
            total, allowed = start + (length or 0), "at most " * (size is None)
            raise GalleryError(
                f"its length is {total} bytes; it must be {allowed}{self.expected.limit}{_STALE}"
            )

    def _writable(self, response: HTTPResponse, start: int) -> BinaryIO:
        """The partial file, truncated to ``start`` bytes, with its URL and version recorded."""
        note = _Note(self.url, _strong_validator(response))
        write_bytes(self.note, json.dumps(asdict(note)).encode(), overwrite=True)
        stream = self.partial.open("r+b" if start else "wb")
        stream.truncate(start)
        stream.seek(start)
        return stream

    def _length(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def _validator(self) -> str | None:
        """The recorded version of this URL's partial file, if there is one."""
        try:
            note = read_value(read_json_file(self.note), _Note, "the note")
        except (OSError, JsonError):
            return None
        validator = note.validator if note.url == self.url else None
        return validator if validator is not None and validator.isprintable() else None

    def _discard(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _start(response: HTTPResponse, offset: int) -> int:
    """The offset of the body: a server may ignore the range, or have another file by now."""
    if response.status == 200:
        return 0
    if response.status != 206:
        raise GalleryError(f"the server answers {response.status} {response.reason}"[:200])
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != offset or offset == 0:
        raise GalleryError("the server sends another part than was requested")
    return offset


def _strong_validator(response: HTTPResponse) -> str | None:
    """A strong ETag, or the date of the last modification."""
    tag: str | None = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")
