import numpy as np
import pytest

from subpixel.errors import UsageError
from subpixel.measure.sheet import GAP, INK, PANEL, Spot, liveliest_spot, sheet


def test_a_sheet_holds_both_pictures_and_the_spot() -> None:
    before = np.full((40, 60, 3), 50, np.uint8)
    after = np.full((120, 180, 3), 200, np.uint8)
    result = sheet(before, after, Spot(10, 20, 30))
    assert result.shape == (PANEL * 2 // 3 + GAP + PANEL, 2 * PANEL + GAP, 3)
    left, right = result[:, :PANEL], result[:, PANEL + GAP :]
    assert (left[-PANEL:] == 50).all()
    assert (right[-PANEL:] == 200).all()
    assert (left[: PANEL * 2 // 3] == INK).all(axis=2).any()


def test_the_liveliest_spot_is_where_the_detail_is() -> None:
    picture = np.full((400, 600, 3), 128, np.uint8)
    picture[200:360, 400:560] = np.random.default_rng(0).integers(0, 256, (160, 160, 3))
    spot = liveliest_spot(picture)
    assert abs(spot.top - 200) <= 80
    assert abs(spot.left - 400) <= 80


@pytest.mark.parametrize("size", [(50, 70), (121, 180), (120, 179)])
def test_pictures_that_are_no_multiples_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="whole multiple"):
        sheet(np.zeros((40, 60, 3), np.uint8), np.zeros((*size, 3), np.uint8))


@pytest.mark.parametrize("spot", [Spot(0, 0, 0), Spot(-1, 0, 5), Spot(30, 0, 20)])
def test_a_spot_outside_is_refused(spot: Spot) -> None:
    with pytest.raises(UsageError, match=r"no square|reaches out"):
        sheet(np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60, 3), np.uint8), spot)
