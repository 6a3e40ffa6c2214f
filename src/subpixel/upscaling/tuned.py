"""Pictures in, larger pictures out, as fast as was found on this machine."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.media.picture import Header, Picture
from subpixel.network.flatness import Flatness
from subpixel.network.network import Network, locate
from subpixel.network.tuning import (
    ADAPTIVE,
    ANYTHING,
    Row,
    Setting,
    Tuning,
    Wish,
    file_in,
    open_setting,
)
from subpixel.runtime.opening import chosen
from subpixel.spec import ModelSpec
from subpixel.upscaling.bands import Report
from subpixel.upscaling.flat import Tally
from subpixel.upscaling.upscaler import Image, Upscaler
from subpixel.zoo import manifest


class TunedUpscaler:
    """An :class:`~subpixel.upscaling.upscaler.Upscaler` for each depth of picture, in the setting
    that ``tuning`` has for it.

    ``wish`` is what the caller wants whatever was found: it may name the device, the precision,
    the tile, the threads, and whether flat parts are interpolated. Where ``tuning`` has nothing
    that fits it, or is None, the rest are the defaults. What was found for pictures of more than 8
    bits is in fp32, and interpolates nothing. ``convention`` is what is known of a third-party
    file.

    >>> from subpixel.upscaling.tuned import TunedUpscaler
    >>> from subpixel.network.tuning import remembered
    >>> larger = TunedUpscaler("fast", tuning=remembered("fast"))(array)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path = manifest.DEFAULT_NETWORK,
        *,
        scale: int | None = None,
        wish: Wish = ANYTHING,
        tuning: Tuning | None = None,
        convention: Convention = UNKNOWN_CONVENTION,
    ) -> None:
        self._convention = convention
        self._model, self._scale, self._wish, self._tuning = model, scale, wish, tuning
        self.tally = Tally()
        """How much was interpolated so far."""
        self._opened: dict[Row | None, Upscaler] = {}
        self.spec: ModelSpec = self.upscaler(deep=False).spec
        """The facts of the network that 8-bit pictures go through."""

    @property
    def provider(self) -> str:
        """What runs it."""
        return self.upscaler(deep=False).provider

    @property
    def remark(self) -> str | None:
        """What was decided about a third-party file; None for others."""
        return self.upscaler(deep=False).remark

    @property
    def flatness(self) -> Flatness | None:
        """What is interpolated; None: nothing is."""
        return self.upscaler(deep=False).flatness

    def upscaler(self, *, deep: bool) -> Upscaler:
        """The one for 8-bit pictures, or for ``deep`` ones of more bits; opened at its first use.

        Raises what :class:`~subpixel.upscaling.upscaler.Upscaler` raises.
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
        # A file that `subpixel tune` made of a third-party file is an ordinary one.
        made = row is not None and file != locate(self._model, self._scale)
        convention = UNKNOWN_CONVENTION if made else self._convention
        network = open_setting(setting, file, self._scale, convention)
        upscaler = upscaler_in(setting, network, row.flatness if row else None)
        upscaler.tally = self.tally
        return upscaler

    def _setting(self, row: Row | None) -> Setting:
        if row:
            return row.setting
        wish = self._wish
        return Setting(
            chosen(wish.device or "auto"),
            wish.precision,
            wish.tile,
            wish.threads,
            adaptive=bool(wish.adaptive),
        )

    def picture(self, picture: Picture, report: Report = lambda done, total: None) -> Picture:
        """As :meth:`subpixel.upscaling.upscaler.Upscaler.picture`."""
        return self.upscaler(deep=is_deep(picture.header)).picture(picture, report)

    def __call__(self, image: Image) -> Image:
        """As :class:`~subpixel.upscaling.upscaler.Upscaler` is called."""
        from subpixel.media.arrays import like, to_picture

        return like(image, self.picture(to_picture(image)))


def upscaler_in(setting: Setting, network: Network, flatness: Flatness | None = None) -> Upscaler:
    """``network``, open in ``setting``, as an upscaler; where that is adaptive and no ``flatness``
    was measured before, it is now. Raises what :class:`~subpixel.upscaling.upscaler.Upscaler`
    raises."""
    adaptive = (flatness or ADAPTIVE) if setting.adaptive else None
    return Upscaler(network, tile=setting.tile, batch=setting.batch, adaptive=adaptive)


def is_deep(header: Header) -> bool:
    """Whether a picture's samples have more than 8 bits."""
    return header.dtype != np.uint8
