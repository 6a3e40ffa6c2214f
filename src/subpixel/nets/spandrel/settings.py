"""What spandrel can't read from the weights and takes as usual: ranges and means."""

from typing import Any

import torch
from torch import nn

from subpixel.nets.architectures.architecture import NetworkSetting, expect_choice
from subpixel.nets.architectures.edsr import MEANS
from subpixel.nets.architectures.variants import RANGES
from subpixel.nets.spandrel.module import SpandrelModule


def settings_of(name: str, module: SpandrelModule) -> tuple[NetworkSetting, ...]:
    """What is open about a network that spandrel built, each at spandrel's value first.

    ``img_range`` of the networks that came out of BasicSR, the mean of SPAN, which is not added
    back, and RCAN's range.
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
    """Where the mean colour is stored it tells the range; spandrel takes 255 whatever it says."""
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
