"""Pictures in, larger pictures out, as fast as was found on this machine."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from subpixel.media.picture import Header, Picture
from subpixel.runtime.bands import Report
from subpixel.runtime.flat import Flatness, Tally
from subpixel.runtime.opening import chosen
from subpixel.spec import ModelSpec
from subpixel.tuning import ANYTHING, Row, Setting, Tuning, Wish, file_in, open_setting
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
        self._model, self._scale, self._wish, self._tuning = model, scale, wish, tuning
        self._adaptive = adaptive
        self.tally = Tally()
        """How much went past the networks under ``adaptive`` so far."""
        self._opened: dict[Row | None, Upscaler] = {}
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
        row = self._row(deep)
        if row not in self._opened:
            self._opened[row] = self._open(row)
        return self._opened[row]

    def setting(self, *, deep: bool) -> Setting:
        """How 8-bit, or ``deep`` pictures, are computed."""
        setting = self._setting(self._row(deep))
        precision = setting.precision or self.upscaler(deep=deep).spec.precision
        return replace(setting, precision=precision)

    def _row(self, deep: bool) -> Row | None:
        return self._tuning.choose(self._wish, deep=deep) if self._tuning else None

    def _open(self, row: Row | None) -> Upscaler:
        setting = self._setting(row)
        file = row.file if row else file_in(self._model, self._scale, setting.precision)
        network = open_setting(setting, file, self._scale)
        upscaler = Upscaler(network, tile=setting.tile, adaptive=self._adaptive)
        upscaler.tally = self.tally
        return upscaler

    def _setting(self, row: Row | None) -> Setting:
        if row:
            return row.setting
        wish = self._wish
        return Setting(chosen(wish.device or "auto"), wish.precision, wish.tile, wish.threads)

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
