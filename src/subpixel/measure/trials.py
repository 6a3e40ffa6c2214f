"""Settings of one network put to the test: what their pictures keep, and how long they take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.measure.metrics import psnr
from subpixel.measure.tune import Facts
from subpixel.network import Network
from subpixel.tuning import Setting, open_setting
from subpixel.upscaler import Upscaler

Rgb = NDArray[np.uint8]
"""``(H, W, 3)``."""

SIDES = (1024, 768, 512, 256)
"""Of the picture that the race is run on."""

LONGEST = 0.4
"""Seconds that one run of the default should take at most."""


@dataclass(frozen=True)
class Run:
    """A setting's upscaler and the picture that it enlarges; a trial."""

    facts: Facts
    upscaler: Upscaler
    picture: Rgb

    def run(self) -> float:
        """Enlarge the picture once; the seconds that took."""
        started = time.perf_counter()
        self.upscaler(self.picture)
        return time.perf_counter() - started


def race_picture(photo: Rgb, default: Upscaler) -> Rgb:
    """``photo``, mirrored as often as it takes to be as large as ``default`` can do in
    :data:`LONGEST`: small pictures would hide what tiles and threads do."""
    least = _mirrored(photo, SIDES[-1])
    default(least)  # a first run is slow
    started = time.perf_counter()
    default(least)
    seconds = time.perf_counter() - started
    fitting = (side for side in SIDES if seconds * (side / SIDES[-1]) ** 2 <= LONGEST)
    return _mirrored(photo, next(fitting, SIDES[-1]))


def _mirrored(photo: Rgb, side: int) -> Rgb:
    missing = [max(side - length, 0) for length in photo.shape[:2]]
    tall = np.pad(photo, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    return tall[:side, :side]


@dataclass(eq=False)
class Trials:
    """Opens settings of one network.

    ``file_of`` gives the network's file for a setting, made where need be. ``exact`` is the fp32
    file as it is by default: others are held to it, on ``photo``. ``picture`` is what is raced
    on. ``score`` is the task PSNR in dB of an upscaler on a benchmark set; None: there is no set.
    """

    file_of: Callable[[Setting], Path]
    exact: Upscaler
    photo: Rgb
    picture: Rgb
    score: Callable[[Upscaler], float] | None = None
    _networks: dict[Setting, Network] = field(default_factory=dict)
    _opening: dict[str, float] = field(default_factory=dict)
    _kept: dict[Setting, tuple[float, float | None]] = field(default_factory=dict)

    def __call__(self, setting: Setting) -> Run:
        """Raises what ``file_of``, :func:`~subpixel.tuning.open_setting` and
        :class:`~subpixel.upscaler.Upscaler` raise."""
        file = self.file_of(setting)
        upscaler = Upscaler(self._network(setting, file), tile=setting.tile)
        psnr_db, loss = self._quality(setting, upscaler)
        facts = Facts(file, self._opening[setting.device], psnr_db, loss)
        return Run(facts, upscaler, self.picture)

    def _network(self, setting: Setting, file: Path) -> Network:
        """Shared by all tiles. A device's first opening loads its runtime: it counts for all."""
        key = replace(setting, tile=0 if setting.tile == 0 else None)
        if key not in self._networks:
            started = time.perf_counter()
            self._networks[key] = open_setting(setting, file)
            self._opening.setdefault(setting.device, time.perf_counter() - started)
        return self._networks[key]

    def _quality(self, setting: Setting, upscaler: Upscaler) -> tuple[float, float | None]:
        """Of all tiles and threads: those change no more than the order of a sum."""
        key = replace(setting, tile=None, threads=None)
        result = upscaler(self.photo)  # also where the quality is known: a first run is slow
        if key not in self._kept:
            lost = None if self.score is None else self._exact_score - self.score(upscaler)
            self._kept[key] = psnr(result, self._expected), lost
        return self._kept[key]

    @cached_property
    def _expected(self) -> Rgb:
        return self.exact(self.photo)

    @cached_property
    def _exact_score(self) -> float:
        assert self.score is not None
        return self.score(self.exact)
