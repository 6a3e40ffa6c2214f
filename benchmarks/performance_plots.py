"""The plots of docs/performance.md."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from interleaved import ratio
from measurements import Measurements
from peers import BASE, FLOOR, PEERS, TUTORIAL

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SIDE = 512
SET = "Set14"
COLOURS = {
    "subpixel": "tab:red",
    "bundled": "tab:red",
    "peer": "tab:blue",
    "tutorial": "tab:purple",
    "floor": "tab:grey",
}
GROWING = (
    "subpixel",
    "subpixel, int8",
    "fast",
    "balanced",
    BASE,
    FLOOR,
    "OpenVINO, f32",
    "PyTorch",
)

PUBLISHED: Mapping[str, tuple[float, float]] = {
    "FSRCNN": (12_464, 29.43),
    "VDSR": (5_985_000, 29.77),
    "IMDN": (703_000, 30.32),
}
"""Multiply-adds per pixel of the small picture, and Y-PSNR on Set14, at ×3; VDSR works on the
enlarged picture, nine pixels for each. Sources: arXiv 1608.00367 (counted from its Table 1), arXiv
1511.04587 (665 K parameters), arXiv 1909.11856."""


def write(found: Measurements, folder: Path) -> None:
    """As many as there are figures for."""
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and can be searched
    mpl.rcParams["svg.hashsalt"] = "subpixel"  # the same figures give the same file
    _save(_growth(found), folder / "performance-growth.svg")
    if SIDE in found.pictures:
        _save(_peers(found), folder / "performance-peers.svg")
        _save(_quality_time(found), folder / "quality-time.svg")


def _save(figure: Figure, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _growth(found: Measurements) -> Figure:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name in GROWING:
        points = [
            (side**2 / 1e6, 1000 * cells[name].seconds / (side**2 / 1e6))
            for side, cells in found.pictures.items()
            if cells[name]
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=name) if points else None
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("megapixels of the small picture")
    axes.set_ylabel("ms per megapixel")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _peers(found: Measurements) -> Figure:
    cells = found.pictures[SIDE]
    names = [n for n, p in PEERS.items() if p.kind in ("subpixel", "peer", "tutorial") and cells[n]]
    speeds = {name: ratio(cells[BASE], cells[name]) for name in names}
    ordered = sorted(names, key=lambda name: speeds[name])
    figure, axes = plt.subplots(figsize=(8, 4.5))
    bars = axes.barh(
        ordered,
        [speeds[name] for name in ordered],
        color=[COLOURS[PEERS[name].kind] for name in ordered],
    )
    axes.bar_label(bars, fmt=" %.2f")
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xlabel(f"times as fast as {BASE}, {SIDE}²")
    return figure


def _quality_time(found: Measurements) -> Figure:
    cells = found.pictures[SIDE]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for name in (name for name in found.quality if cells.get(name)):
        below, quality = name.endswith("-int8"), found.quality[name][SET]
        colour = COLOURS[PEERS[name].kind]
        _mark(left, name, (ratio(cells[name], cells[FLOOR]), quality), colour, below=below)
        if name in found.multiply_adds and not below:
            _mark(right, name, (found.multiply_adds[name], quality), colour)
    for name, place in PUBLISHED.items():
        _mark(right, f"{name} (published)", place, "tab:green", below=True)
    left.set_xlabel("time, multiples of Pillow's bicubic")
    left.set_ylabel(f"Y-PSNR on {SET}, dB")
    right.set_xlabel("multiply-adds per pixel of the small picture")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.margins(x=0.35, y=0.15)
        axes.grid(visible=True, alpha=0.3)
    return figure


def _mark(
    axes: Axes, name: str, place: tuple[float, float], colour: str, *, below: bool = False
) -> None:
    label = "the tutorial" if name == TUTORIAL else name
    axes.scatter(*place, color=colour)
    axes.annotate(label, place, xytext=(5, -13 if below else 5), textcoords="offset points")
