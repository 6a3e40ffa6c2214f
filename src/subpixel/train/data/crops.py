"""Random crops of photographs, drawn on the processor by the benchmarks' own arithmetic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from subpixel.errors import UsageError
from subpixel.imaging.colour import Rgb8
from subpixel.train.data.damage import GRID_PERIOD, HELD_OUT_DAMAGES, apply_damage, draw_damage
from subpixel.train.data.pairs import make_pair, unit_luma
from subpixel.train.data.photographs import group_tiles, split_pictures
from subpixel.train.data.prepared import SHRINKS, prepare_sizes
from subpixel.train.data.reduction import reach, reduction, round_half_up
from subpixel.train.data.source import Luma, Pair


@dataclass(frozen=True, eq=False)
class PhotographCrops:
    """Crops of photographs, each as often as any other, however many tiles and sizes it has.

    ``photographs`` holds the pictures of each, ``(H, W, 3)`` 8-bit RGB, all large enough for the
    crops that will be drawn.
    """

    photographs: Sequence[Sequence[Rgb8]]
    scale: int
    seed: int = 0
    damaged: bool = False
    """Whether the low resolution goes through JPEG or WebP."""
    device: str = "cpu"

    def draw(self, size: int, crop: int, step: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self.seed, step))
        pairs = [self._draw_pair(crop, random) for _ in range(size)]
        low, high = (
            np.stack(side)[:, None]
            for side in ([pair.low for pair in pairs], [pair.high for pair in pairs])
        )
        return torch.from_numpy(low).to(self.device), torch.from_numpy(high).to(self.device)

    def cut(self, parts: tuple[Tensor, ...], crop: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        low, high = parts
        return low, high

    def _draw_pair(self, crop: int, random: np.random.Generator) -> Pair:
        pictures = self.photographs[int(random.integers(len(self.photographs)))]
        rgb = pictures[int(random.integers(len(pictures)))]
        pair = (
            self._draw_damaged(rgb, crop, random)
            if self.damaged
            else _draw_spot(rgb, self.scale, crop, random)
        )
        turns, flip = int(random.integers(4)), bool(random.integers(2))
        return Pair(_turn(pair.low, turns, flip), _turn(pair.high, turns, flip))

    def _draw_damaged(self, rgb: Rgb8, crop: int, random: np.random.Generator) -> Pair:
        """The crop lies anywhere in what is damaged, and so do its edges in the blocks."""
        sides = [min(crop + 2 * GRID_PERIOD, side // self.scale) for side in rgb.shape[:2]]
        spot = [
            int(random.integers(full - side * self.scale + 1))
            for full, side in zip(rgb.shape[:2], sides, strict=True)
        ]
        low = apply_damage(reduce_spot(rgb, self.scale, spot, sides), draw_damage(random))
        top, left = (int(random.integers(side - crop + 1)) for side in sides)
        large = _high_spot(
            rgb, self.scale, [spot[0] + top * self.scale, spot[1] + left * self.scale], crop
        )
        return Pair(unit_luma(low[top : top + crop, left : left + crop]), large)


def _draw_spot(rgb: Rgb8, scale: int, crop: int, random: np.random.Generator) -> Pair:
    spot = [int(random.integers(side - crop * scale + 1)) for side in rgb.shape[:2]]
    low = reduce_spot(rgb, scale, spot, [crop, crop])
    return Pair(unit_luma(low), _high_spot(rgb, scale, spot, crop))


def _high_spot(rgb: Rgb8, scale: int, spot: Sequence[int], crop: int) -> Luma:
    top, left, side = *spot, crop * scale
    return unit_luma(rgb[top : top + side, left : left + side])


def reduce_spot(rgb: Rgb8, scale: int, spot: Sequence[int], sides: Sequence[int]) -> Rgb8:
    """A part of ``(H, W, 3)`` at low resolution, of ``sides`` low-resolution pixels, whose first
    high-resolution row and column are ``spot``; as ``imresize`` makes it of the whole picture
    without the rows and columns that shift its grid there.

    Sums are in single precision, so that one in some thousands may be rounded otherwise.
    """
    rows, columns = (
        np.clip(np.arange(start - reach(scale), start + side * scale + reach(scale)), 0, full - 1)
        for start, side, full in zip(spot, sides, rgb.shape[:2], strict=True)
    )
    part = rgb[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    part = part[rows - rows[0]][:, columns - columns[0]].astype(np.float32)
    height, width = part.shape[:2]
    down = round_half_up(reduction(scale, sides[0]) @ part.reshape(height, -1))
    across = down.reshape(sides[0], width, 3).transpose(1, 0, 2).reshape(width, -1)
    reduced = round_half_up(reduction(scale, sides[1]) @ across)
    return reduced.reshape(sides[1], sides[0], 3).transpose(1, 0, 2).astype(np.uint8)


def _turn(picture: Luma, turns: int, flip: bool) -> Luma:
    turned = np.rot90(picture, turns)
    return turned[:, ::-1] if flip else turned


def load_crops(
    folder: Path,
    scale: int,
    crop: int,
    *,
    shrinks: Sequence[Fraction] = SHRINKS,
    damaged: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[PhotographCrops, list[Pair]]:
    """The pictures under ``folder`` as a source of crops, and the whole ones that are held out.

    A training picture is used at every size in ``shrinks``, but for sizes with a side shorter than
    ``crop`` low-resolution pixels. The held-out ones are damaged in fixed ways by turns where the
    others are damaged. Raises :class:`UsageError` where there are too few, or none is large enough.
    """
    files, held_out = split_pictures(folder)
    sizes = {file: prepare_sizes(file, shrinks) for file in files}
    photographs = large_enough(group_tiles(files), sizes, crop * scale)
    if not photographs:
        raise UsageError(f"no picture in {folder} is {crop * scale} pixels high and wide or more")
    source = PhotographCrops(photographs, scale, seed, damaged, device)
    return source, load_held_out(held_out, scale, damaged=damaged)


def large_enough(
    groups: Mapping[str, Sequence[Path]], sizes: Mapping[Path, Sequence[Rgb8]], least: int
) -> list[list[Rgb8]]:
    """The pictures of each photograph with sides of at least ``least`` pixels; none is empty."""
    pictures = [
        [rgb for file in files for rgb in sizes[file] if min(rgb.shape[:2]) >= least]
        for files in groups.values()
    ]
    return [group for group in pictures if group]


def load_held_out(files: Iterable[Path], scale: int, *, damaged: bool) -> list[Pair]:
    """The whole pictures in ``files``."""
    damages = cycle(HELD_OUT_DAMAGES if damaged else (None,))
    return [
        make_pair(prepare_sizes(file, SHRINKS[:1])[0], scale, damage)
        for file, damage in zip(files, damages, strict=False)
    ]
