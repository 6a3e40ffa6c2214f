"""The grid of pictures on which two networks are compared."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Literal

import numpy as np

from subpixel.graph.geometry.size_numbers import SizeNumbers
from subpixel.parity.contents import LEVELS, Content, draw, read_pixels
from subpixel.parity.discriminating_sizes import (
    LONG_SIDE,
    THIN,
    discriminating_batches,
    discriminating_sizes,
    random_sizes,
)
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec
from subpixel.upscaling.tiles.tiling import working_size

BATCHES = (1, 3)
STANDARD_SIZES = ((1, 1), (7, 5), (64, 64), (51, 67), (224, 224), (33, 200))
"""Height and width: the smallest there is, odd and co-prime, square, long, and the reference's."""

LONG = (1040, 40)
"""One more size for networks that look at the whole picture: some count its levels, and do
otherwise from a side of 1024 on (RGT)."""

TONED = (33, 46)
"""The size of the random pictures that go through every brightness."""

BUDGET = 3e12
"""Multiply-adds that a grid may cost each side: a minute or two on two cores."""

SMALL_BATCH = 3 * 64 * 64
"""Input pixels of a batch that is not large."""

MAX_PIXELS = 768 * 768
"""Input pixels that a case may have, after the network's padding."""

WORTH: tuple[Content, ...] = (
    "noise",
    "photo",
    "random",
    "dark photo",
    "bright photo",
    "grey photo",
    "impulses",
    "gradients",
    "ones",
    "zeros",
)
"""The contents, those that show most first."""


@dataclass(frozen=True)
class Case:
    """One input of the grid, or of the user's: how many pictures of which size, and of what."""

    batch: int
    height: int
    width: int
    content: Content | Literal["picture"]
    seed: int = 0
    """Of ``"random"`` content."""
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


class Tier(IntEnum):
    """How much a case is needed: where a network is dear, the last ones are left out first."""

    NEEDED = 0
    CONTENTS = 1
    """Every content in single pictures of up to 64 × 64 pixels."""
    TELLING = 2
    RANDOM = 3
    LARGE = 4
    REPEATED = 5
    """Noise and the photograph in batches, and at the largest fixed size."""


@dataclass(frozen=True)
class Grid:
    """What is compared, and what isn't because it would cost too much."""

    cases: tuple[Case, ...]
    seed: int
    """Of the random sizes and contents."""
    left_out: tuple[Case, ...] = ()


def grid(
    *specs: ModelSpec, cost: float = 0.0, numbers: SizeNumbers = SizeNumbers(), seed: int = 0
) -> Grid:
    """The pictures for networks of ``specs``, as far as all of these take them.

    Every content at a few fixed sizes, noise and a photograph there in batches of 3, too; the
    sizes at which code that computes with ``numbers`` may change its course
    (:func:`~subpixel.parity.discriminating_sizes.discriminating_sizes`); random sizes and contents,
    of ``seed``, up to the largest tile; a side of 4,096.

    A fixed size or batch takes the place of the grid's; where a network does not pad by itself,
    sizes are brought to those it works on. ``cost`` is what the dearest of the networks spends
    on a pixel, in multiply-adds: where all would exceed :data:`BUDGET`, the dearest cases of the
    last tiers are left out; noise stays at every fixed size and in every batch that is not large.
    """
    drawn = [
        (tier, case)
        for tier, case in (*_standard_cases(specs), *_drawn_cases(numbers, seed))
        if case.content != "grey photo" or any(spec.channels > 1 for spec in specs)
    ]
    for spec in specs:
        drawn = [(tier, fit(case, spec)) for tier, case in drawn]
    tiers: dict[Case, Tier] = {}
    for tier, case in drawn:
        tiers[case] = min(tier, tiers.get(case, tier))
    return _afford(tiers, specs, BUDGET / cost if cost else math.inf, seed)


