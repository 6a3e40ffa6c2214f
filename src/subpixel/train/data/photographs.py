"""Which pictures are trained on, and which are held out: by photograph, never by tile."""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.media.image_file import PICTURE_SUFFIXES

TILE_NAME = re.compile(r"(.+)_(\d+)_(\d+)")
"""A tile of a photograph: its name, and where in it the tile begins."""

TILE_GRID = 16
"""Tiles begin at multiples of it. Numbers that aren't, such as dates, are part of a name."""

BENCHMARK_FOLDERS = frozenset(
    {"set5", "set14", "bsd100", "b100", "bsds100", "urban100", "manga109"}
)
"""Folders of this name hold the pictures that networks are measured on."""


def split_pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures under ``folder`` for training, and those held out: the last sixteenth of the
    photographs, each with all its tiles.

    Raises :class:`UsageError` for fewer than two photographs, and for a benchmark's folder.
    """
    photographs = list(group_tiles(_list_pictures(folder)).values())
    if len(photographs) < 2:
        raise UsageError(
            f"{folder} holds {len(photographs)} pictures of different photographs; training needs "
            "at least 2"
        )
    held_out = max(1, len(photographs) // 16)
    training, kept_back = photographs[:-held_out], photographs[-held_out:]
    return list(chain.from_iterable(training)), list(chain.from_iterable(kept_back))


def group_tiles(files: Sequence[Path]) -> Mapping[str, list[Path]]:
    """``files`` by the photograph that they show.

    Files of one folder that are named ``NAME_X_Y``, X and Y multiples of 16, are tiles of one
    photograph. Any other file is a photograph by itself.
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        groups[_photograph_of(file)].append(file)
    return groups


def _photograph_of(file: Path) -> str:
    match = TILE_NAME.fullmatch(file.stem)
    if match is None or int(match[2]) % TILE_GRID or int(match[3]) % TILE_GRID:
        return str(file)
    return str(file.with_name(match[1]))


def digest_pictures(folder: Path) -> str:
    """The pictures under ``folder`` as their number and a digest of their names and sizes."""
    files, digest = _list_pictures(folder), hashlib.sha256()
    for file in files:
        name = os.fsencode(file.relative_to(folder).as_posix())
        digest.update(name + f"\0{file.stat().st_size}\n".encode())
    return f"{len(files)} pictures of digest {digest.hexdigest()[:16]}"


def list_others(folder: Path) -> list[Path]:
    """The files under ``folder`` that are no pictures, but for hidden ones."""
    others = (p for p in folder.rglob("*") if p.suffix.lower() not in PICTURE_SUFFIXES)
    return sorted(p for p in others if p.is_file() and not p.name.startswith("."))


def _list_pictures(folder: Path) -> list[Path]:
    pictures = (p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    files = sorted(file for file in pictures if file.is_file())
    for file in files:
        _expect_no_benchmark_folder(file)
    return files


def _expect_no_benchmark_folder(file: Path) -> None:
    for part in file.absolute().parent.parts:
        if part.lower() in BENCHMARK_FOLDERS:
            raise UsageError(
                f"{file} lies in a folder {part}: benchmark pictures are what a network is "
                "measured on, so none may be trained on; name a folder without them"
            )
