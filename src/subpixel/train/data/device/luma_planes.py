"""Photographs' luma, rounded to 8 bits, in the sizes that are trained on."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from subpixel.imaging.colour import luma
from subpixel.train.data.device.packing import LumaPack, Plane, measure_pack
from subpixel.train.data.photographs import group_tiles, split_pictures
from subpixel.train.data.prepared import SHRINKS, prepare_sizes


def luma_by_photograph(
    files: Sequence[Path], shrinks: Sequence[Fraction] = SHRINKS
) -> list[list[Plane]]:
    """The pictures of each photograph, in every size."""
    return [_planes_of(group, shrinks) for group in group_tiles(files).values()]


def _planes_of(files: Sequence[Path], shrinks: Sequence[Fraction]) -> list[Plane]:
    return [
        np.rint(luma(rgb)).astype(np.uint8)
        for file in files
        for rgb in prepare_sizes(file, shrinks)
    ]


def pack_folder(folder: Path, max_bytes: int) -> LumaPack:
    """The luma of the pictures under ``folder``, as far as ``max_bytes`` of a file go.

    What is held out comes first, one picture of each photograph; then of the others first one
    picture each, then a second, and so on.
    """
    files, held_out = split_pictures(folder)
    kept_back = group_tiles(held_out)
    first = {
        Path(name).name: _planes_of(group[:1], SHRINKS[:1]) for name, group in kept_back.items()
    }
    room = max_bytes - sum(measure_pack(plane) for (plane,) in first.values())
    return LumaPack(_pick_planes(group_tiles(files), room), first)


def _pick_planes(groups: Mapping[str, Sequence[Path]], room: int) -> dict[str, list[Plane]]:
    planes: dict[str, list[Plane]] = {}
    for turn in range(max(map(len, groups.values()))):
        for name, files in groups.items():
            for plane in _planes_of(files[turn : turn + 1], SHRINKS[:1]):
                room -= measure_pack(plane)
                if room < 0:
                    return planes
                planes.setdefault(Path(name).name, []).append(plane)
    return planes
