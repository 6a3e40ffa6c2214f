"""What helps training and what doesn't: one change at a time of the present recipe, at one budget.

    python benchmarks/recipe_table.py --data PHOTOS --steps 2000 --only present edge-blocks
    python benchmarks/recipe_table.py --table

Each variant is trained by subpixel.train, with the same seed and on the same crops, for --steps
steps in all (of which a preset's share is fine-tuning). What is in docs/recipe_table.json is not
done again, and a run that was stopped goes on (its state is in --work). A row is compared with
`present` of the same preset, scale, steps and pictures; the last line but one is how far two seeds
of `present` lie apart: less is noise. --table writes the table into docs/training.md.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.train.data.crops import PhotographCrops, load_crops
from subpixel.train.data.source import Pair
from subpixel.train.loop import Progress, measure_psnr, train
from subpixel.train.presets import PRESETS, Preset
from subpixel.train.teacher import load_teacher

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "recipe_table.json"
PAGE = ROOT / "docs" / "training.md"
BEGIN, END = "<!-- recipe table: begin -->", "<!-- recipe table: end -->"
WEIGHTS = ROOT / "weights"
TEACHER = "balanced"


@dataclass(frozen=True)
class Variant:
    """One change of the present recipe."""

    change: str
    """In words."""
    preset: Mapping[str, object] | None = None
    """Fields of the preset."""
    budget: int = 1
    """How many times the steps."""
    finetune: bool = True
    late: bool = False
    """Crops of twice the side in the last third."""
    taught: bool = False
    warm: bool = False
    """Begins with the bundled weights of another scale."""
    seed: int = 0


VARIANTS: Mapping[str, Variant] = {
    "present": Variant("the present recipe"),
    "second-seed": Variant("the same with another seed", seed=1),
    "longer": Variant("twice the steps along one cosine", budget=2),
    "late-crops": Variant("crops of twice the side in the last third", late=True),
    "l1-alone": Variant("L1 to the end", finetune=False),
    "l2-alone": Variant("L2 from the start", {"loss": "l2"}),
    "charbonnier": Variant("Charbonnier for L1", {"loss": "charbonnier"}),
    "fourier": Variant("L1 and the error's frequencies", {"loss": "l1+fourier"}),
    "haar": Variant("L1 and the error's Haar details", {"loss": "l1+haar"}),
    "edge-blocks": Variant("ECB's edge branches for the pairs", {"block": "edge"}),
    "plain-blocks": Variant("plain convolutions for the pairs", {"block": "plain"}),
    "teacher": Variant(f"`{TEACHER}` as the teacher until fine-tuning", taught=True),
    "warm-start": Variant("begun with the bundled weights of another scale", warm=True),
    "no-average": Variant("the weights themselves, no average", {"averaging": 0.0}),
    "long-average": Variant("an average with decay 0.9999", {"averaging": 0.9999}),
    "no-flats": Variant("no flat crops", {"flat_share": 0.0}),
}


@dataclass(frozen=True)
class Budget:
    """What all rows of one comparison have in common."""

    preset: str
    scale: int
    steps: int
    photographs: int

    def __str__(self) -> str:
        return f"`{self.preset}` ×{self.scale}, {self.steps} steps, {self.photographs} photographs"


@dataclass(frozen=True)
class Row:
    """What one variant reached."""

    budget: Budget
    variant: str
    psnr: float
    """In dB, of full-range luma of the held-out pictures."""
    stray: float
    """In code values: how far flat pictures stray, up to the corners."""
    steps: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Photographs:
    source: PhotographCrops
    held_out: Sequence[Pair]


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--data", type=Path, help="a folder of photographs")
    options.add_argument("--steps", type=int, default=2000)
    options.add_argument("--preset", choices=sorted(PRESETS), default="fast")
    options.add_argument("--scale", type=int, default=3)
    options.add_argument("--only", nargs="*", choices=[*VARIANTS], default=[*VARIANTS])
    options.add_argument("--work", type=Path, default=ROOT / "build" / "recipe")
    options.add_argument("--results", type=Path, default=RESULTS)
    options.add_argument("--table", action="store_true", help="only write the table")
    given = options.parse_args()
    if given.table:
        write_page(PAGE, read_rows(given.results))
        return 0
    if given.data is None:
        options.error("name a folder of photographs: --data PHOTOS")
    measure(given)
    print(table(read_rows(given.results)))
    return 0


def measure(given: argparse.Namespace) -> None:
    """Each variant that isn't there yet."""
    preset: Preset = PRESETS[given.preset]
    photographs = Photographs(*load_crops(given.data, given.scale, 2 * preset.max_crop))
    budget = Budget(given.preset, given.scale, given.steps, len(photographs.source.photographs))
    given.work.mkdir(parents=True, exist_ok=True)
    for name in given.only:
        rows = read_rows(given.results)
        if any((row.budget, row.variant) == (budget, name) for row in rows):
            print(f"{name}: is there", flush=True)
            continue
        row = train_variant(budget, name, photographs, given.work)
        given.results.write_text(json.dumps([asdict(r) for r in (*rows, row)], indent=1) + "\n")
        print(f"{name}: {row.psnr:.3f} dB", flush=True)


