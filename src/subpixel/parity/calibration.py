"""Pictures from which a quantiser learns the ranges that a network's activations take."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from subpixel.errors import UsageError
from subpixel.imaging.colour import luma
from subpixel.media.image_file import PICTURE_SUFFIXES, read_picture
from subpixel.parity.cases import Case, grid, pixels
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec

MIN_AREA = 64 * 64
"""Pixels up to which a case is small: contents other than the photograph are repetitive."""

CROP_SIDE = 256
"""Side of the middle of a photograph that is looked at."""

MAX_PICTURES = 32
"""Photographs of a folder that are looked at, the first by name."""

FLAT_SPREAD = 2 / 255
"""A picture whose channels spread less than this (standard deviation) is as good as flat."""

FLAT_SIDE, FLAT_STEP, FLAT_ROUNDS = 24, 15, 10
"""Of flat pictures the side, how far their levels are apart, and how often each comes. With them
`fast` x4 in integers strays by 3 code values in the corners and 2 along edges, without by 4."""


def calibration_pictures(spec: ModelSpec, folder: Path | None = None) -> Iterator[Pixels]:
    """:func:`folder_pictures`, or where no folder is named :func:`grid_pictures`."""
    return grid_pictures(spec) if folder is None else folder_pictures(folder, spec)


def grid_pictures(spec: ModelSpec) -> Iterator[Pixels]:
    """The grid's photograph at every size, its other contents at the small ones.

    Each is ``(batch, channels, height, width)`` float32, of a size that ``spec`` takes. Noise
    is among them: without it, ranges would be cut off where a picture is busier than the photo.
    """
    for case in grid(spec).cases:
        if _is_looked_at(case, spec):
            yield pixels(case, spec.channels)


def folder_pictures(folder: Path, spec: ModelSpec) -> Iterator[Pixels]:
    """The middles of up to 32 photographs of ``folder``, as far as ``spec`` takes their size.

    Raises :class:`~subpixel.errors.UsageError` when there is none.
    """
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    taken = 0
    for file in files[:MAX_PICTURES]:
        picture = _middle_crop(file, spec)
        if picture is not None:
            taken += 1
            yield picture
    if not taken:
        raise UsageError(
            f"{folder} holds no photograph of a size that {spec.name} takes; name another folder"
        )


def describe_flat(pictures: Iterable[Pixels]) -> str | None:
    """A line on those of ``pictures`` that are (almost) of one colour each, where they are half of
    them or more: ranges that were seen on them are too narrow for photographs."""
    flat = [bool(picture.std(axis=(2, 3)).max() < FLAT_SPREAD) for picture in pictures]
    if 2 * sum(flat) < len(flat) or not any(flat):
        return None
    return (
        f"{sum(flat)} of the {len(flat)} pictures for calibration are (almost) of one colour, and "
        "show no ranges: name a folder of photographs"
    )


def flat_pictures(spec: ModelSpec) -> Iterator[Pixels]:
    """Pictures of one grey each, whose edges and corners are a large part of them: with these, a
    quantiser sees what zero padding does where nothing hides it."""
    for level in (*range(0, 256, FLAT_STEP),) * FLAT_ROUNDS:
        yield np.full((1, spec.channels, FLAT_SIDE, FLAT_SIDE), level / 255, np.float32)


def _is_looked_at(case: Case, spec: ModelSpec) -> bool:
    small = case.height * case.width <= MIN_AREA or spec.fixed_size is not None
    return case.batch == (spec.fixed_batch or 1) and (case.content == "photo" or small)


def _middle_crop(file: Path, spec: ModelSpec) -> Pixels | None:
    rgb = read_picture(file).rgb8() / np.float32(255)
    height, width = spec.fixed_size or _calibration_size(rgb.shape[0], rgb.shape[1], spec)
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    if min(top, left) < 0 or min(height, width) < spec.size_minimum:
        return None
    crop = rgb[top : top + height, left : left + width]
    planes = crop if spec.channels == 3 else luma(crop)[..., None]
    picture: Pixels = np.ascontiguousarray(planes.transpose(2, 0, 1)[None], np.float32)
    return np.repeat(picture, spec.fixed_batch or 1, axis=0)


def _calibration_size(height: int, width: int, spec: ModelSpec) -> tuple[int, int]:
    sides = [min(s, CROP_SIDE) // spec.size_multiple * spec.size_multiple for s in (height, width)]
    return (min(sides), min(sides)) if spec.square else (sides[0], sides[1])
