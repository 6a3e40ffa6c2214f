"""Files behind a URL: object stores, and what else fsspec opens."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from subpixel.errors import (
    PictureError,
    ProviderError,
    SubpixelError,
    TargetExistsError,
    UsageError,
    one_line,
)
from subpixel.jobs.cluster.store import SourceCopy, Store
from subpixel.jobs.file_kinds import FOREIGN_KINDS, file_kind_of
from subpixel.jobs.folder import FolderItem, Omission, SourceFile, is_clutter, is_result
from subpixel.jobs.journal.facts import FileFacts, FileStamp, file_changed, settle_time
from subpixel.media.formats.registry import PICTURE_SUFFIXES
from subpixel.system.extras import explain_missing
from subpixel.system.files.hashing import HASH_BYTES, hash_file

SECOND_NS = 1_000_000_000
"""Stores count time in seconds in one answer and finer in another."""

TIME_NAMES = ("LastModified", "last_modified", "mtime", "updated", "created")
"""What file systems of fsspec call the time of a change, the surest first."""


@dataclass(frozen=True)
class UrlStore:
    """What lies below a URL; ``http`` and ``https`` are for reading. Made by :meth:`open`.

    An object is whole or not there at all, so a result appears whole. Credentials are those that
    each machine has for itself, as the package of the protocol finds them.
    """

    url: str

    @classmethod
    def open(cls, url: str) -> "UrlStore":
        """Raises :class:`~subpixel.errors.ProviderError` where a package is missing for it, and
        :class:`UsageError` for an unknown protocol."""
        store = cls(url)
        _ = store._place
        return store

    @property
    def name(self) -> str:
        return self.url

    def describe(self, place: str) -> str:
        return f"{self.url}/{place}"

    def list_sources(self, results: Store, mark: str) -> Iterator[FolderItem]:
        """By folders. Names alone tell what is a picture: to look into a million objects would
        take a request for each."""
        inside = _below(results.name, self.url) if isinstance(results, UrlStore) else None
        for folder, names in self._walk():
            stems = {PurePosixPath(name).stem for name in names}
            for name in sorted(names):
                place = Path(folder, name)
                yield _look_at_name(place, inside, stems, mark)

    def read_stamps(self) -> Callable[[str], FileStamp | None]:
        stamps = {
            f"{folder}/{name}" if folder else name: _read_stamp(info)
            for folder, names in self._walk()
            for name, info in names.items()
        }
        return stamps.get

    def find_stamp(self, place: str) -> FileStamp | None:
        try:
            with self._errors("looked up", place):
                return _read_stamp(self._system.info(self._path(place)))
        except FileNotFoundError:
            return None

    def refresh(self, place: str, facts: FileFacts) -> FileFacts | None:
        stamp = self.find_stamp(place)
        if stamp is None:
            return None
        size, mtime_ns = stamp
        if mtime_ns and stamp == (facts.size, facts.mtime_ns):
            return facts
        if size not in (facts.size, -1) or self.hash(place) != facts.sha256:
            return None
        return FileFacts(facts.size, settle_time(mtime_ns), facts.sha256)

    def hash(self, place: str) -> str:
        """The sha256 of an object, 64 hexadecimal digits; it is read as a whole."""
        digest = hashlib.sha256()
        with self._errors("read", place), self._open(place) as stream:
            while block := stream.read(HASH_BYTES):
                digest.update(block)
        return digest.hexdigest()

    @contextmanager
    def fetch(self, place: str) -> Iterator[SourceCopy]:
        with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
            file = Path(folder, PurePosixPath(place).name)
            before = self.find_stamp(place)
            with self._errors("read", place):
                self._system.get_file(self._path(place), str(file))
            if before is None or self.find_stamp(place) != before:
                raise file_changed(file)
            yield SourceCopy(file, partial(_read_copy, file, before[1]))

    @contextmanager
    def deliver(self, place: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
            file = Path(folder, PurePosixPath(place).name)
            yield file
            with self._errors("written", place):
                self._system.put_file(str(file), self._path(place))

    def write(self, place: str, data: bytes) -> None:
        """Write an object, whole, in place of one that is there."""
        with self._errors("written", place):
            self._system.pipe_file(self._path(place), data)

    def read(self, place: str) -> bytes:
        """All bytes of an object."""
        with self._errors("read", place):
            return cast(bytes, self._system.cat_file(self._path(place)))

    def list_names(self, folder: str) -> list[str]:
        """The names of what lies in a folder; none where there is no such folder."""
        try:
            with self._errors("listed", folder):
                entries = self._system.ls(self._path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return [PurePosixPath(entry).name for entry in entries]

    def remove(self, places: Sequence[str]) -> None:
        """Remove objects, many at a time; what isn't there any more is no error."""
        if not places:
            return
        try:
            with self._errors("removed", places[0]):
                self._system.rm([self._path(place) for place in places])
        except FileNotFoundError:
            if len(places) > 1:
                for place in places:
                    self.remove([place])

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """fsspec's file system and the root in it."""
        try:
            from fsspec.core import url_to_fs
        except ModuleNotFoundError as error:
            raise explain_missing(error) from error
        try:
            system, root = url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:  # fsspec says which package has the protocol
            raise ProviderError(f"{self.url}: {one_line(error)}") from error
        except ValueError as error:
            raise UsageError(f"{self.url}: {one_line(error)}") from error
        return system, root.rstrip("/")

    @property
    def _system(self) -> Any:  # noqa: ANN401 - fsspec has no types
        return self._place[0]

    def _path(self, place: str) -> str:
        return f"{self._place[1]}/{place}" if place else self._place[1]

    def _open(self, place: str) -> BinaryIO:
        return cast(BinaryIO, self._system.open(self._path(place), "rb"))

    def _walk(self) -> Iterator[tuple[str, Mapping[str, Mapping[str, Any]]]]:
        """Each folder's place, "" for the uppermost, and its files by name."""
        root = self._place[1]
        with self._errors("listed", ""):
            for path, _folders, names in self._system.walk(root, detail=True):
                folder = str(path).removeprefix(root).strip("/")
                yield folder, {name: info for name, info in names.items() if name}

    @contextmanager
    def _errors(self, what: str, place: str) -> Iterator[None]:
        """What a store's package raises, as one line. No such file stays what it is."""
        try:
            yield
        except (SubpixelError, FileNotFoundError):
            raise
        except FileExistsError as error:
            raise TargetExistsError(f"{self.describe(place)} exists") from error
        except Exception as error:
            name = self.describe(place) if place else self.url
            raise PictureError(f"{name} can't be {what}: {one_line(error)}") from error

    def __reduce__(self) -> "tuple[type[UrlStore], tuple[str]]":
        """The file system is opened anew, with what the other machine knows."""
        return UrlStore, (self.url,)


