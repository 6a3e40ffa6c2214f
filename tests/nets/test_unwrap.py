"""What training and compilation put around a network is taken off, at any depth."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from subpixel.nets.factory import probe_module
from subpixel.nets.unwrap import unwrap_copy


class Nearest(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            self.inner.weight[:] = torch.eye(3)[..., None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(self.inner(x), scale_factor=2.0)


def compiled(net: nn.Module) -> nn.Module:
    module = torch.compile(net, backend="eager")
    assert isinstance(module, nn.Module)
    return module


AROUND: dict[str, Callable[[nn.Module], nn.Module]] = {
    "compile": compiled,
    "DataParallel": nn.DataParallel,
    "AveragedModel": AveragedModel,
    "all of them": lambda net: nn.DataParallel(AveragedModel(compiled(net))),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_the_network_inside_comes_out(around: Callable[[nn.Module], nn.Module]) -> None:
    net = Nearest()
    wrapped = around(net)
    found = unwrap_copy(wrapped)
    assert type(found) is Nearest
    assert found is not net
    assert {key: value.tolist() for key, value in found.state_dict().items()} == {
        key: value.tolist() for key, value in net.state_dict().items()
    }


def test_parts_too_and_the_callers_module_stays() -> None:
    net = Nearest()
    net.inner = nn.DataParallel(compiled(net.inner))  # type: ignore[assignment]
    found = unwrap_copy(net)
    assert type(found.inner) is nn.Conv2d
    assert type(net.inner) is nn.DataParallel


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_it_is_probed_as_itself(around: Callable[[nn.Module], nn.Module]) -> None:
    spec = probe_module(around(Nearest()), "here:net").spec
    assert (spec.architecture, spec.scale, spec.colour) == ("Nearest", 2, "rgb")
