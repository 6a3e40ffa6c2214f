"""Whole 8-bit pictures through an Upscaler have one sha256 for each bundled integer network.

With any number of threads, tiles of any size, batches, and by every way in; the processors are in
``test_integer_networks.py``, whose masks run this file too (``make test-processors``).
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from subpixel.media.picture import Picture
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import INT8, BundledNetwork, read_manifest

NETWORKS = [row for row in read_manifest() if row.name.endswith(INT8)]
SHA256 = json.loads((Path(__file__).parent / "whole_sha256.json").read_text(encoding="utf-8"))
SIDES = 150, 211
"""Larger than the smallest tiles, and no multiple of anything."""


def picture() -> np.ndarray:
    """``(150, 211, 3)`` of 8 bits from integers alone: waves, noise, and an even part."""
    y, x, channel = np.mgrid[: SIDES[0], : SIDES[1], :3]
    waves = (x * x + 3 * y * y + x * y * (channel + 1)) // 64 % 256
    noise = (x * 7919 + y * 104729 + channel * 1299709) * 2654435761 % 2**32 >> 24
    even = np.array([250, 128, 3])[channel]
    return np.where(x < 100, waves, np.where(y < 80, noise, even)).astype(np.uint8)


def sha256(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def identify(row: BundledNetwork) -> str:
    return Path(row.file).stem


@pytest.mark.sample(every=11)
@pytest.mark.parametrize("row", NETWORKS, ids=identify)
@pytest.mark.parametrize(("threads", "tile"), [(1, 64), (2, 64), (2, 101), (1, 0), (2, None)])
def test_threads_and_tiles_change_no_bit(
    row: BundledNetwork, threads: int, tile: int | None
) -> None:
    upscaler = Upscaler(row.path, device="cpu", threads=threads, tile=tile, tuning=False)
    assert sha256(upscaler(picture())) == SHA256[identify(row)]


@pytest.mark.parametrize("row", NETWORKS, ids=identify)
def test_the_default_for_8_bits_is_that_picture(row: BundledNetwork) -> None:
    """The network by its name without a suffix, as `upscale` takes it, row by row."""
    name = row.name.removesuffix(INT8)
    upscaler = Upscaler(name, scale=row.scale, device="cpu", tuning=False)
    rows = np.concatenate(list(upscaler.rows(Picture(picture()[None]))))
    assert sha256(rows) == SHA256[identify(row)]


def test_batches_change_no_bit() -> None:
    row = NETWORKS[0]
    upscaler = Upscaler(row.path, device="cpu", tile=64, batch=3, tuning=False)
    assert sha256(upscaler(picture())) == SHA256[identify(row)]


def test_every_integer_network_has_its_sha256() -> None:
    assert {identify(row) for row in NETWORKS} == set(SHA256)
