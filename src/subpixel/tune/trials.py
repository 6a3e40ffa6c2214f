"""Settings of one network put to the test: what their pictures keep, and how long they take."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from subpixel.errors import NetworkError
from subpixel.imaging.colour import Rgb8
from subpixel.imaging.metrics import psnr
from subpixel.media.arrays import to_picture
from subpixel.network.network import Network
from subpixel.network.opening import open_network
from subpixel.network.settings import MAX_FLAT_DIFFERENCE, RunSettings
from subpixel.tune.race import TrialFacts
from subpixel.upscaling.upscaler import Upscaler

PICTURE_SIDES = (2048, 1024, 768, 512, 256)
"""Of the picture that the race is run on."""

MAX_SECONDS = 0.4
"""Seconds that one run of the default should take at most."""

PAPER_CODE = 245
"""Code value of the paper on a page."""


@dataclass(frozen=True)
class SettingTrial:
    """A setting's upscaler and the pictures that it enlarges; a trial."""

    facts: TrialFacts
    upscaler: Upscaler
    photo: Rgb8
    page: Rgb8

    def run(self) -> float:
        """Enlarge the photograph once; the seconds that took."""
        return self._seconds(self.photo)

    def run_page(self) -> float:
        """The same with the page."""
        return self._seconds(self.page)

    def _seconds(self, picture: Rgb8) -> float:
        started = time.perf_counter()
        self.upscaler(picture)
        return time.perf_counter() - started


def race_picture(photo: Rgb8, default: Upscaler) -> Rgb8:
    """``photo``, mirrored as often as it takes to be as large as ``default`` can do in
    :data:`MAX_SECONDS`: small pictures would hide what tiles and threads do."""
    least = _mirror(photo, PICTURE_SIDES[-1])
    default(least)  # a first run is slow
    started = time.perf_counter()
    default(least)
    seconds = time.perf_counter() - started
    fitting = (
        side for side in PICTURE_SIDES if seconds * (side / PICTURE_SIDES[-1]) ** 2 <= MAX_SECONDS
    )
    return _mirror(photo, next(fitting, PICTURE_SIDES[-1]))


def page_of(photo: Rgb8) -> Rgb8:
    """A page with ``photo``'s middle on a quarter of it. The paper is even in the left half, as on
    a screenshot, and has a grain of one code value in the right half, as in a clean scan."""
    height, width = photo.shape[:2]
    page = np.full_like(photo, PAPER_CODE)
    grain = np.random.default_rng(0).integers(0, 2, (height, width, 1), dtype=np.uint8)
    page[:, width // 2 :] += grain[:, width // 2 :]
    middle = tuple(slice(side // 4, side // 4 + side // 2) for side in (height, width))
    page[middle] = photo[middle]
    return page


def _mirror(photo: Rgb8, side: int) -> Rgb8:
    missing = [max(side - length, 0) for length in photo.shape[:2]]
    tall = np.pad(photo, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    return tall[:side, :side]


def _make_upscaler(setting: RunSettings, network: Network) -> Upscaler:
    """``network``, open in ``setting``; what passes for flat is measured."""
    adaptive = MAX_FLAT_DIFFERENCE if setting.adaptive else None
    return Upscaler(network, tile=setting.tile, batch=setting.batch, adaptive=adaptive)


@dataclass(eq=False)
class SettingTrials:
    """Opens settings of one network.

    ``file_of`` gives the network's file for a setting, made where need be. ``exact`` is the fp32
    file as it is by default: others are held to it, on ``photo``, and adaptive ones on a page of
    it besides. ``picture`` is the photograph that is raced on. ``score`` is the task PSNR in dB of
    an upscaler on a benchmark set; None: there is no set.
    """

    file_of: Callable[[RunSettings], Path]
    exact: Upscaler
    photo: Rgb8
    picture: Rgb8
    score: Callable[[Upscaler], float] | None = None
    _networks: dict[RunSettings, Network] = field(default_factory=dict)
    _opening: dict[str, float] = field(default_factory=dict)
    _qualities: dict[RunSettings, tuple[float, float | None]] = field(default_factory=dict)

    def __call__(self, setting: RunSettings) -> SettingTrial:
        """Raises what ``file_of``, :func:`~subpixel.network.opening.open_network` and
        :class:`~subpixel.upscaling.upscaler.Upscaler` raise, and :class:`NetworkError` where
        nothing passes for flat."""
        file = self.file_of(setting)
        upscaler = _make_upscaler(setting, self._network(setting, file))
        if setting.adaptive and upscaler.flatness is None:
            raise NetworkError("even areas that are quite even would differ too much")
        psnr_db, loss = self._quality(setting, upscaler)
        opening, beside = self._opening[setting.device], self._beside(upscaler)
        facts = TrialFacts(file, opening, psnr_db, loss, beside, upscaler.flatness)
        return SettingTrial(facts, upscaler, self.picture, self._page)

    def _beside(self, upscaler: Upscaler) -> int:
        return len(upscaler.plan(to_picture(self.picture).header).columns)

    def _network(self, setting: RunSettings, file: Path) -> Network:
        """Shared by all tiles. A device's first opening loads its runtime: it counts for all."""
        key = setting.session
        if key not in self._networks:
            started = time.perf_counter()
            self._networks[key] = open_network(file, setting)
            self._opening.setdefault(setting.device, time.perf_counter() - started)
        return self._networks[key]

    def _quality(self, setting: RunSettings, upscaler: Upscaler) -> tuple[float, float | None]:
        """Of all tiles and threads: those change no more than the order of a sum."""
        key = replace(setting, tile=None, threads=None)
        result = upscaler(self.photo)  # also where the quality is known: a first run is slow
        if key not in self._qualities:
            lost = None if self.score is None else self._exact_score - self.score(upscaler)
            least = min(psnr(result, self._exact_result), self._further(setting, upscaler))
            self._qualities[key] = least, lost
        return self._qualities[key]

    def _further(self, setting: RunSettings, upscaler: Upscaler) -> float:
        """PSNR in dB where the photograph shows nothing: it has no flat part, and few tiles. A
        network may be right for one picture at a time alone."""
        if setting.adaptive:
            page = page_of(self.photo)
            return psnr(upscaler(page), self.exact(page))
        if setting.batch != 1:
            alone = _make_upscaler(
                replace(setting, batch=1), self._network(setting, self.file_of(setting))
            )
            return psnr(upscaler(self.picture), alone(self.picture))
        return math.inf

    @cached_property
    def _page(self) -> Rgb8:
        return page_of(self.picture)

    @cached_property
    def _exact_result(self) -> Rgb8:
        return self.exact(self.photo)

    @cached_property
    def _exact_score(self) -> float:
        assert self.score is not None
        return self.score(self.exact)
