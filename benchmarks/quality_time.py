"""Quality against time and against multiply-adds, at one scale, every network in the same run.

    python benchmarks/quality_time.py --data FOLDER --model REFERENCE=file.pth --plot plot.svg

FOLDER holds Set5, Set14 (GT/, x2/, x3/, x4/) and BSD100 (GT/). Rows are the bundled networks of
the scale (but for those that clean JPEGs), those named by --model (ONNX files, or checkpoints,
which run under PyTorch), and interpolation by Pillow, libvips and OpenCV. Quality is Y-PSNR by the
literature's protocol, 8-bit RGB in and out. Time is from RGB in memory to RGB in memory; the rows
take turns, round after round, and each figure is the median over the rounds of the ratio to Pillow
in that round. Published figures of other networks stand in the second plot, where no time is
needed. Needs the extra `bench`.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image

from subpixel.graph.cost import multiply_adds_per_pixel
from subpixel.graph.metadata import load_model
from subpixel.measure.evaluate import benchmark, evaluate
from subpixel.network import Network
from subpixel.parity.side import open_side
from subpixel.runtime.processors import processor_name
from subpixel.upscaler import Upscaler
from subpixel.versions import installed_version
from subpixel.zoo.manifest import DENOISE, bundled

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

Rgb = NDArray[np.uint8]
BENCHMARKS = ("Set5", "Set14", "BSD100")
SIDE = 512


@dataclass(frozen=True, eq=False)
class Row:
    """One way to enlarge, and what was measured of it."""

    name: str
    upscale: Callable[[Rgb], Rgb]
    multiply_adds: float | None
    """Per pixel of the small picture, colour included."""
    psnr: Mapping[str, float]
    times: list[float]
    """Seconds, round by round."""


PUBLISHED: Mapping[int, Mapping[str, tuple[float, float]]] = {
    3: {
        "FSRCNN": (12_464, 29.43),
        "VDSR": (5_985_000, 29.77),
        "IMDN": (703_000, 30.32),
    }
}
"""Multiply-adds per pixel of the small picture, and Y-PSNR on Set14, by scale; VDSR works on the
enlarged picture, nine pixels for each. Sources: arXiv 1608.00367 (counted from its Table 1), arXiv
1511.04587 (665 K parameters), arXiv 1909.11856."""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--scale", type=int, default=3)
    options.add_argument("--model", action="append", default=[], metavar="NAME=FILE")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--plot", type=Path, help="an SVG to write")
    given = options.parse_args()
    named = dict(pair.split("=", 1) for pair in given.model)
    rows = [*_rows(given.scale, {k: Path(v) for k, v in named.items()}, given.data)]
    time_all(rows, given.rounds)
    print_table(rows)
    if given.plot:
        plot(rows, PUBLISHED.get(given.scale, {}), given.plot)


def _rows(scale: int, files: Mapping[str, Path], data: Path) -> Sequence[Row]:
    ours = (row for row in bundled() if row.scale == scale and not row.name.startswith(DENOISE))
    paths = {row.name: row.path for row in ours} | files
    found = [_row(name, _opened(file), _cost(file), scale, data) for name, file in paths.items()]
    floor = [_row(name, op, None, scale, data) for name, op in _interpolations(scale).items()]
    return [*floor, *found]


def _interpolations(scale: int) -> Mapping[str, Callable[[Rgb], Rgb]]:
    """By name; Pillow's first, to which the others are compared."""

    def pillow(rgb: Rgb) -> Rgb:
        size = (rgb.shape[1] * scale, rgb.shape[0] * scale)
        return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))

    def libvips(rgb: Rgb) -> Rgb:
        enlarged: Rgb = pyvips.Image.new_from_array(rgb).resize(scale, kernel="cubic").numpy()
        return enlarged

    def opencv(method: int) -> Callable[[Rgb], Rgb]:
        return lambda rgb: cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=method)

    return {
        "Pillow bicubic": pillow,
        "libvips bicubic": libvips,
        "OpenCV bicubic": opencv(cv2.INTER_CUBIC),
        "OpenCV Lanczos": opencv(cv2.INTER_LANCZOS4),
    }


def _opened(file: Path) -> Upscaler:
    if file.suffix == ".onnx":
        return Upscaler(file, device="cpu")
    side = open_side(file, rgb=True)
    return Upscaler(Network(side.op, side.spec, side.provider))


def _cost(file: Path) -> float | None:
    return multiply_adds_per_pixel(load_model(file)) if file.suffix == ".onnx" else None


def _row(
    name: str, upscale: Callable[[Rgb], Rgb], cost: float | None, scale: int, data: Path
) -> Row:
    psnr = {s: evaluate(upscale, benchmark(data / s, scale)).network.psnr for s in BENCHMARKS}
    return Row(name, upscale, cost, psnr, [])


def time_all(rows: Sequence[Row], rounds: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    for row in rows:
        row.upscale(picture)  # what is done once is not timed
    for _ in range(rounds):
        for row in rows:
            began = time.perf_counter()
            row.upscale(picture)
            row.times.append(time.perf_counter() - began)


def ratio(row: Row, to: Row) -> float:
    return statistics.median(a / b for a, b in zip(row.times, to.times, strict=True))


def print_table(rows: Sequence[Row]) -> None:
    print(
        f"{processor_name()}, {len(os.sched_getaffinity(0))} cores, Python "
        f"{platform.python_version()}, onnxruntime {installed_version('onnxruntime')}, "
        f"Pillow {installed_version('pillow')}; {SIDE}×{SIDE} RGB, {len(rows[0].times)} rounds\n"
    )
    print(f"| | multiply-adds | {' | '.join(BENCHMARKS)} | time | times Pillow's bicubic |")
    print(f"|---|---|{'---|' * len(BENCHMARKS)}---|---|")
    for row in rows:
        cost = f"{row.multiply_adds:,.0f}" if row.multiply_adds else ""
        psnr = " | ".join(f"{row.psnr[name]:.2f}" for name in BENCHMARKS)
        least = 1000 * min(row.times)
        print(f"| {row.name} | {cost} | {psnr} | {least:.1f} ms | {ratio(row, rows[0]):.2f} |")


def plot(rows: Sequence[Row], published: Mapping[str, tuple[float, float]], file: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for row in rows:
        below = row.name.endswith("-int8")
        colour = "tab:red" if row.multiply_adds else "tab:grey"
        _mark(left, row.name, (ratio(row, rows[0]), row.psnr["Set14"]), colour, below=below)
        if row.multiply_adds and not below:
            _mark(right, row.name, (row.multiply_adds, row.psnr["Set14"]), colour)
    for name, place in published.items():
        _mark(right, f"{name} (published)", place, "tab:blue", below=True)
    left.set_xlabel("time, multiples of Pillow's bicubic")
    left.set_ylabel("Y-PSNR on Set14, dB")
    right.set_xlabel("multiply-adds per pixel of the small picture")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.margins(x=0.35, y=0.15)
        axes.grid(visible=True, alpha=0.3)
    figure.tight_layout()
    figure.savefig(file)


def _mark(
    axes: Axes, name: str, place: tuple[float, float], colour: str, *, below: bool = False
) -> None:
    axes.scatter(*place, color=colour)
    axes.annotate(name, place, xytext=(5, -13 if below else 5), textcoords="offset points")


if __name__ == "__main__":
    main()
