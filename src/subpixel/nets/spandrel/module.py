"""spandrel's networks as plain modules that can be copied, and handed to another process."""

import copy
import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import cloudpickle
import torch
from torch import Tensor, nn

from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.nets.spandrel.allocation import AllocationLimit
from subpixel.nets.spandrel.torchvision_schemas import ensure_torchvision

Call = Callable[[nn.Module, Tensor], Tensor]
"""Runs a network on pictures ``(N, C, H, W)`` in 0 … 1."""

SPARE = 1 << 30
"""Bytes that building a network may take beyond its weights: masks and tables it works out."""


def import_spandrel(name: str) -> ModuleType:
    """The module ``name`` of spandrel or spandrel_extra_arches.

    Also where torchvision, which they need, was built for another PyTorch.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch calls deprecated is theirs to change
        ensure_torchvision()
        return importlib.import_module(name)


def plain_call(net: nn.Module, pictures: Tensor) -> Tensor:
    """Run a network that takes and gives pictures in 0 … 1 by itself."""
    result: Tensor = net(pictures)
    return result


@contextmanager
def building(weights: Weights) -> Iterator[None]:
    """While a network for ``weights`` is built from random numbers that are soon overwritten.

    Its code may allocate no more than a few times what the weights hold, PyTorch's random
    numbers stay as they were, and its warnings, which are others' business, are not shown.
    """
    size = sum(weight.numel() * weight.element_size() for weight in weights.values())
    with (
        torch.random.fork_rng(devices=[]),
        AllocationLimit(8 * size + SPARE),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


class SpandrelModule(nn.Module):
    """``(N, C, H, W)`` → ``(N, C, H * scale, W * scale)``, as spandrel runs ``net``: by ``call``.

    Only the network itself: nothing is padded and nothing clipped. The input is left untouched,
    though some networks (RCAN) change theirs in place. Pickled with cloudpickle whatever the
    pickler, as ``call`` may be a function inside a function; reading it back imports spandrel.
    """

    def __init__(self, net: nn.Module, call: Call) -> None:
        super().__init__()
        self.net = net
        self.call = call

    def forward(self, pictures: Tensor) -> Tensor:
        return self.call(self.net, pictures.clone())

    def __deepcopy__(self, memo: dict[int, Any]) -> "SpandrelModule":
        return SpandrelModule(copy.deepcopy(self.net, memo), self.call).train(self.training)

    def __reduce__(self) -> tuple[Callable[..., nn.Module], tuple[bytes, bool]]:
        return _rebuild, (cloudpickle.dumps((self.net, self.call)), self.training)


def _rebuild(pickled: bytes, training: bool) -> nn.Module:
    import_spandrel("spandrel")
    return SpandrelModule(*cloudpickle.loads(pickled)).train(training)
