"""The table of recipes: rows are measured once, whatever else is asked for."""

import sys
from pathlib import Path

import numpy as np
import pytest
import recipe_table
from PIL import Image
from recipe_table import VARIANTS, changed, read_rows, table, write_page

from subpixel.train.presets import PRESETS


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((112, 112)).save(folder / f"{seed}.png")
    return folder


def run_table(*options: object) -> list[recipe_table.Row]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["recipe_table.py", *map(str, options)])
        assert recipe_table.main() == 0
    return read_rows(Path(str(options[-1])))


def test_a_row_is_measured_once(photographs: Path, tmp_path: Path) -> None:
    """Equal for a run of its own, and for what is asked for later."""
    common = ("--data", photographs, "--preset", "smoke", "--scale", 3, "--steps", 4)
    common = (*common, "--work", tmp_path / "work")
    results = tmp_path / "rows.json"
    (first,) = run_table(*common, "--only", "present", "--results", results)
    rows = run_table(*common, "--only", "edge-blocks", "present", "--results", results)
    assert [row.variant for row in rows] == ["present", "edge-blocks"]
    assert rows[0] == first
    assert not list((tmp_path / "work").iterdir())
    assert (first.steps, first.budget.photographs) == (4, 2)

    page = tmp_path / "page.md"
    page.write_text(f"before\n{recipe_table.BEGIN}\nold\n{recipe_table.END}\nafter\n")
    write_page(page, rows)
    text = page.read_text()
    assert "old" not in text
    assert table(rows) in text
    assert text.startswith("before")
    assert text.endswith("after\n")


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_keeps_to_the_budget(name: str) -> None:
    """And each but the present recipe changes something."""
    preset, variant = PRESETS["fast"], VARIANTS[name]
    own, present = changed(preset, variant, 2200), changed(preset, VARIANTS["present"], 2200)
    assert own.length == 2200 * variant.budget
    assert present.finetune == 200
    apart = own != present or variant.seed or variant.taught or variant.warm
    assert bool(apart) == (name != "present")
