"""A picture's network, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.media.compression.read import UNKNOWN_COMPRESSION, Compression
from subpixel.media.picture import Source
from subpixel.media.reading import PictureFile
from subpixel.network.network import Network
from subpixel.upscaling.choice.curve import strength_for, strength_for_drawn, strength_for_seams
from subpixel.upscaling.choice.look import PixelLook, look_at_pixels
from subpixel.zoo.family import POINTS, find_mixture, nearest_point
from subpixel.zoo.manifest import AUTO, DEFAULT_NETWORK, DENOISE, DRAWING

MAX_STRENGTH = POINTS[-1].strength


@dataclass(frozen=True)
class NetworkChoice:
    """The network that a picture goes through."""

    network: str
    """Its name, without regard to its precision."""
    strength: float
    """Where it lies between ``balanced`` (0) and ``denoise`` (1)."""
    reason: str
    """For people: why it was chosen."""
    jpeg_quality: int | None = None
    """Of the coarsest JPEG that the picture went through, as far as file or pixels tell."""

    def __str__(self) -> str:
        return f"network {self.network} ({self.reason})"


def choose_network(source: Source) -> NetworkChoice:
    """Read how ``source`` was compressed, from its file and its pixels, and choose by the worse.

    Pixels are not looked at where the file says enough, nor where frames can be had but once.
    Raises what the source raises.
    """
    stated = _read_stated(source)
    if strength_for(stated) == MAX_STRENGTH:
        return _make_choice(stated, explain_stated(stated))
    if source.header.count is None:
        return _make_choice(stated, "frames without end, of which no pixel can be seen before")
    choices = _list_choices(stated, look_at_pixels(source))
    return max(choices, key=lambda choice: choice.strength)  # the first of equal ones


def fix_choice(model: "str | Path | Network", strength: float | None) -> NetworkChoice | None:
    """The choice for every picture, where ``strength``, 0 … 1, is asked for or ``model`` names a
    mixture; else None.

    Raises :class:`UsageError` for a strength outside, or beside a network of its own.
    """
    mixture = find_mixture(str(model))
    if strength is None:
        return (
            None
            if mixture is None
            else NetworkChoice(mixture.name, mixture.strength, _explain_name(model))
        )
    if model not in (AUTO, DEFAULT_NETWORK):
        name = model.spec.name if isinstance(model, Network) else model
        raise UsageError(
            f"a denoise strength picks a network between {DEFAULT_NETWORK} and {DENOISE}, and "
            f"{name} was named; leave one of the two out, or name {AUTO} or {DEFAULT_NETWORK}"
        )
    point = nearest_point(strength)
    nearest = "" if point.strength == strength else f", the nearest there is to {strength:g}"
    return NetworkChoice(point.name, point.strength, f"strength {point.strength:g}{nearest}")


def _explain_name(model: "str | Path | Network") -> str:
    return "for flat areas without rims" if model == DRAWING else "it was named"


def _read_stated(source: Source) -> Compression:
    return source.compression() if isinstance(source, PictureFile) else UNKNOWN_COMPRESSION


def _list_choices(stated: Compression, look: PixelLook) -> Iterator[NetworkChoice]:
    """What the file says, and what its pixels show, each by itself."""
    yield _make_choice(stated, explain_stated(stated))
    shown = Compression(jpeg_quality=look.jpeg_quality)
    yield _make_choice(shown, _explain_shown(shown, stated))
    smaller = f"{_precede(stated)}once a JPEG that was made smaller, by its pixels"
    yield _make_choice(stated, smaller, strength_for_seams(look.seams))
    drawn = f"{_precede(stated)}sharp edges between even areas, as in drawings and screenshots"
    yield _make_choice(stated, drawn, strength_for_drawn(look.drawn_share))


def _make_choice(
    compression: Compression, reason: str, strength: float | None = None
) -> NetworkChoice:
    """``strength``: None for that of the compression."""
    point = nearest_point(strength_for(compression) if strength is None else strength)
    return NetworkChoice(point.name, point.strength, reason, compression.jpeg_quality)


def explain_stated(stated: Compression) -> str:
    """For people: what a file says of its compression."""
    if stated.jpeg_quality is not None:
        return f"a JPEG of quality {stated.jpeg_quality}, by its tables"
    if stated.webp_quantizer is not None:
        return f"a WebP of quantiser {stated.webp_quantizer:.0f} of 127"
    if stated.av1_quantizer is not None:
        return f"an AVIF of quantiser {stated.av1_quantizer} of 255"
    return "no JPEG damage is seen"


def _explain_shown(shown: Compression, stated: Compression) -> str:
    return f"{_precede(stated)}once a JPEG of quality {shown.jpeg_quality}, by its pixels"


def _precede(stated: Compression) -> str:
    return "" if stated == UNKNOWN_COMPRESSION else f"{explain_stated(stated)}, and "
