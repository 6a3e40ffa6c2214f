"""The grid of pictures on which two networks are compared."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from subpixel.colour import luma
from subpixel.media.image_file import read_picture
from subpixel.runtime.op import Pixels
from subpixel.runtime.pixels import to_pixels
from subpixel.runtime.tiling import working_size
from subpixel.spec import ModelSpec

Content = Literal["noise", "zeros", "ones", "gradients", "impulses", "photo"]

BATCHES = (1, 3)
SIZES = ((1, 1), (7, 5), (64, 64), (51, 67), (224, 224), (33, 200))
"""Height and width: the least there is, odd and co-prime, square, long, and the reference's."""

LONG = (1040, 40)
"""One more size for networks that look at the whole picture: some count its levels, and do
otherwise from a side of 1024 on (RGT)."""

IMPULSE_SHARE = 1 / 64

BUDGET = 1e12
"""Multiply-adds that a grid may cost each side: about half a minute on two cores."""

SMALL = 3 * 64 * 64
"""Input pixels of a batch that is not large."""

_WORTH: tuple[Content, ...] = ("noise", "photo", "impulses", "gradients", "ones", "zeros")
"""The contents, those that show most first."""


@dataclass(frozen=True)
class Case:
    """One input of the grid, or of the user's: how many pictures of which size, and of what."""

    batch: int
    height: int
    width: int
    content: Content | Literal["picture"]
    source: Path | None = None
    """The file of a ``"picture"``; every picture of the batch is that one."""

    @property
    def pixels(self) -> int:
        """Input pixels of the whole batch."""
        return self.batch * self.height * self.width

    @property
    def subject(self) -> str:
        """What the pictures show: their content, or the file's name."""
        return self.source.name if self.source else self.content

    @property
    def name(self) -> str:
        return f"{self.subject} {self.batch}×{self.height}×{self.width}"


def grid(*specs: ModelSpec, cost: float = 0.0) -> tuple[Case, ...]:
    """Every content at every shape of the grid, as far as the networks in ``specs`` take it.

    A fixed size or batch replaces those of the grid; where a network does not pad by itself,
    sizes are brought to those it works on. ``cost`` is what the dearest of the networks spends
    on a pixel, in multiply-adds: where the whole grid would exceed :data:`BUDGET`, the dearest
    cases are left out; noise stays at every size, and in every batch that is not large.
    """
    shapes = itertools.product(BATCHES, SIZES)
    cases = [Case(n, h, w, content) for n, (h, w) in shapes for content in get_args(Content)]
    if all(spec.halo is None for spec in specs):
        cases += [Case(1, *LONG, content) for content in _WORTH[:2]]
    for spec in specs:
        cases = [_fitted(case, spec) for case in cases]
    return _affordable(tuple(dict.fromkeys(cases)), BUDGET / cost if cost else math.inf)


def _affordable(cases: tuple[Case, ...], most: float) -> tuple[Case, ...]:
    """As many of ``cases``, in their order, as have together at most ``most`` pixels."""
    kept = list(cases)
    spent = sum(case.pixels for case in cases)
    for case in sorted(cases, key=lambda case: (-case.pixels, -_WORTH.index(case.content))):
        needed = case.content == "noise" and (case.batch == 1 or case.pixels <= SMALL)
        if spent > most and not needed:
            kept.remove(case)
            spent -= case.pixels
    return tuple(kept)


def _fitted(case: Case, spec: ModelSpec) -> Case:
    most = spec.size_maximum or max(case.height, case.width)
    height, width = spec.fixed_size or (min(case.height, most), min(case.width, most))
    if not spec.pads:
        height, width = working_size(
            height, width, spec.size_multiple, spec.size_minimum, spec.square
        )
    return replace(case, batch=spec.fixed_batch or case.batch, height=height, width=width)


def pixels(case: Case, channels: int) -> Pixels:
    """The input of a case: ``(batch, channels, height, width)`` float32 in 0 … 1.

    ``channels`` is 1 (luma) or 3 (RGB). The same case always gives the same pixels. The pictures
    of a batch differ, zeros and ones apart, so that mixing them up shows.
    """
    picture = _PICTURES[case.content]
    planes = [picture(case, channels, index) for index in range(case.batch)]
    return np.stack(planes).astype(np.float32)


def _noise(case: Case, channels: int, index: int) -> Pixels:
    return _random(case, channels, index).random((channels, case.height, case.width), np.float32)


def _zeros(case: Case, channels: int, _index: int) -> Pixels:
    return np.zeros((channels, case.height, case.width), np.float32)


def _ones(case: Case, channels: int, _index: int) -> Pixels:
    return np.ones((channels, case.height, case.width), np.float32)


def _gradients(case: Case, channels: int, index: int) -> Pixels:
    """Ramps from 0 to 1: across, down, and along the diagonal, in turn over channels and batch."""
    down, across = np.meshgrid(
        np.linspace(0, 1, case.height), np.linspace(0, 1, case.width), indexing="ij"
    )
    ramps = (across, down, (across + down) / 2)
    return np.stack([ramps[(plane + index) % 3] for plane in range(channels)])


def _impulses(case: Case, channels: int, index: int) -> Pixels:
    """Single white pixels on black; in every second picture black ones on white."""
    shape = (channels, case.height, case.width)
    hit = _random(case, channels, index).random(shape) < IMPULSE_SHARE
    hit[:, case.height // 2, case.width // 2] = True
    picture: Pixels = (hit != bool(index % 2)).astype(np.float32)
    return picture


def _photo(case: Case, channels: int, index: int) -> Pixels:
    """The middle of the photograph, mirrored at its edges as often as needed; later ones moved."""
    with resources.as_file(resources.files(__package__) / "photo.jpg") as file:
        rgb: Pixels = read_picture(file).frames[0] / np.float32(255)
    rows, columns = (
        _mirrored((side - wanted) // 2 + 16 * index, wanted, side)
        for side, wanted in zip(rgb.shape[:2], (case.height, case.width), strict=True)
    )
    crop = rgb[np.ix_(rows, columns)]
    planes: Pixels = (crop if channels == 3 else luma(crop)[..., None]).transpose(2, 0, 1)
    return planes


def _picture(case: Case, channels: int, _index: int) -> Pixels:
    """The file's first frame, without alpha; the luma of its colours for one channel."""
    assert case.source is not None, "a picture has a file"
    planes = to_pixels(read_picture(case.source).frames[:1])[0]
    colours = planes[: 3 if len(planes) > 2 else 1]
    if channels == 3:
        return np.broadcast_to(colours, (3, *colours.shape[1:]))
    return colours if len(colours) == 1 else luma(colours.transpose(1, 2, 0))[None]


def _mirrored(start: int, count: int, size: int) -> Sequence[int]:
    turns = [position % (2 * size) for position in range(start, start + count)]
    return [min(turn, 2 * size - 1 - turn) for turn in turns]


def _random(case: Case, channels: int, index: int) -> np.random.Generator:
    return np.random.default_rng((case.height, case.width, channels, index))


_PICTURES: Mapping[str, Callable[[Case, int, int], Pixels]] = {
    "noise": _noise,
    "zeros": _zeros,
    "ones": _ones,
    "gradients": _gradients,
    "impulses": _impulses,
    "photo": _photo,
    "picture": _picture,
}
