"""Looking into a network while it runs, and changing what a part of it gives."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.nets.activations import activations, modules_in_order, with_activation
from subpixel.nets.compact import CompactNet
from subpixel.nets.luma import RgbFromLuma
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
def compact() -> TorchOp:
    torch.manual_seed(0)
    return TorchOp(CompactNet(2, channels=4, depth=2).eval())


def test_modules_in_the_order_in_which_they_finish(compact: TorchOp) -> None:
    assert modules_in_order(compact, PICTURE) == ("head", "body.0", "body.1", "tail")


def test_what_has_no_one_result_is_left_out() -> None:
    assert modules_in_order(TorchOp(Twice().eval()), PICTURE) == ("last.0", "last")


def test_a_wrapped_networks_modules_go_by_their_own_names(compact: TorchOp) -> None:
    wrapped = TorchOp(RgbFromLuma(compact.module, 2))
    picture = PICTURE.repeat(3, axis=1)
    assert modules_in_order(wrapped, picture) == modules_in_order(compact, PICTURE)


def test_activations_are_what_the_layers_give(compact: TorchOp) -> None:
    found = activations(compact, PICTURE, ["head"])
    with torch.inference_mode():
        expected = compact.module.get_submodule("head")(torch.from_numpy(PICTURE)).numpy()
    assert list(found) == ["head"]
    np.testing.assert_array_equal(found["head"], expected)


def test_a_modules_own_result_changes_nothing_and_another_does(compact: TorchOp) -> None:
    whole = compact(PICTURE)
    found = activations(compact, PICTURE, ["body.0"])["body.0"]
    np.testing.assert_array_equal(with_activation(compact, PICTURE, "body.0", found), whole)
    assert not np.allclose(with_activation(compact, PICTURE, "body.0", found + 1), whole)
    np.testing.assert_array_equal(compact(PICTURE), whole)  # no hook is left behind
