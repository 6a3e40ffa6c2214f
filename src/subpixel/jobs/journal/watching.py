"""Folders that are watched: when to look again, and which files are complete by then."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

from subpixel.errors import JobStoppedError
from subpixel.jobs.folder import is_folder
from subpixel.jobs.journal.facts import FileStamp, read_stamp
from subpixel.jobs.outputs import Job
from subpixel.system.extras import expect_installed

SETTLE_SECONDS = 2.0
"""How long a file's size and time must stay the same for it to be complete."""

RELIST_SECONDS = 30.0
"""Folders are looked at so often at least: storage in a network tells of no changes by others."""

PAUSE_SECONDS = 0.3
"""From a change until the folders are looked at: others mostly come with it."""


class FolderWatch:
    """Tells when something changes in folders or below them; a context manager.

    Raises :class:`~subpixel.errors.ProviderError` where watchfiles isn't installed.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        expect_installed("watchfiles")
        self._folders = folders
        self._changed, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self.changes = 0
        """How often a change was told of."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._thread.join()

    def wait(self, seconds: float = RELIST_SECONDS) -> None:
        """Until something has changed since the last call, or so many seconds are over; raises
        :class:`JobStoppedError` where a folder is gone."""
        if self._changed.wait(seconds):
            time.sleep(PAUSE_SECONDS)
        self._changed.clear()
        for folder in self._folders:
            if not is_folder(folder):
                raise JobStoppedError(
                    f"{folder} is gone, and was to be watched; the job stops here"
                )

    def _watch(self) -> None:
        # In a thread of its own: in the main one it would swallow what a signal raises.
        from watchfiles import watch

        changes = watch(*self._folders, stop_event=self._end, debounce=200, rust_timeout=500)
        try:
            for _ in changes:
                self.changes += 1
                self._changed.set()
        except (OSError, RuntimeError):  # such as too many watches: then it is looked now and then
            return


class CompleteFiles:
    """Which files nobody writes any more: their size and time have stayed the same for
    :data:`SETTLE_SECONDS`, by this process's own clock, as storage may have another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Path, tuple[FileStamp, float]] = {}
        self._failed: dict[Path, FileStamp] = {}

    def choose(self, jobs: Iterable[Job]) -> Sequence[Job]:
        """The jobs whose inputs are complete, and haven't failed as they are."""
        now = self._clock()
        looks = {job.source: (job, _find_stamp(job.source)) for job in jobs}
        self._since = {
            file: self._keep(file, stamp, now)
            for file, (_, stamp) in looks.items()
            if stamp is not None and self._failed.get(file) != stamp
        }
        return [
            looks[file][0] for file, (_, then) in self._since.items() if self._is_old(then, now)
        ]

    @property
    def is_waiting(self) -> bool:
        """Whether a file of the last choice wasn't complete yet."""
        now = self._clock()
        return any(not self._is_old(then, now) for _, then in self._since.values())

    def fail(self, file: Path) -> None:
        """A file isn't chosen again before it is changed."""
        stamp = _find_stamp(file)
        if stamp is not None:
            self._failed[file] = stamp

    def _keep(self, file: Path, stamp: FileStamp, now: float) -> tuple[FileStamp, float]:
        earlier = self._since.get(file)
        return earlier if earlier is not None and earlier[0] == stamp else (stamp, now)

    def _is_old(self, then: float, now: float) -> bool:
        return now - then >= SETTLE_SECONDS


def _find_stamp(file: Path) -> FileStamp | None:
    try:
        return read_stamp(file)
    except OSError:
        return None
