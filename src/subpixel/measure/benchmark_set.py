"""A benchmark set: which pictures it has, and where the small ones come from.

Both are settled, and checked by the files' headers, before anything is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from subpixel.errors import UsageError
from subpixel.imaging.colour import Rgb8
from subpixel.imaging.metrics import least_side
from subpixel.imaging.resample import imresize
from subpixel.media.image_file import PICTURE_SUFFIXES, open_picture, read_picture
from subpixel.media.jpeg_degradation import through_jpeg

MAX_NAMES = 3
"""How many files a message names."""

TRUTHS = "GT"
"""The folder of a set that holds its ground truth."""


@dataclass(frozen=True)
class Benchmark:
    """Pictures to be made anew from small ones."""

    truths: Sequence[Path]
    scale: int
    lows: Sequence[Path] | None = None
    """The low-resolution picture of each, in their order; None: all are made by
    :func:`subpixel.imaging.resample.imresize`."""
    jpeg: int | None = None
    """The JPEG quality that the low resolution goes through first, 1 … 100; None: it doesn't."""

    @property
    def low_resolution(self) -> str:
        """Where the low-resolution pictures come from: their folder, or how they are made."""
        return f"{self.lows[0].parent.name}/" if self.lows else "bicubic reduction"


def benchmark(data: Path, scale: int, jpeg: int | None = None) -> Benchmark:
    """The pictures of ``data``: ground truth in ``GT/`` with low resolution in ``x2/``, ``x3/``,
    ``x4/`` beside it, or ground truth alone.

    A set has either: where there is the folder of this scale, each picture has its partner there,
    of the same name or, for ``a.png`` at ×2, of the name ``ax2.png``. Raises :class:`UsageError`
    where one is missing or has no ground truth, and where there are no pictures.
    """
    truths = _expect_some(truth_folder(data))
    small = data / f"x{scale}"
    return Benchmark(truths, scale, _partners(truths, small) if small.is_dir() else None, jpeg)


def truth_folder(data: Path) -> Path:
    """Where the ground truth of the set ``data`` lies."""
    return data / TRUTHS if (data / TRUTHS).is_dir() else data


def describe_rest(data: Path) -> str:
    """What of the ground truth's folder is not taken, in words; empty where all is."""
    folder = truth_folder(data)
    others = set(folder.iterdir()) - set(_pictures(folder))
    own = {path for path in others if path.name == TRUTHS or _is_small(path)}
    others = {path for path in others - own if not path.name.startswith(".")}
    folders = sorted(path for path in others if path.is_dir())
    files = sorted(others - set(folders))
    parts = (
        describe_files(folders, "subfolder", "subfolders"),
        describe_files(files, "file that is no picture", "files that are no pictures"),
    )
    return ", ".join(filter(None, parts))


def describe_files(files: Sequence[Path], one: str, several: str) -> str:
    """How many they are, of what, and the first few names; empty where there are none."""
    what = one if len(files) == 1 else several
    return f"{len(files):,} {what} ({_names(files)})" if files else ""


def _is_small(path: Path) -> bool:
    return path.name[:1] == "x" and path.name[1:].isdecimal()


def _pictures(folder: Path) -> list[Path]:
    files = (p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    return sorted(file for file in files if file.is_file())


def _expect_some(folder: Path) -> list[Path]:
    files = _pictures(folder)
    if not files:
        raise UsageError(f"{folder} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return files


def _partners(truths: Sequence[Path], folder: Path) -> list[Path]:
    """The file of ``folder`` that belongs to each of ``truths``."""
    there = {file.name: file for file in _pictures(folder)}
    names = [_find_partner(truth, folder.name, there) for truth in truths]
    missing = [truth for truth, name in zip(truths, names, strict=True) if name is None]
    extra = [there[name] for name in sorted(there.keys() - set(names))]
    if missing or extra:
        raise UsageError(
            f"{folder} doesn't hold the small pictures of {truths[0].parent}: "
            f"{_describe_strays(missing, extra)}; complete the folder, or remove it: then all "
            "small pictures are made by bicubic reduction"
        )
    return [there[name] for name in names if name is not None]


def _find_partner(truth: Path, mark: str, there: dict[str, Path]) -> str | None:
    """By the same name, or as DIV2K has it: ``0801.png`` and ``0801x2.png``."""
    names = (truth.name, f"{truth.stem}{mark}{truth.suffix}")
    return next((name for name in names if name in there), None)


def _describe_strays(missing: Sequence[Path], extra: Sequence[Path]) -> str:
    parts = (("none for", missing), ("no ground truth for", extra))
    return ", ".join(f"{what} {_names(files)}" for what, files in parts if files)


def _names(files: Sequence[Path]) -> str:
    more = len(files) - MAX_NAMES
    listed = ", ".join(file.name for file in files[:MAX_NAMES])
    return listed + (f" and {more} more" if more > 0 else "")


def expect_sizes(pictures: Benchmark) -> None:
    """Check by their headers that all pictures can be measured.

    Raises :class:`UsageError`, which names the file, for one that is too small, and for a pair that
    doesn't fit; the ground truth may be larger than a multiple of the scale, by what is cropped.
    """
    for place, truth in enumerate(pictures.truths):
        height, width = picture_sides(truth)
        cropped = (height // pictures.scale, width // pictures.scale)
        least = least_side(pictures.scale)
        if min(cropped) * pictures.scale < least:
            raise UsageError(
                f"{truth} measures {width}×{height}; to be measured, each side must have {least} "
                f"pixels, in multiples of {pictures.scale}: SSIM's window and a border of "
                f"{pictures.scale} on both sides; take it out of the set"
            )
        if pictures.lows is not None:
            _expect_pair(pictures.lows[place], truth, cropped, pictures.scale)


def _expect_pair(low: Path, truth: Path, cropped: tuple[int, int], scale: int) -> None:
    """``cropped``: the sides of ``truth`` divided by ``scale``, rounded down."""
    height, width = picture_sides(low)
    if (height, width) != cropped:
        raise UsageError(
            f"{low} measures {width}×{height}, where {truth} at ×{scale} needs "
            f"{cropped[1]}×{cropped[0]}; the pictures are no pair"
        )


def picture_sides(file: Path) -> tuple[int, int]:
    """Height and width, as :func:`read_picture` gives them, from the file's header."""
    _, height, width, _ = open_picture(file).header.shape
    return height, width


def read_pair(pictures: Benchmark, place: int) -> tuple[Rgb8, Rgb8]:
    """The small picture and the ground truth at ``place``; the latter cropped to a multiple of the
    scale."""
    truth = read_picture(pictures.truths[place]).rgb8()
    height, width = (side // pictures.scale * pictures.scale for side in truth.shape[:2])
    truth = np.ascontiguousarray(truth[:height, :width])
    if pictures.lows is None:
        low: Rgb8 = imresize(truth, Fraction(1, pictures.scale))
    else:
        low = read_picture(pictures.lows[place]).rgb8()
    return (low if pictures.jpeg is None else through_jpeg(low, pictures.jpeg)), truth
