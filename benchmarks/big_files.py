"""Pictures from file to file, up to 100 megapixels: how long, and with how much memory.

Whole processes, JPEG to JPEG ×3, the interpreter's start included.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pyvips
from interleaved import Cell, Share, in_turns, run_command
from network_files import SCALE
from photograph import photograph

MEMORY = "1G"
"""What ``--max-memory`` is given."""

PILLOW = "Pillow bicubic"
BOUNDED = f"`fast`, --max-memory {MEMORY}"

PILLOW_SCRIPT = f"""
import sys
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
image = Image.open(sys.argv[1])
size = (image.width * {SCALE}, image.height * {SCALE})
image.resize(size, Image.Resampling.BICUBIC).save(sys.argv[2])
"""

LIBVIPS_SCRIPT = f"""
import pyvips, sys
image = pyvips.Image.new_from_file(sys.argv[1], access="sequential")
image.resize({SCALE}, kernel="cubic").write_to_file(sys.argv[2])
"""


def measure(folder: Path, sides: Sequence[int], seconds: float) -> dict[int, dict[str, Cell]]:
    """By side of the picture and row; ``seconds`` for one process, at most."""
    return {side: _measured(folder, side, seconds) for side in sides}


def _measured(folder: Path, side: int, seconds: float) -> dict[str, Cell]:
    source = folder / f"photograph-{side}.jpg"
    pyvips.Image.new_from_array(photograph(side)).write_to_file(str(source))
    commands = _commands(source.name, f"larger-{side}.jpg", bounded=_knows("--max-memory"))
    rows = {name: partial(run_command, c, folder, seconds) for name, c in commands.items()}
    return in_turns(rows, Share(1, 1 if side > 4096 else 3, seconds / 2))


def _commands(source: str, target: str, *, bounded: bool) -> Mapping[str, Sequence[str]]:
    subpixel = [sys.executable, "-m", "subpixel", "upscale", "--overwrite", source, "-o", target]
    fast = [*subpixel, "--model", "fast"]
    within = {BOUNDED: [*fast, "--max-memory", MEMORY]} if bounded else {}
    return {
        PILLOW: [sys.executable, "-c", PILLOW_SCRIPT, source, target],
        "libvips bicubic": [sys.executable, "-c", LIBVIPS_SCRIPT, source, target],
        "`fast`": fast,
        **within,
    }


def _knows(option: str) -> bool:
    """Whether ``subpixel upscale`` has the option."""
    command = [sys.executable, "-m", "subpixel", "upscale", "--help"]
    return option in subprocess.run(command, capture_output=True, text=True, check=True).stdout
