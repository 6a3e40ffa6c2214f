"""Y-PSNR against JPEG quality: `auto`, every point of the family, and bicubic interpolation.

    python benchmarks/jpeg_quality.py --data FOLDER             # measure, draw, write
    python benchmarks/jpeg_quality.py --data FOLDER --sets BSD100 --every 10 --scale 3
    python benchmarks/jpeg_quality.py --data FOLDER --rows AVIF  # those rows alone, into the others
    python benchmarks/jpeg_quality.py --draw                    # from the last run's figures
    python benchmarks/jpeg_quality.py --photos FOLDER           # what the curve is fitted on

FOLDER holds the sets Set5, Set14 and BSD100 (GT/, x2/, x3/, x4/), or for --photos pictures of which
none
was trained on. Low resolution goes through libjpeg, and the file through the networks as `upscale`
runs them, in 8-bit integers. Writes docs/jpeg-quality.json (all figures), docs/jpeg-quality.svg,
and a part of them into docs/models.md between its two markers. The exit code is 1 where `auto` is
more than 0.05 dB below the best point, or not above bicubic interpolation.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import pyvips

from subpixel.imaging.colour import Rgb8, studio_luma
from subpixel.imaging.metrics import psnr
from subpixel.imaging.resample import enlarge
from subpixel.measure.benchmark_set import benchmark, read_pair
from subpixel.media.image_file import open_picture, read_picture
from subpixel.upscaling.choice.choose import choose_network
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.family import POINTS

DOCS = Path(__file__).resolve().parents[1] / "docs"
FIGURES, PLOT, PAGE = DOCS / "jpeg-quality.json", DOCS / "jpeg-quality.svg", DOCS / "models.md"
BEGIN, END = "<!-- jpeg_quality.py begins -->", "<!-- jpeg_quality.py ends -->"
SETS = ("Set5", "Set14")
"""By default; BSD100 is twenty times as much as Set5."""
SCALES = (2, 3, 4)
AUTO, BICUBIC = "auto", "bicubic"
NAMES = tuple(point.name for point in POINTS)
SLACK = {"×2": 0.06, "×3": 0.05, "×4": 0.1}
"""dB by which auto may be below the best point, by scale: one curve serves all scales, and was
fitted before ``balanced`` ×2 and ×4 were trained on."""

Scores = Mapping[str, float]
"""Y-PSNR in dB by `auto`, `bicubic` and the points' names."""


@dataclass(frozen=True)
class Saving:
    """How the small picture is saved: once or twice, and as what."""

    title: str
    save: Callable[[pyvips.Image, Path], Path]


def jpeg(quality: int, chroma: str = "4:2:0") -> Saving:
    mode = {"4:2:0": "on", "4:4:4": "off"}[chroma]

    def save(image: pyvips.Image, folder: Path) -> Path:
        image.jpegsave(str(folder / "a.jpg"), Q=quality, subsample_mode=mode)
        return folder / "a.jpg"

    return Saving(f"{quality}, {chroma}", save)


def avif(quality: int) -> Saving:
    def save(image: pyvips.Image, folder: Path) -> Path:
        image.heifsave(str(folder / "a.avif"), compression="av1", Q=quality, effort=1)
        return folder / "a.avif"

    return Saving(f"AVIF {quality}", save)


def again(quality: int, name: str, **options: object) -> Saving:
    """A JPEG of ``quality``, decoded and saved as another file."""

    def save(image: pyvips.Image, folder: Path) -> Path:
        first = jpeg(quality).save(image, folder)
        decoded = pyvips.Image.new_from_memory(*_memory(read_picture(first).rgb8()))
        decoded.write_to_file(str(folder / name), **options)
        return folder / name

    form = name.partition(".")[2].upper()
    title = f"{quality}, then {form} {options['Q']}" if options else f"{quality}, then {form}"
    return Saving(title, save)


def _memory(rgb: Rgb8) -> tuple[bytes, int, int, int, str]:
    height, width, channels = rgb.shape
    return rgb.tobytes(), width, height, channels, "uchar"


def lossless(image: pyvips.Image, folder: Path) -> Path:
    image.write_to_file(str(folder / "a.png"))
    return folder / "a.png"


NONE = Saving("none", lossless)
QUALITIES = (30, 40, 50, 60, 70, 75, 80, 85, 90, 92, 95, 97)
SHOWN = ("40", "50", "75", "85", "92", "97", "none")
SAVINGS = (
    *(jpeg(quality) for quality in QUALITIES),
    *(jpeg(quality, "4:4:4") for quality in (40, 75, 92)),
    again(50, "b.jpg", Q=90),
    again(60, "b.jpg", Q=85),
    again(75, "b.jpg", Q=95),
    again(50, "b.png"),
    again(85, "b.png"),
    again(75, "b.webp", Q=90),
    *(avif(quality) for quality in (40, 60, 80, 90)),
    NONE,
)


def open_networks(scale: int) -> Mapping[str, Upscaler]:
    return {
        point.name: Upscaler(scale=scale, denoise=point.strength, device="cpu", tuning=False)
        for point in POINTS
    }


def score(truth: Rgb8, file: Path, networks: Mapping[str, Upscaler], scale: int) -> Scores:
    """Of one file that is a smaller ``truth``."""
    small, exact = read_picture(file).rgb8(), _luma(truth, scale)
    scores = {name: psnr(_luma(run(small), scale), exact) for name, run in networks.items()}
    scores[AUTO] = scores[choose_network(open_picture(file)).network]
    return scores | {BICUBIC: psnr(_luma(enlarge(small, scale, scale), scale), exact)}


