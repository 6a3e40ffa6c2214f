"""Pictures in the sizes that are trained on, kept in the user's cache.

Reading and reducing some hundred pictures takes a minute. What is kept is found again by the
picture file's content, and believed only where its own hash and sizes are right; anything else is
made anew.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np

from subpixel.errors import SubpixelError
from subpixel.imaging.colour import Rgb8
from subpixel.imaging.resample import imresize
from subpixel.media.image_file import read_picture
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.inputs import open_input
from subpixel.train.data.benchmark_pictures import expect_no_benchmark

SHRINKS = (Fraction(1), Fraction(3, 4), Fraction(1, 2))
"""Each photograph is also used at these sizes: smaller copies have finer detail per pixel."""

_FORMAT = b"subpixel training sizes 1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
MAX_PREPARED_BYTES = 1 << 31


def sizes_folder() -> Path:
    """Where prepared pictures are kept; it need not exist."""
    return cache_folder() / "training"


def prepare_sizes(file: Path, shrinks: Sequence[Fraction] = SHRINKS) -> tuple[Rgb8, ...]:
    """The picture in ``file``, ``(H, W, 3)`` 8-bit RGB, in each of the sizes ``shrinks``.

    Raises :class:`~subpixel.errors.UsageError` for a picture of a benchmark set, and the errors of
    :func:`~subpixel.media.image_file.read_picture`.
    """
    digest = hash_file(file)
    sizes = "-".join(f"{shrink.numerator}_{shrink.denominator}" for shrink in shrinks)
    place = sizes_folder() / f"{digest}-{sizes}.sizes"
    kept = _read_sizes(place, shrinks)
    if kept is not None:
        return kept
    rgb = read_picture(file).rgb8()
    expect_no_benchmark(rgb, file)
    made = tuple(rgb if shrink == 1 else imresize(rgb, shrink) for shrink in shrinks)
    _keep(place, made)
    return made


def _keep(place: Path, pictures: Sequence[Rgb8]) -> None:
    """A cache that can't be written is no reason not to train."""
    body = BytesIO()
    for picture in pictures:
        np.lib.format.write_array(body, np.ascontiguousarray(picture), allow_pickle=False)
    data = body.getvalue()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, _FORMAT + hashlib.sha256(data).digest() + data, overwrite=True)
    except (OSError, SubpixelError):
        return


def _read_sizes(place: Path, shrinks: Sequence[Fraction]) -> tuple[Rgb8, ...] | None:
    """What was kept, or None where there is nothing, or anything else."""
    try:
        with open_input(place) as stream:
            data = stream.read(MAX_PREPARED_BYTES)
    except OSError:
        return None
    start = len(_FORMAT) + _DIGEST_BYTES
    body = memoryview(data)[start:]
    if data[:start] != _FORMAT + hashlib.sha256(body).digest():
        return None
    try:
        pictures = tuple(_read_arrays(BytesIO(body), len(shrinks)))
    except ValueError:
        return None
    return pictures if _have_sizes(pictures, shrinks) else None


def _read_arrays(stream: BytesIO, count: int) -> Iterator[Rgb8]:
    for _ in range(count):
        yield np.lib.format.read_array(stream, allow_pickle=False)


def _have_sizes(pictures: Sequence[Rgb8], shrinks: Sequence[Fraction]) -> bool:
    """Whether they are 8-bit RGB in the sizes of the first, shrunk."""
    full = pictures[0]
    if full.ndim != 3:
        return False
    shapes = [
        (*(math.ceil(side * shrink / shrinks[0]) for side in full.shape[:2]), 3)
        for shrink in shrinks
    ]
    return all(
        picture.dtype == np.uint8 and picture.shape == shape
        for picture, shape in zip(pictures, shapes, strict=True)
    )
