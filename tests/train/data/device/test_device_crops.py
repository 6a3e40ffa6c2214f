"""Crops on the device are those of the processor, by luma: reduced as imresize does."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from subpixel.errors import UsageError
from subpixel.imaging.colour import luma
from subpixel.imaging.resample import imresize
from subpixel.media.photograph import photograph
from subpixel.train.data.device.device_crops import DRAWN, DeviceCrops

TURNS = [(0.9, 0.9, 0.9), (0.1, 0.9, 0.9), (0.9, 0.1, 0.9), (0.9, 0.9, 0.1)]

PHOTO = np.rint(luma(photograph())).astype(np.uint8)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "turn", [(0.9, 0.9, 0.9), (0.1, 0.9, 0.9), (0.9, 0.1, 0.9), (0.9, 0.9, 0.1)]
)
def test_a_crop_is_that_of_the_reduced_picture(
    scale: int, turn: tuple[float, float, float]
) -> None:
    """At a place on the grid of the whole picture; turned only in ways that keep rows first."""
    crop = 12
    height, width = PHOTO.shape
    rows, columns = height - crop * scale + 1, width - crop * scale + 1
    top, left = 5 * scale, 7 * scale
    drawn = torch.tensor([[0.0, 0.0, (top + 0.5) / rows, (left + 0.5) / columns, *turn]])
    source = DeviceCrops.of([[PHOTO]], scale, crop)
    low, high = source.cut((drawn,), crop)
    expected_high = PHOTO[top : top + crop * scale, left : left + crop * scale]
    grid = PHOTO[: height // scale * scale, : width // scale * scale]
    expected_low = imresize(grid, Fraction(1, scale))[5 : 5 + crop, 7 : 7 + crop]
    swap, mirror_rows, mirror_columns = (value < 0.5 for value in turn)
    for part, expected in ((low, expected_low), (high, expected_high)):
        turned = expected[:: -1 if mirror_rows else 1, :: -1 if mirror_columns else 1]
        turned = turned.T if swap else turned
        difference = np.abs(part[0, 0].numpy() * 255 - turned)
        # rounded between the passes, of which the other comes first when it is swapped
        assert difference.max() <= (1.001 if swap else 0.001)


def test_the_edge_is_repeated() -> None:
    plane = PHOTO[:36, :48]
    source = DeviceCrops.of([[plane]], 3, 12)
    drawn = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.9, 0.9, 0.9]])
    low, _ = source.cut((drawn,), 12)
    expected = imresize(plane, Fraction(1, 3))[:, :11]
    np.testing.assert_allclose(low[0, 0, :, :11].numpy() * 255, expected, atol=1e-3)


def test_both_sizes_show_the_same_spot() -> None:
    source = DeviceCrops.of([[PHOTO], [PHOTO[:100], PHOTO[100:]]], 2, 16)
    low, high = source.cut(source.draw(32, 16, 0), 16)
    assert (low.shape, high.shape) == ((32, 1, 16, 16), (32, 1, 32, 32))
    assert 0 <= low.min() <= low.max() <= 1
    assert (torch.nn.functional.avg_pool2d(high, 2) - low).abs().mean() < 0.01


def test_batches_depend_on_seed_and_step_alone() -> None:
    source = DeviceCrops.of([[PHOTO]], 2, 16)
    (first,), (again,), (later,) = (source.draw(4, 16, step) for step in (3, 3, 4))
    assert first.shape == (4, DRAWN)
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert not torch.equal(first, replace(source, seed=1).draw(4, 16, 3)[0])


def test_photographs_are_drawn_alike_however_many_pictures_they_have() -> None:
    white, black = (np.full((32, 32), level, np.uint8) for level in (255, 0))
    source = DeviceCrops.of([[white] * 12, [black], [black], [black]], 2, 16)
    low, _ = source.cut(source.draw(800, 16, 0), 16)
    # 800 draws at 1/4: the standard deviation is 0.015
    assert float(low.mean()) == pytest.approx(0.25, abs=0.065)


def test_places_stay_within_their_pictures() -> None:
    """At both ends of all ranges, in pictures of different sizes side by side."""
    planes = [np.full((20 + i, 44 - i), 10 * i, np.uint8) for i in range(12)]
    source = DeviceCrops.of([planes[:5], planes[5:]], 2, 8)
    ends = torch.cartesian_prod(*[torch.tensor([0.0, 1 - 2**-24])] * DRAWN)
    low, high = source.cut((ends,), 8)
    for crops in (low, high):
        assert torch.equal(crops.amin((1, 2, 3)), crops.amax((1, 2, 3)))
    assert set((high[:, 0, 0, 0] * 255).round().int().tolist()) == {0, 40, 50, 110}


def test_what_is_too_small_is_left_out() -> None:
    source = DeviceCrops.of([[PHOTO[:20]], [PHOTO]], 2, 16)
    assert len(source.photographs) == 1
    with pytest.raises(UsageError, match="no picture is 1000 pixels"):
        DeviceCrops.of([[PHOTO]], 2, 500)
