"""The pictures that faults are looked for on; none of them is of the proof's own grid."""

import functools
import zlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from skimage import data

from faults.fault import Random, Sight

Picture = NDArray[np.float32]

PHOTOS = ("astronaut", "coffee", "chelsea")
"""Of scikit-image's own data; in the public domain or CC0."""

GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""BT.601 luma."""

SIZES = ((37, 53), (64, 64), (45, 85), (128, 90), (33, 300), (300, 33), (7, 5), (257, 310))
"""Of the search where no picture is known to show the fault; the largest there is comes last."""

LARGEST = Sight(512, 512, "photo")


def pixels(sight: Sight, channels: int) -> Picture:
    """``(batch, channels, height, width)`` in 0 … 1; the same sight gives the same pixels."""
    random = np.random.default_rng(zlib.crc32(str(sight).encode()))
    draw = CONTENTS[sight.content]
    shape = (3, sight.height, sight.width)
    rgb = np.stack([draw(shape, random) for _ in range(sight.batch)]).astype(np.float32)
    return rgb if channels == 3 else np.einsum("nchw,c->nhw", rgb, GREY)[:, None]


def search() -> Iterator[Sight]:
    """Where to look for a fault that tells nothing of itself, small pictures first."""
    for height, width in SIZES[:-1]:
        for content in CONTENTS:
            yield Sight(height, width, content)
    yield Sight(31, 44, "photo", batch=3)
    yield Sight(31, 44, "noise", batch=8)
    yield Sight(*SIZES[-1], "photo")
    yield LARGEST


def _noise(shape: tuple[int, ...], random: Random) -> Picture:
    return random.random(shape, np.float32)


@functools.cache
def _planes(name: str) -> Picture:
    planes: Picture = getattr(data, name)().transpose(2, 0, 1) / np.float32(255)
    return planes


def _photo(shape: tuple[int, ...], random: Random) -> Picture:
    """A part of a photograph, mirrored where it is too small."""
    planes = _planes(PHOTOS[random.integers(len(PHOTOS))])
    missing = [max(0, wanted - side) for wanted, side in zip(shape, planes.shape, strict=True)]
    planes = np.pad(planes, [(0, count) for count in missing], "symmetric")
    top, left = (random.integers(planes.shape[i] - shape[i] + 1) for i in (1, 2))
    return planes[:, top : top + shape[1], left : left + shape[2]]


def _grey_photo(shape: tuple[int, ...], random: Random) -> Picture:
    grey: Picture = np.tensordot(GREY, _photo(shape, random), 1)[None].repeat(3, 0)
    return grey


def _tinted_photo(shape: tuple[int, ...], random: Random) -> Picture:
    """Blue above all."""
    return _photo(shape, random) * np.array([0.3, 0.6, 1.0], np.float32)[:, None, None]


def _flat(shape: tuple[int, ...], random: Random) -> Picture:
    return np.broadcast_to(random.random((3, 1, 1), np.float32), shape)


def _flat_grey(shape: tuple[int, ...], random: Random) -> Picture:
    return np.full(shape, random.random(), np.float32)


def _checks(shape: tuple[int, ...], random: Random) -> Picture:
    side = random.integers(1, 6)
    rows, columns = np.indices(shape[1:]) // side
    return np.broadcast_to((rows + columns) % 2, shape).astype(np.float32)


CONTENTS: Mapping[str, Callable[[tuple[int, ...], Random], Picture]] = {
    "photo": _photo,
    "noise": _noise,
    "grey photo": _grey_photo,
    "grey photo, soft": lambda shape, random: 0.3 + 0.4 * _grey_photo(shape, random),
    "dark photo": lambda shape, random: 0.1 * _photo(shape, random),
    "bright photo": lambda shape, random: 1 - 0.1 * _photo(shape, random),
    "pale photo": lambda shape, random: 0.45 + 0.1 * _photo(shape, random),
    "tinted photo": _tinted_photo,
    "negative photo": lambda shape, random: 1 - _tinted_photo(shape, random),
    "flat": _flat,
    "flat grey": _flat_grey,
    "black": lambda shape, random: np.zeros(shape, np.float32),
    "white": lambda shape, random: np.ones(shape, np.float32),
    "checks": _checks,
}
