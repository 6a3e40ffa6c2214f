import numpy as np
import pytest
import torch

from subpixel.train.steps.losses import DETAIL_WEIGHT, LOSSES, charbonnier_loss, haar_loss


@pytest.fixture
def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 1, 6, 8, generator=generator) for _ in range(2))
    return first, second


@pytest.mark.parametrize("name", LOSSES)
def test_equal_pictures_lose_nothing(
    name: str, pictures: tuple[torch.Tensor, torch.Tensor]
) -> None:
    loss = LOSSES[name]  # type: ignore[index]
    assert float(loss(pictures[0], pictures[0])) <= 0.0011
    assert float(loss(*pictures)) > 0.05


def test_each_is_as_numpy_has_it(pictures: tuple[torch.Tensor, torch.Tensor]) -> None:
    result, target = (picture.numpy().astype(np.float64) for picture in pictures)
    error = result - target
    l1 = np.abs(error).mean()
    half = np.fft.rfft2(error, norm="ortho")
    quads = error.reshape(2, 1, 3, 2, 4, 2)
    a, b, c, d = (quads[:, :, :, i, :, j] for i in (0, 1) for j in (0, 1))
    details = [np.abs(a - b + c - d), np.abs(a + b - c - d), np.abs(a - b - c + d)]
    expected = {
        "l1": l1,
        "l2": (error**2).mean(),
        "charbonnier": np.sqrt(error**2 + 1e-6).mean(),
        "l1+fourier": l1 + DETAIL_WEIGHT * np.abs(half).mean(),
        "l1+haar": l1 + DETAIL_WEIGHT * np.mean(details) / 2,
    }
    for name, loss in LOSSES.items():
        assert float(loss(*pictures)) == pytest.approx(expected[name], rel=1e-5)


def test_a_shift_of_brightness_is_no_detail() -> None:
    flat = torch.full((1, 1, 5, 7), 0.25)
    assert float(haar_loss(flat, flat + 0.5)) == pytest.approx(0, abs=1e-7)
    assert float(charbonnier_loss(flat, flat + 0.5)) == pytest.approx(0.5, abs=1e-4)
