"""The figures of benchmarks/jpeg_quality.py keep what docs/models.md says of them."""

import json

from jpeg_quality import FIGURES, PAGE, SAVINGS, SCALES, SETS, faults, table

MEASURED = json.loads(FIGURES.read_text(encoding="utf-8"))


def test_auto_is_nowhere_far_below_the_best_point_nor_below_bicubic() -> None:
    assert faults(MEASURED) == []


def test_a_worse_choice_would_be_a_fault() -> None:
    rows = MEASURED["Set5, ×3"]["50, 4:2:0"]
    worse = {"Set5, ×3": {"50": rows | {"auto": rows["balanced"]}}}
    assert len(faults(worse)) == 2


def test_every_set_scale_and_saving_was_measured() -> None:
    whole = {f"{name}, ×{scale}" for name in SETS for scale in SCALES}
    assert set(MEASURED) == whole | {"BSD100 (1 of 10), ×3"}
    for rows in MEASURED.values():
        assert set(rows) == {saving.title for saving in SAVINGS}


def test_the_page_has_the_figures() -> None:
    assert table(MEASURED) in PAGE.read_text(encoding="utf-8")
