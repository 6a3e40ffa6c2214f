"""The photograph that is shipped: what networks are asked with, and compared on."""

from contextlib import AbstractContextManager
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.media.image_file import read_picture


def photograph_file() -> AbstractContextManager[Path]:
    """The photograph as a file, which is there at least as long as the context."""
    return resources.as_file(resources.files("subpixel.media") / "photo.jpg")


@cache
def photograph() -> NDArray[np.uint8]:
    """``(H, W, 3)`` 8-bit RGB, read once. It is not to be changed."""
    with photograph_file() as file:
        rgb = read_picture(file).rgb8()
    rgb.flags.writeable = False
    return rgb


def mirror_positions(start: int, count: int, size: int) -> NDArray[np.int_]:
    """Positions ``start`` to ``start + count`` along a side of ``size``, mirrored at its ends as
    often as needed."""
    turns = np.arange(start, start + count) % (2 * size)
    return np.minimum(turns, 2 * size - 1 - turns)
