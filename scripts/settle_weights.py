"""Refit the last layers of weights that are there so that flat pictures stay flat to the corners.

    python scripts/settle_weights.py --photos FOLDER fast-x3 denoise-x3

Training does so at its end (src/subpixel/train/flat_corners.py); this is for what was trained
before. It writes `weights/NAME-xSCALE.safetensors` anew, its metadata as they were; then comes
`python scripts/bundle.py --data FOLDER --photos FOLDER --only NAME-xSCALE`.
"""

import argparse
import sys
from pathlib import Path

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.system.files.atomic import write_bytes
from subpixel.train.data.crops import load_held_out
from subpixel.train.data.photographs import split_pictures
from subpixel.train.flat_corners import settle_corners

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
PICTURES_APART = 16
"""Of the training pictures every sixteenth is looked at."""
SIDE = 160
"""Low-resolution pixels of each that are looked at."""


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--photos", type=Path, required=True, help="the training photographs")
    options.add_argument("--weights", type=Path, default=WEIGHTS, help="the folder of the weights")
    options.add_argument("names", nargs="+", metavar="NAME", help="networks, such as fast-x3")
    given = options.parse_args()
    for name in given.names:
        settle(given.weights / f"{name}.safetensors", given.photos)
    return 0


def settle(file: Path, photos: Path) -> None:
    loaded = load_checkpoint(file)
    lows = read_lows(photos, loaded.spec.scale, damaged=file.stem.startswith("denoise"))
    settle_corners(loaded.module, lows)
    with safe_open(file, "pt") as stored:
        facts = stored.metadata()
    write_bytes(file, safetensors.torch.save(loaded.module.state_dict(), facts), overwrite=True)
    print(f"{file}: settled on {len(lows)} photographs", flush=True)


def read_lows(photos: Path, scale: int, *, damaged: bool) -> list[Tensor]:
    """``(1, 1, h, w)`` float32 luma in 0 … 1 of pictures that were trained on."""
    files = split_pictures(photos)[0][::PICTURES_APART]
    pairs = load_held_out(files, scale, damaged=damaged)
    return [torch.from_numpy(pair.low[:SIDE, :SIDE].copy())[None, None] for pair in pairs]


if __name__ == "__main__":
    sys.exit(main())
