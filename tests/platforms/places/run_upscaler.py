"""Runs networks by subpixel, on whatever processor the environment shows: ``run_upscaler.py JOBS``.

The jobs are those of ``run_networks.py``, of which the ``picture`` is read; results are codes.
"""

import json
import sys
from pathlib import Path

import numpy as np

from subpixel.upscaling.upscaler import Upscaler


def main() -> None:
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        picture = np.fromfile(job["picture"]["file"], np.uint8).reshape(job["picture"]["shape"])
        upscaler = Upscaler(Path(job["file"]), device="cpu", threads=1, tuning=False)
        upscaler(picture).tofile(job["output"])


if __name__ == "__main__":
    main()