def pixels(case: Case, channels: int) -> Pixels:
    """The input of a case: ``(batch, channels, height, width)`` float32 in 0 … 1.

    ``channels`` is 1 (luma) or 3 (RGB). The same case always gives the same pixels.
    """
    if case.source is not None:
        return np.stack([read_pixels(case.source, channels)] * case.batch)
    assert case.content != "picture", "a picture has a file"
    shape = (channels, case.height, case.width)
    return np.stack([draw(case.content, shape, i, case.seed) for i in range(case.batch)])


def _standard_cases(specs: Sequence[ModelSpec]) -> Iterable[tuple[Tier, Case]]:
    for batch, (height, width), content in itertools.product(BATCHES, STANDARD_SIZES, WORTH):
        case = Case(batch, height, width, content)
        if content in WORTH[:2] or (content != "random" and _shows_all(case)):
            yield _tier(case), case
    if all(spec.halo is None for spec in specs):
        for content in WORTH[:2]:
            yield Tier.CONTENTS, Case(1, *LONG, content)


def _shows_all(case: Case) -> bool:
    """Whether every content is shown at that size; in batches, which mix pictures up or don't
    whatever these show, only at the smallest."""
    return case.pixels <= SMALL_BATCH and (case.batch == 1 or case.height < min(STANDARD_SIZES[2]))


def _tier(case: Case) -> Tier:
    if case.content == "noise" and case.pixels <= SMALL_BATCH:
        return Tier.NEEDED
    single = case.batch == 1 and case.pixels <= SMALL_BATCH / 3
    return Tier.CONTENTS if single else Tier.REPEATED


def _drawn_cases(numbers: SizeNumbers, seed: int) -> Iterable[tuple[Tier, Case]]:
    for size in discriminating_sizes(numbers):
        yield Tier.TELLING, Case(1, *size, "noise")
    random = np.random.default_rng(seed)
    for batch in (*discriminating_batches(numbers), int(random.integers(4, 10))):
        yield Tier.TELLING, Case(batch, *STANDARD_SIZES[1], "noise")
    for size in random_sizes(random):
        case = Case(int(random.integers(1, 3)), *size, "random", int(random.integers(1 << 32)))
        yield Tier.RANDOM, case if case.pixels <= SMALL_BATCH else replace(case, batch=1)
    first = int(random.integers(1 << 32))
    for level in range(LEVELS):
        yield Tier.CONTENTS, Case(1, *TONED, "random", first + level)
    yield Tier.LARGE, Case(1, *random_sizes(random)[-1], "noise")
    yield Tier.LARGE, Case(1, THIN // 2, LONG_SIDE, "noise")
    yield Tier.LARGE, Case(1, LONG_SIDE, THIN // 2, "noise")


def fit(case: Case, spec: ModelSpec) -> Case:
    """``case`` with the batch and size that a network of ``spec`` takes, nearest to its own."""
    most = spec.size_maximum or max(case.height, case.width)
    height, width = spec.fixed_size or (min(case.height, most), min(case.width, most))
    if not spec.pads:
        height, width = working_size(
            height, width, spec.size_multiple, spec.size_minimum, spec.square
        )
    return replace(case, batch=spec.fixed_batch or case.batch, height=height, width=width)


def _afford(tiers: dict[Case, Tier], specs: Sequence[ModelSpec], budget: float, seed: int) -> Grid:
    """As many cases as have together at most ``budget`` pixels, in their order."""
    work = {case: _case_pixels(case, specs) for case in tiers}
    spent, taken = 0, set()
    order = sorted(tiers, key=lambda case: (tiers[case], work[case], WORTH.index(case.content)))
    for case in order:
        needed = tiers[case] == Tier.NEEDED
        if needed or (spent + work[case] <= budget and work[case] <= MAX_PIXELS * case.batch):
            taken.add(case)
            spent += work[case]
    left_out = tuple(case for case in tiers if case not in taken)
    return Grid(tuple(case for case in tiers if case in taken), seed, left_out)


def _case_pixels(case: Case, specs: Sequence[ModelSpec]) -> int:
    """Input pixels of the batch, once the dearest of the networks has padded them."""
    sides = (
        working_size(case.height, case.width, s.size_multiple, s.size_minimum, s.square)
        for s in specs
    )
    return case.batch * max((math.prod(side) for side in sides), default=case.pixels)
