"""How far flat pictures stray from their brightness, up to the edge, by each bundled network.

    python benchmarks/flat_borders.py

Enlarges pictures of one brightness, of every one of 256, and prints the largest difference in code
values of 8 bits. Networks pad with black, so the edge is where they stray.
"""

import numpy as np

from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import read_manifest

SIDE = 28
"""Low-resolution pixels; those in the middle see no edge but in the largest networks."""


def largest_stray(upscale: Upscaler) -> int:
    flats = [np.full((SIDE, SIDE, 3), level, np.uint8) for level in range(256)]
    return max(int(np.abs(upscale(flat).astype(int) - int(flat[0, 0, 0])).max()) for flat in flats)


def main() -> None:
    for row in read_manifest():
        print(row.path.stem, largest_stray(Upscaler(row.path, device="cpu", tuning=False)))


if __name__ == "__main__":
    main()
