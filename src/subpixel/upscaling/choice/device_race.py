"""Which device ``auto`` stands for, where one is there that may be slower than the processor.

Both enlarge the same pictures in turns, larger and larger ones, for about a second. The result is
kept in the user's cache, for the network and the machine as they are.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from subpixel.errors import SubpixelError, one_line
from subpixel.media.arrays import to_picture
from subpixel.upscaling.choice.device_verdicts import (
    Contest,
    DeviceVerdict,
    load_verdict,
    store_verdict,
)
from subpixel.upscaling.pipeline import Pipeline

CONTEST_SIDES = (32, 64, 128, 256, 512)
"""Of the pictures, in input pixels: the last that there is time for counts. On smaller ones it is
not the arithmetic of a graphics processor that takes its time, but its starting."""

CONTEST_ROUNDS = 3

CONTEST_SECONDS = 1.0
"""No larger picture is begun that would take the runs so far beyond this; each runs once before
it counts, as a first run is slow."""

CLEAR_RATIO = 1.05
"""Less than this many times as fast may be noise: the processor stays."""

SquareRun = Callable[[int], object]
"""Enlarges a picture whose sides are so many pixels."""


def settle_device(
    contest: Contest, processor: Pipeline, open_rival: Callable[[], Pipeline], *, deep: bool
) -> DeviceVerdict:
    """What was found for ``contest`` before, or is now: ``processor`` and ``open_rival`` enlarge
    pictures of 8 bits, or ``deep`` ones of 16. A rival that fails is out, with its reason."""
    stored = load_verdict(contest)
    if stored is not None:
        return stored
    verdict = _make_verdict(contest.rival, processor, open_rival, deep=deep)
    store_verdict(contest, verdict)
    return verdict


def _make_verdict(
    rival: str, processor: Pipeline, open_rival: Callable[[], Pipeline], *, deep: bool
) -> DeviceVerdict:
    try:
        ratio = judge_rival(_squares(processor, deep=deep), _squares(open_rival(), deep=deep))
    except (SubpixelError, MemoryError) as error:
        return DeviceVerdict(rival, False, None, one_line(error))
    reason = f"{ratio:.2f} times as fast as the processor"
    return DeviceVerdict(rival, ratio >= CLEAR_RATIO, ratio, reason)


def _squares(pipeline: Pipeline, *, deep: bool) -> SquareRun:
    """Noise through ``pipeline``: what is in a picture doesn't change how long it takes."""

    def run(side: int) -> None:
        values = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        picture = to_picture(values.astype(np.uint16) if deep else values)
        for _ in pipeline.run(picture, pipeline.plan(picture.header)):
            pass

    return run


def judge_rival(
    processor: SquareRun,
    rival: SquareRun,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """How many times as fast as ``processor`` the ``rival`` is, on the largest picture for which
    there was time: the median of interleaved rounds. Raises what the two raise."""
    spent, ratios = 0.0, [0.0]
    for side in CONTEST_SIDES:
        if spent and spent * _growth(side) > CONTEST_SECONDS:
            break
        processor(side)
        rival(side)
        ratios = []
        while len(ratios) < CONTEST_ROUNDS and (not ratios or spent < CONTEST_SECONDS):
            slow, fast = _seconds(processor, side, clock), _seconds(rival, side, clock)
            ratios.append(slow / fast)
            spent += slow + fast
    return statistics.median(ratios)


def _growth(side: int) -> int:
    """How many times as long as all before a picture is expected to take."""
    return (side // CONTEST_SIDES[CONTEST_SIDES.index(side) - 1]) ** 2


def _seconds(run: SquareRun, side: int, clock: Callable[[], float]) -> float:
    started = clock()
    run(side)
    return clock() - started