def train_variant(budget: Budget, name: str, photographs: Photographs, work: Path) -> Row:
    variant, scale = VARIANTS[name], budget.scale
    preset = changed(PRESETS[budget.preset], variant, budget.steps)
    state = work / f"{budget.preset}-x{scale}-{budget.steps}-{budget.photographs}-{name}.state"
    started = time.monotonic()
    done = train(
        preset,
        scale,
        replace(photographs.source, seed=variant.seed),
        photographs.held_out[:1],
        state,
        seed=variant.seed,
        warm_start=open_warm_start(budget) if variant.warm else None,
        teacher=open_teacher(scale, preset) if variant.taught else None,
        report=lambda progress: tell(name, progress),
    )
    state.unlink()
    psnr, _ = measure_psnr(done.net, photographs.held_out)
    seconds = max(done.seconds, time.monotonic() - started)
    return Row(budget, name, round(psnr, 4), round(flat_stray(done.net), 2), done.steps, seconds)


def changed(preset: Preset, variant: Variant, steps: int) -> Preset:
    """The preset at the budget: its share of fine-tuning, and the variant's change."""
    whole = steps * variant.budget
    finetune = round(whole * preset.finetune / preset.length) if variant.finetune else 0
    late = 2 * preset.crop if variant.late else preset.late_crop
    preset = replace(preset, steps=whole - finetune, finetune=finetune, late_crop=late)
    return replace(preset, **(variant.preset or {}))  # type: ignore[arg-type]


def open_warm_start(budget: Budget) -> nn.Module:
    other = 2 if budget.scale == 3 else 3
    return load_checkpoint(WEIGHTS / f"{budget.preset}-x{other}.safetensors").module


def open_teacher(scale: int, preset: Preset) -> nn.Module:
    return load_teacher(WEIGHTS / f"{TEACHER}-x{scale}.safetensors", scale, preset.crop).module


def flat_stray(net: nn.Module) -> float:
    flats = torch.linspace(0, 1, 52)[:, None, None, None].expand(-1, 1, 30, 30)
    with torch.inference_mode():
        return float((net(flats) - flats[:, :, :1, :1]).abs().max()) * 255


def tell(name: str, progress: Progress) -> None:
    print(f"{name}: step {progress.step}, {progress.seconds_left / 60:.0f} min left", flush=True)


def read_rows(file: Path) -> list[Row]:
    if not file.is_file():
        return []
    return [
        Row(**{**content, "budget": Budget(**content["budget"])})
        for content in json.loads(file.read_text())
    ]


def table(rows: Sequence[Row]) -> str:
    """One table for each budget, each row beside its `present`."""
    budgets = dict.fromkeys(row.budget for row in rows)
    return "\n\n".join(part(b, [r for r in rows if r.budget == b]) for b in budgets)


def part(budget: Budget, rows: Sequence[Row]) -> str:
    present = next((row.psnr for row in rows if row.variant == "present"), None)
    lines = [
        f"{budget}:",
        "",
        "| variant | what is changed | held-out | against present | stray | steps | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    order = list(VARIANTS)
    for row in sorted(rows, key=lambda row: order.index(row.variant)):
        gain = "" if present is None else f"{row.psnr - present:+.3f} dB"
        lines.append(
            f"| `{row.variant}` | {VARIANTS[row.variant].change} | {row.psnr:.3f} dB | {gain} | "
            f"{row.stray:.1f} | {row.steps} | {row.seconds:.0f} |"
        )
    return "\n".join(lines)


def write_page(page: Path, rows: Sequence[Row]) -> None:
    text, own = page.read_text(), f"{BEGIN}\n\n{table(rows)}\n\n{END}"
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: own, text, flags=re.DOTALL))


if __name__ == "__main__":
    sys.exit(main())
