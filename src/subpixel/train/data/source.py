"""What the training loop takes: batches of crops, some of them flat, and whole pairs."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Luma = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pair:
    """One photograph's luma in 0 … 1: ``low`` is ``(h, w)``, ``high`` ``scale`` times larger."""

    low: Luma
    high: Luma


class CropSource(Protocol):
    """Where batches come from. Each depends on the source's seed and the step alone, so a resumed
    run gets the batches of an uninterrupted one."""

    def draw(self, size: int, crop: int, step: int) -> tuple[Tensor, ...]:
        """What batch ``step``, of ``size`` crops of ``crop`` low-resolution pixels, is made of; on
        the device that trains, of shapes that don't depend on the step."""

    def cut(self, parts: tuple[Tensor, ...], crop: int) -> tuple[Tensor, Tensor]:
        """Low and high resolution, ``(N, 1, h, w)`` float32 luma in 0 … 1, of what was drawn; by
        calls that a CUDA graph can replay."""


@dataclass(frozen=True, eq=False)
class FlatsAmong:
    """The batches of ``source``, but that the last ``share`` of each are flat, in one of the 256
    brightnesses each.

    What is one brightness must stay so, up to the picture's edge. Networks pad with zeros, which is
    black, so there a flat area looks like one in a black frame; in photographs that is too rare for
    a network to learn otherwise.
    """

    source: CropSource
    share: float
    seed: int = 0
    device: str = "cpu"

    def draw(self, size: int, crop: int, step: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((self.seed, step, 1))
        levels = random.integers(256, size=count_flats(size, self.share)) / np.float32(255)
        flats = torch.from_numpy(levels.astype(np.float32)).to(self.device)
        return (flats, *self.source.draw(size, crop, step))

    def cut(self, parts: tuple[Tensor, ...], crop: int) -> tuple[Tensor, Tensor]:
        flats, *drawn = parts
        low, high = self.source.cut(tuple(drawn), crop)
        return _with_flats(low, flats), _with_flats(high, flats)


def count_flats(size: int, share: float) -> int:
    """How many of ``size`` crops are flat: at least one where any are."""
    return min(size - 1, max(1, round(size * share))) if share > 0 else 0


def _with_flats(crops: Tensor, flats: Tensor) -> Tensor:
    kept = crops[: len(crops) - len(flats)]
    return torch.cat([kept, flats[:, None, None, None].expand(-1, *crops.shape[1:])])
