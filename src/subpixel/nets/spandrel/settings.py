"""Settings that spandrel can't read from the weights and assumes: ranges and means."""

from typing import Any

import torch
from torch import nn

from subpixel.nets.architectures.architecture import NetworkSetting, expect_choice
from subpixel.nets.architectures.edsr import MEANS
from subpixel.nets.architectures.variants import RANGES
from subpixel.nets.spandrel.module import SpandrelModule


def settings_of(name: str, module: SpandrelModule) -> tuple[NetworkSetting, ...]:
    """The open settings of a network that spandrel built, spandrel's value first.

    These are ``img_range`` of BasicSR's networks, the mean of SPAN, which is not added back, and
    RCAN's range.
    """
    net: Any = module.net
    if name == "RCAN":
        return _of_rcan(net)
    top = getattr(net, "img_range", None)
    if not isinstance(top, float | int) or getattr(net, "no_norm", None) is not None:
        return ()
    usual = f"{top:g}"
    values = (usual, *(value for value in RANGES if value != usual))
    mean = (NetworkSetting("mean", ("div2k", "none"), _set_span_mean),) if name == "SPAN" else ()
    return (NetworkSetting("range", values, _set_spandrel_range), *mean)


def _set_spandrel_range(module: nn.Module, value: str) -> nn.Module:
    net: Any = module.net
    net.img_range = RANGES[expect_choice(value, "range", RANGES)]
    return module


def _set_span_mean(module: nn.Module, value: str) -> nn.Module:
    net: Any = module.net
    net.mean = torch.tensor(MEANS[expect_choice(value, "mean", MEANS)]).reshape(1, 3, 1, 1)
    return module


def _of_rcan(net: Any) -> tuple[NetworkSetting, ...]:  # noqa: ANN401 - RCAN and its settings
    """A stored mean colour reveals the range; spandrel always assumes 255."""
    if not isinstance(net.sub_mean, nn.Conv2d):
        return (NetworkSetting("range", ("1", "255"), _set_rcan_range),)
    assert net.sub_mean.bias is not None
    if float(net.sub_mean.bias.detach().abs().max()) <= 1.0:
        net.rgb_range = 1
    return ()


def _set_rcan_range(module: nn.Module, value: str) -> nn.Module:
    net: Any = module.net
    net.rgb_range = RANGES[expect_choice(value, "range", RANGES)]
    return module
