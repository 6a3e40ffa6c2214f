"""docs/performance.md, its plots and its raw figures, in one command.

    python benchmarks/performance.py --data ../shared/data

DATA holds `seed/` with the reference's weights, `bench/` with Set5 and Set14, and `photos/` for
calibration. Takes less than 20 minutes on two cores that have nothing else to do. `--page` writes
the page anew from docs/performance.json; `--rounds 1 --largest 256` is a quick look. Needs the
extras `torch` and `bench`; a peer that is not installed says so in its cells.

This process stays small: a child's peak memory, as the system counts it, is never less than what
its parent held when it began.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import big_files
import images_per_second
import pictures_in_memory
import whole_process
from interleaved import Share
from machine import GIBIBYTE, machine_line, memory
from measurements import Measurements, read, write
from network_files import SCALE, Files
from peers import PEERS
from pictures_in_memory import SIZES, Bounds, Course, Size

from subpixel.zoo.manifest import read_manifest

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
WEIGHTS = "seed/superres_epoch100-44c6958e.pth"
FILE_SIDES = (2000, 10_000)
FILE_LIMIT = 240.0
"""Seconds for one process from file to file."""
START_SHARE = Share(3, 15, 60.0)
PACKAGES = (
    *("numpy", "onnxruntime", "torch", "openvino", "ncnn"),
    *("opencv-python-headless", "pillow", "pyvips", "pyvips-binary"),
)


def main() -> None:
    given = _options()
    raw = given.out / "performance.json"
    if given.device:
        with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
            _networks(Path(folder), given.data)
            images_per_second.write_page(Path(folder), given.device, given.out)
        return
    if not given.page:
        with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
            os.environ["XDG_CACHE_HOME"] = folder  # what was tuned on this machine is not used
            write(_measured(given, Files(Path(folder))), raw)
    from performance_page import write_page

    write_page(read(raw), given.out)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    options.add_argument("--out", type=Path, default=DOCS, help="the folder to write into")
    options.add_argument("--page", action="store_true", help="measure nothing")
    options.add_argument("--rounds", type=int, help="at most so many")
    options.add_argument("--largest", type=int, default=10_000, help="side of the largest picture")
    options.add_argument(
        "--memory", type=float, help="GiB for a row; default: half of all there is"
    )
    options.add_argument("--device", choices=("cpu", "cuda"), help="only its images per second")
    return options.parse_args()


def _measured(given: argparse.Namespace, files: Files) -> Measurements:
    began, load, course = time.monotonic(), os.getloadavg()[1], Course()
    bound = int(given.memory * GIBIBYTE) if given.memory else memory() // 2
    multiply_adds = _networks(files.folder, given.data)
    bounds = Bounds(files.folder, "cpu", bound)
    pictures = pictures_in_memory.measure(_sizes(given), bounds, course)
    print("whole processes, files", file=sys.stderr, flush=True)
    processes = whole_process.measure(files, _fewer(START_SHARE, given.rounds))
    sides = [side for side in FILE_SIDES if side <= given.largest]
    from_files = big_files.measure(files.folder, sides, FILE_LIMIT)
    quality = _child("quality.py", files.folder, given.data / "bench")
    return Measurements(
        machine=machine_line(*PACKAGES),
        day=datetime.now(UTC).date().isoformat(),
        minutes=(time.monotonic() - began) / 60,
        load=load,
        memory=bound,
        multiply_adds=_multiply_adds(multiply_adds),
        psnr=course.psnr,
        quality=quality | {row.name: row.psnr for row in read_manifest() if row.scale == SCALE},
        pictures=pictures,
        files=from_files,
        processes=processes,
    )


def _networks(folder: Path, data: Path) -> float:
    """Make the files; the reference's multiply-adds per pixel."""
    found: float = _child("networks.py", folder, data / WEIGHTS, data / "photos")
    return found


def _sizes(given: argparse.Namespace) -> Sequence[Size]:
    sizes = [size for size in SIZES if size.side <= given.largest]
    return [replace(size, share=_fewer(size.share, given.rounds)) for size in sizes]


def _fewer(share: Share, rounds: int | None) -> Share:
    if rounds is None:
        return share
    return replace(share, least=min(share.least, rounds), most=min(share.most, rounds))


def _child(script: str, *arguments: Path) -> Any:  # noqa: ANN401 - JSON
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    print(script, file=sys.stderr, flush=True)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def _multiply_adds(reference: float) -> dict[str, float]:
    ours = {row.name: row.multiply_adds for row in read_manifest() if row.scale == SCALE}
    kinds = ("subpixel", "peer", "tutorial")
    return {name: reference for name, peer in PEERS.items() if peer.kind in kinds} | ours


if __name__ == "__main__":
    main()
