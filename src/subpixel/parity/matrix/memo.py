"""A network that runs once per input, however often it is asked."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subpixel.runtime.op import NetOp, Pixels


@dataclass(frozen=True, eq=False)
class MemoOp:
    """``op``, its results kept in ``folder``: what is in memory stays one result large.

    A result takes four bytes per value on disk. An input on which ``op`` raises is run again.
    """

    op: NetOp
    folder: Path

    def __call__(self, pixels: Pixels, /) -> Pixels:
        file = self.folder / f"{_pixels_digest(pixels)}.npy"
        if file.exists():
            known: Pixels = np.load(file)
            return known
        result = self.op(pixels)
        self.folder.mkdir(exist_ok=True)
        np.save(file, result)
        return result


def _pixels_digest(pixels: Pixels) -> str:
    digest = hashlib.blake2b(str(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.tobytes())
    return digest.hexdigest()
