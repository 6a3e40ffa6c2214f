"""What small pictures went through before a denoising network sees them: JPEG and WebP."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from subpixel.imaging.colour import Rgb8
from subpixel.media.jpeg_degradation import JpegTables, through_jpeg, through_webp

MIN_QUALITY, MAX_QUALITY = 30, 98

GRID_PERIOD = 16
"""After so many pixels the blocks of JPEG with halved colour begin anew."""


@dataclass(frozen=True)
class Storage:
    """One way in which a picture is stored with loss."""

    codec: Literal["jpeg", "webp"]
    quality: int
    full_colour: bool = False
    """4:4:4 rather than 4:2:0, in JPEG; WebP always halves the colour."""
    tables: JpegTables = "libjpeg"


@dataclass(frozen=True)
class Damage:
    """A picture is stored each of these ways in turn; by none it stays as it is."""

    storages: tuple[Storage, ...]
    shift: tuple[int, int] = (0, 0)
    """By how many rows and columns the blocks of later storages begin before the picture."""


HELD_OUT_DAMAGES: tuple[Damage, ...] = (
    Damage((Storage("jpeg", 35),)),
    Damage((Storage("jpeg", 75, full_colour=True),)),
    Damage((Storage("jpeg", 60, tables="mozjpeg"),)),
    Damage((Storage("jpeg", 50), Storage("jpeg", 90)), (3, 5)),
    Damage((Storage("webp", 75),)),
    Damage((Storage("jpeg", 95),)),
)
"""What held-out pictures go through, by turns."""


def draw_damage(random: np.random.Generator) -> Damage:
    """One of those that are trained on: of 20 pictures 1 is undamaged, 3 went through WebP and 16
    through JPEG, of these 4 a second time. Qualities 30 … 98, both kinds of tables and colour."""
    kind = int(random.integers(20))
    if kind == 0:
        return Damage(())
    if kind < 4:
        return Damage((_draw_storage(random, "webp"),))
    first = _draw_storage(random, "jpeg")
    if kind < 16:
        return Damage((first,))
    shift = (int(random.integers(GRID_PERIOD)), int(random.integers(GRID_PERIOD)))
    return Damage((first, _draw_storage(random, "jpeg")), shift)


def _draw_storage(random: np.random.Generator, codec: Literal["jpeg", "webp"]) -> Storage:
    quality = int(random.integers(MIN_QUALITY, MAX_QUALITY + 1))
    full_colour, moz = (bool(choice) for choice in random.integers(2, size=2))
    return Storage(codec, quality, full_colour, "mozjpeg" if moz else "libjpeg")


def apply_damage(rgb: Rgb8, damage: Damage) -> Rgb8:
    """``(H, W, 3)`` as it comes back from storage, of the same size."""
    if not damage.storages:
        return rgb
    first, *later = damage.storages
    rgb = _through(rgb, first)
    top, left = damage.shift
    for storage in later:
        shifted = np.pad(rgb, ((top, 0), (left, 0), (0, 0)), mode="edge")
        rgb = _through(shifted, storage)[top:, left:]
    return rgb


def _through(rgb: Rgb8, storage: Storage) -> Rgb8:
    if storage.codec == "webp":
        return through_webp(rgb, storage.quality)
    full_colour, tables = storage.full_colour, storage.tables
    return through_jpeg(rgb, storage.quality, full_colour=full_colour, tables=tables)


def describe_damage(*, damaged: bool) -> str:
    """What a model card says of the low resolution that was trained on."""
    if not damaged:
        return "it has seen no noise and no compression"
    qualities = f"of quality {MIN_QUALITY} to {MAX_QUALITY}"
    return f"then it went through JPEG or WebP, {qualities}, some of it through JPEG twice"
