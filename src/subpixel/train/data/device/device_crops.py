"""Random crops of luma that lies in the memory of the device that trains, drawn and reduced there.

What :class:`~subpixel.train.data.crops.PhotographCrops` does for RGB, this does for luma of 8 bits:
the low resolution is a reduction of luma, not the luma of a reduction. They differ by rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from subpixel.errors import UsageError
from subpixel.train.data.reduction import HALF, reach, reduction_taps

DRAWN = 7
"""Random numbers for a crop: photograph, picture, row, column, three ways to turn it."""


@dataclass(frozen=True, eq=False)
class DeviceCrops:
    """Crops of photographs, each as often as any other, however many pictures it has."""

    pixels: Tensor
    """All pictures one after the other, uint8."""
    pictures: Tensor
    """``(pictures, 3)`` int64: where each begins in ``pixels``, its height, its width."""
    photographs: Tensor
    """``(photographs, 2)`` int64: the first picture of each, and how many it has."""
    scale: int
    seed: int = 0

    @classmethod
    def of(
        cls,
        photographs: Sequence[Sequence[NDArray[np.uint8]]],
        scale: int,
        crop: int,
        *,
        seed: int = 0,
        device: str = "cpu",
    ) -> "DeviceCrops":
        """Of ``(H, W)`` luma by photograph; pictures too small for ``crop`` are left out.

        Raises :class:`UsageError` where none is large enough.
        """
        least = crop * scale
        large = [[p for p in group if min(p.shape) >= least] for group in photographs]
        large = [group for group in large if group]
        if not large:
            raise UsageError(f"no picture is {least} pixels high and wide or more")
        planes = [plane for group in large for plane in group]
        counts = np.array([len(group) for group in large])
        lengths = np.array([plane.size for plane in planes])
        rows = [(plane.shape[0], plane.shape[1]) for plane in planes]
        table = np.column_stack([np.cumsum(lengths) - lengths, np.array(rows)])
        groups = np.column_stack([np.cumsum(counts) - counts, counts])
        pixels = np.concatenate([plane.ravel() for plane in planes])
        on_device = [torch.from_numpy(part).to(device) for part in (pixels, table, groups)]
        return cls(on_device[0], on_device[1], on_device[2], scale, seed)

    def draw(self, size: int, crop: int, step: int) -> tuple[Tensor, ...]:  # noqa: ARG002
        generator = torch.Generator(self.pixels.device)
        # a processor's generator takes 32 bits of its seed
        mixed = np.random.SeedSequence((self.seed, step)).generate_state(1)
        generator.manual_seed(int(mixed[0]))
        device = self.pixels.device
        return (torch.rand(size, DRAWN, generator=generator, device=device),)

    def cut(self, parts: tuple[Tensor, ...], crop: int) -> tuple[Tensor, Tensor]:
        (drawn,) = parts
        margin = reach(self.scale)
        windows = self._windows(drawn, crop, margin)
        side = crop * self.scale
        high = windows[:, margin : margin + side, margin : margin + side]
        low = reduce_rows(reduce_rows(windows, self.scale).transpose(1, 2), self.scale)
        return low.transpose(1, 2)[:, None] / 255, high[:, None] / 255

    def _windows(self, drawn: Tensor, crop: int, margin: int) -> Tensor:
        """``(N, side, side)`` float32 in 0 … 255, turned, with a margin; beyond a picture's edge
        its last pixels are repeated."""
        side = crop * self.scale
        group = self.photographs[_pick(drawn[:, 0], len(self.photographs))]
        picture = self.pictures[group[:, 0] + _pick(drawn[:, 1], group[:, 1])]
        start, height, width = picture.unbind(1)
        top, left = (
            _pick(drawn[:, 2 + axis], sides - side + 1)
            for axis, sides in enumerate((height, width))
        )
        along = torch.arange(-margin, side + margin, device=drawn.device)
        rows, columns = _turn_places(along, side, drawn[:, 4:])
        rows = (rows + top[:, None, None]).clamp_min(0)
        rows = torch.minimum(rows, height[:, None, None] - 1)
        columns = (columns + left[:, None, None]).clamp_min(0)
        columns = torch.minimum(columns, width[:, None, None] - 1)
        places = start[:, None, None] + rows * width[:, None, None] + columns
        return self.pixels[places].float()


def _pick(drawn: Tensor, count: Tensor | int) -> Tensor:
    """Whole numbers below ``count`` for random numbers in 0 … 1."""
    return (drawn.double() * count).long()


def _turn_places(along: Tensor, side: int, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns, ``(N, …, …)``, of a window in one of its eight positions."""
    swap, mirror_rows, mirror_columns = (choice[:, None, None] < 0.5 for choice in drawn.unbind(1))
    down, across = along[None, :, None], along[None, None, :]
    rows, columns = torch.where(swap, across, down), torch.where(swap, down, across)
    return (
        torch.where(mirror_rows, side - 1 - rows, rows),
        torch.where(mirror_columns, side - 1 - columns, columns),
    )


def reduce_rows(planes: Tensor, scale: int) -> Tensor:
    """``(N, rows * scale + 2 * reach, W)`` → ``(N, rows, W)``, as ``imresize`` reduces 8-bit rows.

    By sums of products, not by a convolution, which GPUs compute with 11 bits of precision.
    """
    rows = (planes.shape[1] - 2 * reach(scale)) // scale
    total = torch.zeros(len(planes), rows, planes.shape[2], device=planes.device)
    for tap, weight in enumerate(reduction_taps(scale).tolist()):
        total = total + planes[:, tap : tap + rows * scale : scale] * weight
    return (total + HALF).floor().clamp(0, 255)
