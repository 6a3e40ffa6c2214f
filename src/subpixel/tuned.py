"""Pictures in, larger pictures out, as fast as was found on this machine."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from subpixel.media.picture import Header, Picture
from subpixel.runtime.bands import Report
from subpixel.runtime.flat import Flatness, Tally
from subpixel.runtime.opening import chosen
from subpixel.spec import ModelSpec
from subpixel.tuning import ANYTHING, Setting, Tuning, Wish, file_in, open_setting
from subpixel.upscaler import Image, Upscaler
from subpixel.zoo import manifest


class TunedUpscaler:
    """An :class:`~subpixel.upscaler.Upscaler` for each depth of picture, in the setting that
    ``tuning`` has for it.

    ``wish`` is what the caller wants whatever was found: it may name the device, the precision,
    the tile and the threads. Where ``tuning`` has nothing that fits it, or is None, the rest are
    the defaults. What was found for pictures of more than 8 bits is in fp32. ``adaptive`` is as
    in :class:`~subpixel.upscaler.Upscaler`.

    >>> from subpixel.tuned import TunedUpscaler
    >>> from subpixel.tuning import remembered
    >>> larger = TunedUpscaler("fast", tuning=remembered("fast"))(array)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path = manifest.DEFAULT,
        *,
        scale: int | None = None,
        wish: Wish = ANYTHING,
        tuning: Tuning | None = None,
        adaptive: float | None = None,
    ) -> None:
        self._ways = {deep: _way(model, scale, wish, tuning, deep=deep) for deep in (False, True)}
        self._adaptive = adaptive
        self.tally = Tally()
        """How much went past the networks under ``adaptive`` so far."""
        self._opened: dict[tuple[Setting, Path], Upscaler] = {}
        self.spec: ModelSpec = self.upscaler(deep=False).spec
        """The facts of the network that 8-bit pictures go through."""

    @property
    def provider(self) -> str:
        """What runs it."""
        return self.upscaler(deep=False).provider

    @property
    def flatness(self) -> Flatness | None:
        """What goes past it under ``adaptive``; None: nothing does."""
        return self.upscaler(deep=False).flatness

    def upscaler(self, *, deep: bool) -> Upscaler:
        """The one for 8-bit pictures, or for ``deep`` ones of more bits; opened at its first use.

        Raises what :class:`~subpixel.upscaler.Upscaler` raises.
        """
        way = self._ways[deep]
        if way not in self._opened:
            setting, file = way
            network = open_setting(setting, file)
            upscaler = Upscaler(network, tile=setting.tile, adaptive=self._adaptive)
            upscaler.tally = self.tally
            self._opened[way] = upscaler
        return self._opened[way]

    def setting(self, *, deep: bool) -> Setting:
        """How 8-bit, or ``deep`` pictures, are computed."""
        setting = self._ways[deep][0]
        precision = setting.precision or self.upscaler(deep=deep).spec.precision
        return replace(setting, precision=precision)

    def picture(self, picture: Picture, report: Report = lambda done, total: None) -> Picture:
        """As :meth:`subpixel.upscaler.Upscaler.picture`."""
        return self.upscaler(deep=is_deep(picture.header)).picture(picture, report)

    def __call__(self, image: Image) -> Image:
        """As :class:`~subpixel.upscaler.Upscaler` is called."""
        from subpixel.media.arrays import like, to_picture

        return like(image, self.picture(to_picture(image)))


def is_deep(header: Header) -> bool:
    """Whether a picture's samples have more than 8 bits."""
    return header.dtype != np.uint8


def _way(
    model: str | Path, scale: int | None, wish: Wish, tuning: Tuning | None, *, deep: bool
) -> tuple[Setting, Path]:
    row = tuning and tuning.choose(wish, deep=deep)
    if row:
        return row.setting, row.file
    setting = Setting(chosen(wish.device or "auto"), wish.precision, wish.tile, wish.threads)
    return setting, file_in(model, scale, wish.precision)
