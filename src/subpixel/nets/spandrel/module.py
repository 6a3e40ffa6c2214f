"""spandrel's networks as plain modules that can be copied and pickled."""

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
"""Bytes that building a network may allocate besides its weights: masks and precomputed tables."""


def import_spandrel(name: str) -> ModuleType:
    """The module ``name`` of spandrel or spandrel_extra_arches.

    Also works where torchvision, on which they depend, was built for another PyTorch.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they use what PyTorch has deprecated
        ensure_torchvision()
        return importlib.import_module(name)


def plain_call(net: nn.Module, pictures: Tensor) -> Tensor:
    """Run a network whose input and output are pictures in 0 … 1."""
    result: Tensor = net(pictures)
    return result


@contextmanager
def building(weights: Weights) -> Iterator[None]:
    """The context in which a network for ``weights`` is built, with random numbers that are
    overwritten later.

    Its code may allocate at most a few times the size of the weights, PyTorch's random state is
    restored, and warnings are suppressed.
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

    The network only, without padding or clipping. The input is not modified, though some networks
    (RCAN) modify theirs in place. Pickled with cloudpickle whatever the pickler, as ``call`` may be
    a nested function; unpickling imports spandrel.
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