def _look_at_name(place: Path, inside: str | None, stems: set[str], mark: str) -> FolderItem:
    """A picture, or what is left out, of a file of the folder with these ``stems``; ``inside`` is
    how the places of results begin."""
    if any(map(is_clutter, place.parts)):
        return Omission(place, "hidden")
    if inside is not None and place.as_posix().startswith(inside):
        return Omission(place, "output")
    suffix = place.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        kinds = (kind.name for kind in FOREIGN_KINDS if suffix in kind.suffixes)
        return Omission(place, "unclaimed", next(kinds, ""))
    kind = file_kind_of(place)  # the package for its format may be missing
    if kind.suffix is None:
        return Omission(place, "unclaimed", kind.label)
    if is_result(place.stem, stems, mark):
        return Omission(place, "result")
    return SourceFile(place, place, kind.suffix)


def _below(url: str, root: str) -> str | None:
    """The beginning of the places below ``root`` that are below ``url``, too."""
    return url.removeprefix(root).strip("/") + "/" if url.startswith(f"{root}/") else None


def _read_copy(file: Path, mtime_ns: int) -> FileFacts:
    return FileFacts(file.stat().st_size, settle_time(mtime_ns), hash_file(file))


def _read_stamp(info: Mapping[str, Any]) -> FileStamp:
    size = info.get("size")
    times = (info[name] for name in TIME_NAMES if info.get(name) is not None)
    return -1 if size is None else int(size), _time_ns(next(times, None))


def _time_ns(value: object) -> int:
    """A time as a file system of fsspec says it, in whole seconds; 0 where it isn't one."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return int(value) * SECOND_NS if isinstance(value, int | float) else 0
