"""The last layer, refitted so that flat pictures stay flat."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.train.flat_corners import FLAT_STRAY, settle_corners

SCALE = 2


@pytest.fixture(params=["plain", pytest.param("reference", marks=pytest.mark.slow)])
def net(request: pytest.FixtureRequest) -> nn.Module:
    """One that makes the borders of flat pictures darker, as an untrained one does."""
    torch.manual_seed(3)
    if request.param == "plain":
        return PlainNet(SCALE, channels=12, depth=2).eval()
    return SuperResolutionNet(SCALE).eval()


def photographs() -> list[Tensor]:
    """Stripes of many directions and widths, whose pixels beside each other are alike."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    angles, rates = random.uniform(0, np.pi, 12), random.uniform(0.05, 1, 12)
    waves = [
        np.sin(r * (x * np.cos(a) + y * np.sin(a))) for a, r in zip(angles, rates, strict=True)
    ]
    return [torch.from_numpy((w / 2 + 0.5).astype(np.float32))[None, None] for w in waves]


def flat_stray(net: nn.Module, side: int) -> float:
    flats = torch.linspace(0, 1, 52)[:, None, None, None].expand(-1, 1, side, side)
    with torch.inference_mode():
        return float((net(flats) - flats[:, :, :1, :1]).abs().max())


def changes(net: nn.Module, before: list[Tensor]) -> float:
    """Root mean square of the changes to photographs."""
    with torch.inference_mode():
        squares = [(net(p) - b).square().mean() for p, b in zip(photographs(), before, strict=True)]
    return float(torch.stack(squares).mean().sqrt())


def test_flat_pictures_gain_and_photographs_stay(net: nn.Module) -> None:
    """Flat ones of sizes and levels that weren't fitted, too."""
    strays = [flat_stray(net, side) for side in (17, 40)]
    with torch.inference_mode():
        before = [net(picture) for picture in photographs()]
    settle_corners(net, photographs())
    for side, stray in zip((17, 40), strays, strict=True):
        assert flat_stray(net, side) < stray / 2
    assert changes(net, before) < max(strays) / 2


def test_a_network_of_convolutions_strays_no_further_than_the_bound() -> None:
    """Nearly: its weights have not settled after so many rounds."""
    torch.manual_seed(3)
    net = PlainNet(SCALE, channels=12, depth=2).eval()
    settle_corners(net, photographs())
    assert flat_stray(net, 40) < 2 * FLAT_STRAY


def test_a_network_whose_flat_pictures_are_flat_stays_as_it_is() -> None:
    net = PlainNet(SCALE, channels=4, depth=1).eval().requires_grad_(False)
    nn.init.zeros_(net.last.weight)
    assert net.last.bias is not None
    nn.init.zeros_(net.last.bias)
    settle_corners(net, photographs())
    assert float(net.last.weight.abs().max()) == 0
    assert float(net.last.bias.abs().max()) == 0
