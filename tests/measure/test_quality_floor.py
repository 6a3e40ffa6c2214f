import math

import pytest

from subpixel.measure.quality_floor import Floor

FLOOR = Floor(45, 0.1)


@pytest.mark.parametrize(
    ("psnr", "task_loss"), [(45.0, None), (math.inf, 0.1), (45.0, -1.0), (60.0, 0.0)]
)
def test_what_is_kept(psnr: float, task_loss: float | None) -> None:
    assert FLOOR.shortfall(psnr, task_loss) is None


@pytest.mark.parametrize(
    ("psnr", "task_loss", "said"),
    [
        (44.94, None, "44.9 dB to fp32; the floor is 45"),
        (math.nan, 0.0, "nan dB to fp32; the floor is 45"),
        (60.0, 0.11, "0.11 dB lost on the benchmark set; at most 0.1"),
        (60.0, math.nan, "nan dB lost on the benchmark set; at most 0.1"),
    ],
)
def test_what_is_lacking_is_said(psnr: float, task_loss: float | None, said: str) -> None:
    assert FLOOR.shortfall(psnr, task_loss) == said


def test_it_is_said_on_what_was_lost() -> None:
    lacking = FLOOR.shortfall(60.0, 0.2, "our photograph")
    assert lacking == "0.20 dB lost on our photograph; at most 0.1"