def _luma(rgb: Rgb8, shave: int) -> np.ndarray:
    return studio_luma(rgb)[shave:-shave, shave:-shave]


def pairs(folder: Path, scale: int, every: int = 1) -> Iterator[tuple[Rgb8, Rgb8]]:
    """Each n-th picture, cropped to a multiple of the scale, and its low resolution."""
    pictures = benchmark(folder, scale)
    for place in range(0, len(pictures.truths), every):
        small, truth = read_pair(pictures, place)
        yield truth, small


def measure(
    folder: Path, scale: int, savings: Sequence[Saving], every: int = 1
) -> Mapping[str, Scores]:
    """A set's means by how the small pictures were saved."""
    networks, rows = open_networks(scale), {saving.title: [] for saving in savings}
    for truth, small in pairs(folder, scale, every):
        image = pyvips.Image.new_from_memory(*_memory(np.ascontiguousarray(small)))
        for saving in savings:
            with tempfile.TemporaryDirectory() as room:
                file = saving.save(image, Path(room))
                rows[saving.title].append(score(truth, file, networks, scale))
    return {
        title: {name: round(fmean(row[name] for row in scores), 3) for name in scores[0]}
        for title, scores in rows.items()
    }


def best(scores: Scores) -> str:
    return max(NAMES, key=lambda name: scores[name])


def faults(figures: Mapping[str, Mapping[str, Scores]]) -> list[str]:
    """Where auto is too far below the best point, or not above bicubic."""
    lines = []
    for where, rows in figures.items():
        for title, scores in rows.items():
            short = scores[best(scores)] - scores[AUTO]
            if short > SLACK[where[-2:]]:
                lines.append(f"{where}, {title}: auto is {short:.3f} dB below {best(scores)}")
            if scores[AUTO] <= scores[BICUBIC]:
                lines.append(f"{where}, {title}: auto is not above bicubic")
    return lines


def is_shown(where: str, title: str) -> bool:
    """Whether a row is for the page, and not for the JSON file alone."""
    quality, _, rest = title.partition(", ")
    if "then" in rest or quality.startswith("AVIF"):
        return where.endswith("×3")
    return quality in SHOWN and rest != "4:4:4"


def table(figures: Mapping[str, Mapping[str, Scores]], *, whole: bool = False) -> str:
    head = [AUTO, *NAMES, BICUBIC]
    lines = [
        f"| set, scale | saved as | {' | '.join(f'`{n}`' if n != BICUBIC else n for n in head)} |",
        f"|---|---|{'---|' * len(head)}",
    ]
    for where, rows in figures.items():
        for title, scores in rows.items():
            if not whole and not is_shown(where, title):
                continue
            top = max(scores[name] for name in NAMES)
            cells = [
                f"**{scores[n]:.2f}**" if n in NAMES and scores[n] == top else f"{scores[n]:.2f}"
                for n in head
            ]
            lines.append(f"| {where} | {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(figures: Mapping[str, Mapping[str, Scores]]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and can be searched
    mpl.rcParams["svg.hashsalt"] = "subpixel"  # the same figures give the same file
    styles = {AUTO: ("tab:red", 2.5), "balanced": ("tab:blue", 1.2), "denoise": ("tab:green", 1.2)}
    figure, axes = plt.subplots(1, len(SCALES), figsize=(10, 3.4))
    for scale, axis in zip(SCALES, axes, strict=True):
        rows = figures[f"Set14, ×{scale}"]
        for name, (colour, width) in {**styles, BICUBIC: ("tab:grey", 1.2)}.items():
            values = [rows[jpeg(quality).title][name] for quality in QUALITIES]
            axis.plot(QUALITIES, values, color=colour, linewidth=width, label=name)
        axis.set_title(f"Set14, ×{scale}")
        axis.set_xlabel("JPEG quality")
        axis.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("Y-PSNR in dB")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})


def write_page(figures: Mapping[str, Mapping[str, Scores]]) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}\n\n{table(figures)}\n\n{END}{after}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--data", type=Path, help="the folder of benchmark sets")
    options.add_argument("--photos", type=Path, help="photographs to fit the curve on")
    options.add_argument("--scale", type=int, nargs="*", default=SCALES)
    options.add_argument("--sets", nargs="*", default=SETS)
    options.add_argument("--every", type=int, default=1, help="take each n-th picture of a set")
    options.add_argument("--rows", help="measure only what is saved by a name that has this in it")
    options.add_argument("--draw", action="store_true", help="from the figures of the last run")
    named = options.parse_args()
    if named.photos:
        for scale in named.scale:
            rows = {f"photographs, ×{scale}": measure(named.photos, scale, SAVINGS)}
            print(table(rows, whole=True), *faults(rows), sep="\n", flush=True)
        return 0
    if not named.draw:
        figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        savings = [saving for saving in SAVINGS if named.rows is None or named.rows in saving.title]
        part = "" if named.every == 1 else f" (1 of {named.every})"
        for name in named.sets:
            for scale in named.scale:
                where = f"{name}{part}, ×{scale}"
                rows = measure(named.data / name, scale, savings, named.every)
                figures[where] = {**figures.get(where, {}), **rows}
                print(where, flush=True)
                FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    figures = json.loads(FIGURES.read_text())
    draw(figures)
    write_page(figures)
    wrong = faults(figures)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
