"""Places that every machine of a cluster reaches: a folder on shared storage, or a URL."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from subpixel.errors import UsageError
from subpixel.jobs.folder import FolderItem, is_folder, list_folder
from subpixel.jobs.journal.facts import (
    FileFacts,
    FileStamp,
    read_facts,
    read_stamp,
    refresh_facts,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class SourceCopy:
    """A picture where it can be opened."""

    file: Path
    read_facts: "Callable[[], FileFacts]"
    """Its facts; raises :class:`~subpixel.errors.PictureError` where it was changed since."""


class Store(Protocol):
    """A place with files, each known by its place below it, with slashes. Can be pickled.

    Every method but :meth:`describe` raises :class:`OSError` or a
    :class:`~subpixel.errors.SubpixelError` where the place can't be had.
    """

    @property
    def name(self) -> str:
        """As a user names it, without a slash at its end."""

    def describe(self, place: str) -> str:
        """What messages call a file."""

    def list_sources(self, results: "Store", mark: str) -> Iterator[FolderItem]:
        """What there is: pictures, by paths that are below the store for those of a URL, and what
        is left out; see :func:`~subpixel.jobs.folder.list_folder`. ``results``: where the results
        go."""

    def read_stamps(self) -> "Callable[[str], FileStamp | None]":
        """What tells the stamp of a file, None where there is none: as they are now, or when they
        are asked for."""

    def find_stamp(self, place: str) -> FileStamp | None:
        """The stamp that a file has now; None where there is none."""

    def refresh(self, place: str, facts: FileFacts) -> FileFacts | None:
        """As :func:`~subpixel.jobs.journal.facts.refresh_facts`."""

    def fetch(self, place: str) -> AbstractContextManager[SourceCopy]:
        """A picture for as long as the block lasts."""

    def deliver(self, place: str) -> AbstractContextManager[Path]:
        """Yield the file to write; when the block succeeds, it is the store's, whole."""


@dataclass(frozen=True)
class FolderStore:
    """A folder that all machines have under one path, or one machine for itself."""

    folder: Path

    @property
    def name(self) -> str:
        return str(self.folder)

    def describe(self, place: str) -> str:
        return str(self.folder / place)

    def list_sources(self, results: Store, mark: str) -> Iterator[FolderItem]:
        if not is_folder(self.folder):
            raise UsageError(f"{self.folder} is no folder, which a cluster's pictures lie in")
        output = results.folder if isinstance(results, FolderStore) else None
        return list_folder(self.folder, output, mark)

    def read_stamps(self) -> "Callable[[str], FileStamp | None]":
        return self.find_stamp

    def find_stamp(self, place: str) -> FileStamp | None:
        try:
            return read_stamp(self.folder / place)
        except OSError:
            return (0, 0) if os.path.lexists(self.folder / place) else None

    def refresh(self, place: str, facts: FileFacts) -> FileFacts | None:
        return refresh_facts(self.folder / place, facts)

    @contextmanager
    def fetch(self, place: str) -> Iterator[SourceCopy]:
        file = self.folder / place
        yield SourceCopy(file, partial(read_facts, file, read_stamp(file)))

    @contextmanager
    def deliver(self, place: str) -> Iterator[Path]:
        yield self.folder / place
