"""A network for any size is the network itself wherever it runs, and padded only elsewhere."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from subpixel.nets.padding import AnySize, Padded, runs_any_size
from subpixel.spec import ModelSpec

SPEC = ModelSpec("any", 2, "rgb", "rgb")


class PadsItself(nn.Module):
    """Pads with zeros to multiples of eight, as many repositories do, and sees what it padded."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        padded = nn.functional.pad(picture, (0, -width % 8, 0, -height % 8))
        larger = nn.functional.pixel_shuffle(self.conv(padded), 2)
        return larger[..., : 2 * height, : 2 * width]


class FoursAlone(PadsItself):
    """Raises for sides that are no multiples of four, after it changed its input."""

    def forward(self, picture: Tensor) -> Tensor:
        picture.mul_(0.5)
        batch, channels, height, width = picture.shape
        picture.view(batch, channels, height // 4, 4, width // 4, 4)
        return nn.functional.pixel_shuffle(self.conv(picture), 2)


class Shrinks(nn.Module):
    """Drops an odd last column without a word: a wrong size is a refusal, too."""

    def forward(self, picture: Tensor) -> Tensor:
        even = picture[..., : picture.shape[-2] // 2 * 2, : picture.shape[-1] // 2 * 2]
        return nn.functional.interpolate(even, scale_factor=2.0)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (51, 67), (64, 64)])
def test_a_network_that_pads_by_itself_is_left_alone(size: tuple[int, int]) -> None:
    net, picture = PadsItself().eval(), torch.rand(1, 3, *size)
    module, spec = runs_any_size(net, SPEC)
    assert (spec.size_multiple, spec.size_minimum, spec.pads) == (1, 1, False)
    assert torch.equal(module(picture), net(picture))


def test_it_is_padded_where_it_refuses_and_nowhere_else() -> None:
    net = FoursAlone().eval()
    module, spec = runs_any_size(net, SPEC)
    assert isinstance(module, AnySize)
    assert (spec.size_multiple, spec.pads) == (4, True)
    for size in ((8, 12), (7, 5), (4, 4)):
        picture = torch.rand(1, 3, *size)
        untouched = picture.clone()
        runs = not any(side % 4 for side in size)
        expected = net(picture.clone()) if runs else Padded(net, spec)(picture.clone())
        assert torch.equal(module(picture), expected)
        assert torch.equal(picture, untouched)


def test_another_size_than_asked_for_is_a_refusal() -> None:
    module, spec = runs_any_size(Shrinks(), SPEC)
    assert spec.size_multiple == 2
    assert module(torch.rand(1, 3, 7, 5)).shape == (1, 3, 14, 10)


def test_sizes_that_a_network_says_it_is_not_for_are_padded_though_it_runs() -> None:
    declared = ModelSpec("any", 2, "rgb", "rgb", size_multiple=16)
    module, spec = runs_any_size(PadsItself().eval(), declared)
    picture = torch.rand(1, 3, 20, 20)
    assert torch.equal(module(picture), Padded(PadsItself().eval(), spec)(picture))


class OutOfMemory(PadsItself):
    """Fails as PyTorch does where the system refuses it memory, but for padded pictures."""

    def forward(self, picture: Tensor) -> Tensor:
        if picture.shape[-1] % 8:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: error 12"
            )
        return super().forward(picture)


def test_want_of_memory_is_no_refusal_of_a_size() -> None:
    """The padded picture may fit, but is not what the network itself gives."""
    net = AnySize(OutOfMemory().eval(), SPEC, replace(SPEC, size_multiple=8))
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        net(torch.rand(1, 3, 16, 12))
    assert net(torch.rand(1, 3, 16, 16)).shape == (1, 3, 32, 32)
