"""Looking into a network while it runs, and changing what a part of it gives."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.nets.activations import activations, modules_in_order, with_activation
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.layers.luma import RgbFromLuma
from subpixel.nets.torch_op import TorchOp

PICTURE = np.random.default_rng(0).random((1, 1, 6, 5), np.float32)


class Twice(nn.Module):
    """One layer, gone through twice, and a module that gives a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.ReLU()
        self.pair = Pair()
        self.last = nn.Sequential(nn.Conv2d(1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        left, right = self.pair(self.shared(pixels))
        return self.last(self.shared(left - right))


class Pair(nn.Module):
    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels, pixels.flip(-1)


@pytest.fixture
def plain() -> TorchOp:
    torch.manual_seed(0)
    return TorchOp(PlainNet(2, channels=4, depth=2).eval())


def test_modules_in_the_order_in_which_they_finish(plain: TorchOp) -> None:
    assert modules_in_order(plain, PICTURE) == ("first", "middle.0", "middle.1", "last")


def test_what_has_no_one_result_is_left_out() -> None:
    assert modules_in_order(TorchOp(Twice().eval()), PICTURE) == ("last.0", "last")


def test_a_wrapped_networks_modules_go_by_their_own_names(plain: TorchOp) -> None:
    wrapped = TorchOp(RgbFromLuma(plain.module, 2))
    picture = PICTURE.repeat(3, axis=1)
    assert modules_in_order(wrapped, picture) == modules_in_order(plain, PICTURE)


def test_activations_are_what_the_layers_give(plain: TorchOp) -> None:
    found = activations(plain, PICTURE, ["first"])
    with torch.inference_mode():
        expected = plain.module.get_submodule("first")(torch.from_numpy(PICTURE)).numpy()
    assert list(found) == ["first"]
    np.testing.assert_array_equal(found["first"], expected)


def test_a_modules_own_result_changes_nothing_and_another_does(plain: TorchOp) -> None:
    whole = plain(PICTURE)
    found = activations(plain, PICTURE, ["middle.0"])["middle.0"]
    np.testing.assert_array_equal(with_activation(plain, PICTURE, "middle.0", found), whole)
    assert not np.allclose(with_activation(plain, PICTURE, "middle.0", found + 1), whole)
    np.testing.assert_array_equal(plain(PICTURE), whole)  # no hook is left behind
