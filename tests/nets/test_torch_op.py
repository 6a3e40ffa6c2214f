"""A module as a NetOp."""

import threading

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import NetworkError
from subpixel.nets.torch_op import ExactOp, TorchOp, copy_module, expect_runnable
from subpixel.runtime.op import NetOp


class Doubler(nn.Module):
    """Changes its input in place, as RCAN does."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mul_(2)


def test_a_network_that_writes_into_its_input_cannot_reach_the_callers() -> None:
    pixels = np.full((1, 1, 2, 3), 0.25, np.float32)
    pixels.setflags(write=False)
    assert (TorchOp(Doubler())(pixels) == 0.5).all()
    assert (pixels == 0.25).all()


def test_the_result_is_float32_numpy_without_a_graph() -> None:
    net = nn.Conv2d(3, 3, 1).double()
    result = TorchOp(nn.Sequential(_ToDouble(), net))(np.ones((2, 3, 4, 5), np.float32))
    assert result.dtype == np.float32
    assert result.shape == (2, 3, 4, 5)


class _ToDouble(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.double()


def test_views_of_any_layout_are_taken() -> None:
    pixels = np.random.default_rng(0).random((1, 4, 6, 3), np.float32).transpose(0, 3, 1, 2)
    assert (TorchOp(nn.Identity())(pixels[:, :, ::-1]) == pixels[:, :, ::-1]).all()


def test_threads_are_left_alone() -> None:
    before = torch.get_num_threads()
    TorchOp(nn.Identity())(np.zeros((1, 1, 1, 1), np.float32))
    assert torch.get_num_threads() == before


class Large(nn.Module):
    """Computes with numbers so large that float32 has no digits left for small ones."""

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels + 4096.0) - 4096.0


class Single(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels @ torch.eye(pixels.shape[-1])


def test_what_rounding_does_is_seen_in_float64() -> None:
    pixels = np.random.default_rng(0).random((1, 1, 20, 30), np.float32)
    exact = ExactOp(Large())(pixels)
    assert exact.dtype == np.float64
    assert np.abs(exact - pixels).max() < 1e-12
    # numbers from 4096 to 8192 are 2**-11 apart, so rounding moves them by up to 2**-12
    assert 2**-13 < np.abs(TorchOp(Large())(pixels) - exact).max() <= 2**-12
    with pytest.raises(NetworkError, match="does not run in float64"):
        ExactOp(Single())(pixels)


class Huge(nn.Module):
    """Asks for more memory than addresses can name."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels + torch.empty(1 << 46, dtype=pixels.dtype)[0]


@pytest.mark.parametrize("op", [TorchOp(Huge()), ExactOp(Huge())])
def test_want_of_memory_has_its_own_exception(op: NetOp | ExactOp) -> None:
    with pytest.raises(MemoryError, match="allocate"):
        op(np.ones((1, 1, 2, 2), np.float32))


class Pair(nn.Module):
    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels, pixels[..., 0]


@pytest.mark.parametrize("op", [TorchOp(Pair()), ExactOp(Pair())])
def test_what_is_returned_in_place_of_a_tensor_is_described(op: NetOp | ExactOp) -> None:
    said = r"a tuple of 2: a tensor \(1, 1, 2, 3\), a tensor \(1, 1, 2\); .* one tensor"
    with pytest.raises(NetworkError, match=said):
        op(np.ones((1, 1, 2, 3), np.float32))


def test_many_parts_are_cut_short() -> None:
    class Many(nn.Module):
        def forward(self, pixels: Tensor) -> list[Tensor]:
            return [pixels] * 50

    with pytest.raises(NetworkError, match=r"a list of 50: (a tensor \(1, 1, 1, 1\), ){4}…;"):
        TorchOp(Many())(np.ones((1, 1, 1, 1), np.float32))


def test_a_module_that_can_not_be_copied_is_told() -> None:
    module = nn.Conv2d(1, 1, 1)
    module.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(NetworkError, match=r"can't be copied \(TypeError: .*lock.*; take what"):
        copy_module(module)
    assert copy_module(nn.Identity()) is not None


def test_what_a_module_must_be_to_run() -> None:
    expect_runnable(nn.Conv2d(3, 3, 1))
    with torch.device("meta"), pytest.raises(NetworkError, match="on the device 'meta': weight, b"):
        expect_runnable(nn.Conv2d(3, 3, 1))
    normalised = nn.BatchNorm2d(3)
    normalised.register_buffer("mean", torch.empty(3, device="meta"))
    with pytest.raises(
        NetworkError, match=r"1 of its 6 weights have no values, .*: mean; load the"
    ):
        expect_runnable(normalised)
    with pytest.raises(NetworkError, match=r"forward\(input1, input2\) can't be called with a pic"):
        expect_runnable(nn.Bilinear(3, 3, 1))
