"""The pictures of a folder and of those below it, and what is left out of them, by name."""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from subpixel.jobs.file_kinds import file_kind_of
from subpixel.jobs.journal.journal import JOURNAL_FOLDER

FileId = tuple[int, int]
"""The device of a file or folder and its number there: the same under each of its names."""

Reason = Literal["hidden", "result", "output", "unclaimed", "existing"]
"""Why a file is left out: hidden, or of a thumbnail folder; an earlier result; where this run's
results go; of no format of ours; a result is there already."""

CLUTTER = frozenset(
    {"@eadir", "#recycle", "@recycle", "$recycle.bin", "__macosx", "thumbs.db", "ehthumbs.db"}
    | {"desktop.ini"}
)
"""Names, in lower case, that systems and network drives give to thumbnails and waste bins, beside
those that begin with a dot."""

THUMBNAIL_SUFFIX = ".thm"
"""Of a camera's thumbnail, beside a film."""

_DEFAULT_MARK = re.compile(r"(.+)_(?:x\d+(?:\.\d+)?|[wh]\d+|(?:fit)?\d+x\d+|\d+(?:\.\d+)?mp)")
"""How results are marked where no mark is named: by their factor, or their size."""

_CUT_NUMBER = re.compile(r"~\d+$")
"""What tells names apart that were cut to the same."""

_CUT_BYTES = 240
"""A stem that is longer than this may have been cut to make room for a mark."""


@dataclass(frozen=True)
class SourceFile:
    """A picture to read."""

    path: Path
    place: Path
    """Its path below the output folder: as below the folder it came from."""
    suffix: str
    """Of a file in its format: its own, or the format's where its own names none."""


@dataclass(frozen=True)
class Omission:
    """A file or folder that is left out of a folder's pictures."""

    path: Path
    reason: Reason
    label: str = ""
    """What it is, for people, where that is known of a file that no format claims."""


@dataclass(frozen=True)
class Fault:
    """A file or folder that can't be looked at."""

    path: Path
    message: str
    """One line, with the path."""


FolderItem = SourceFile | Omission | Fault


@dataclass(frozen=True)
class _Subfolder:
    """A folder on the way."""

    path: Path
    place: Path
    above: tuple[FileId, ...]
    """The folders it lies in, the outermost first."""


def list_folder(folder: Path, output: Path | None, mark: str) -> Iterator[FolderItem]:
    """Everything in ``folder`` and below it, by name: pictures, and what is left out.

    Links to folders are followed; one that leads back up is a fault. A journal doesn't count.
    ``output``, a folder or file that this run writes, is left out, and so is an earlier result:
    ``a<mark>.jpg``, or ``a_x2.jpg``, ``a_w1920.jpg`` and the like, beside an ``a`` of any format.
    """
    output_id = _id_of(output) if output is not None else None
    ahead: list[FolderItem | _Subfolder] = [_Subfolder(folder, Path(), ())]
    while ahead:
        item = ahead.pop()
        if isinstance(item, _Subfolder):
            ahead += reversed(_look_into(item, output_id, mark))
        else:
            yield item


def _look_into(
    folder: _Subfolder, output_id: FileId | None, mark: str
) -> Sequence[FolderItem | _Subfolder]:
    """What lies in a folder, sorted by name."""
    own = _id_of(folder.path)
    if folder.above and own is not None and own == output_id:
        return [Omission(folder.path, "output")]
    try:
        if own in folder.above:
            raise OSError("it is a link that leads back to a folder above it")
        with os.scandir(folder.path) as entries:
            others = [entry for entry in entries if entry.name != JOURNAL_FOLDER]
            by_name = sorted(others, key=lambda entry: entry.name)
    except OSError as error:
        return [_fault(folder.path, error)]
    above = folder.above if own is None else (*folder.above, own)
    items = [_look_at(entry, folder.place, above, output_id) for entry in by_name]
    stems = {item.path.stem for item in items if isinstance(item, SourceFile)}
    return [
        Omission(item.path, "result")
        if isinstance(item, SourceFile) and is_result(item.path.stem, stems, mark)
        else item
        for item in items
    ]


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; what can't be looked at is none."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def _id_of(path: Path) -> FileId | None:
    """None where there is no such file, or the file system has no numbers."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None


def is_result(stem: str, stems: set[str], mark: str) -> bool:
    """Whether a file of that stem is an earlier result of one of ``stems``, its neighbours'."""
    match = _DEFAULT_MARK.fullmatch(stem)
    sources = [stem.removesuffix(mark)] if mark and stem.endswith(mark) else []
    sources += [match[1]] if match else []
    if len(os.fsencode(stem)) > _CUT_BYTES:
        beginnings = tuple(_CUT_NUMBER.sub("", source) for source in sources)
        return any(other != stem and other.startswith(beginnings) for other in stems)
    return not stems.isdisjoint(sources)


def _look_at(
    entry: "os.DirEntry[str]", place: Path, above: tuple[FileId, ...], output_id: FileId | None
) -> FolderItem | _Subfolder:
    path, place = Path(entry.path), place / entry.name
    if is_clutter(entry.name):
        return Omission(path, "hidden")
    try:
        if entry.is_dir():
            return _Subfolder(path, place, above)
        status = path.stat()  # raises for a link to nothing
        if (status.st_dev, status.st_ino) == output_id:
            return Omission(path, "output")
        if not stat.S_ISREG(status.st_mode):  # a pipe would have no end
            return Omission(path, "unclaimed", "no ordinary file")
        kind = file_kind_of(path)
    except OSError as error:
        return _fault(path, error)
    if kind.suffix is None:
        return Omission(path, "unclaimed", kind.label)
    return SourceFile(path, place, kind.suffix)


def is_clutter(name: str) -> bool:
    """Whether a file or folder of that name is hidden, or holds thumbnails or what was deleted."""
    name = name.lower()
    return name.startswith(".") or name in CLUTTER or name.endswith(THUMBNAIL_SUFFIX)


def _fault(path: Path, error: OSError) -> Fault:
    return Fault(path, f"{path} can't be read: {error.strerror or error}")


_NUMBERED: Mapping[Reason, tuple[str, str]] = {
    "hidden": ("hidden file or thumbnail folder", "hidden files or thumbnail folders"),
    "result": ("earlier result", "earlier results"),
    "output": ("place for results", "places for results"),
    "existing": ("picture whose result exists", "pictures whose results exist"),
    "unclaimed": ("file that no format claims", "files that no format claims"),
}
"""What is left out for a reason: one of it, and several."""

_NAMED: tuple[Reason, ...] = ("result", "output", "unclaimed")
"""The reasons for which files are named."""


def describe_omissions(omissions: Sequence[Omission], limit: int = 5) -> str:
    """What is left out, in one line for people: numbers, and names of up to ``limit`` files."""
    alike: dict[tuple[Reason, str], list[Omission]] = {}
    for item in sorted(omissions, key=lambda item: list(_NUMBERED).index(item.reason)):
        alike.setdefault((item.reason, item.label), []).append(item)
    return ", ".join(_count(items, limit) for items in alike.values())


def _count(items: Sequence[Omission], limit: int) -> str:
    """Omissions of one reason and label."""
    reason, label = items[0].reason, items[0].label
    text = f"{len(items):,} {_NUMBERED[reason][len(items) > 1]}" + (f": {label}" if label else "")
    return f"{text} ({_name_files(items, limit)})" if reason in _NAMED else text


def _name_files(items: Sequence[Omission], limit: int) -> str:
    more = len(items) - limit
    names = "; ".join(item.path.name for item in items[:limit])
    return names + (f"; {more:,} more" if more > 0 else "")
