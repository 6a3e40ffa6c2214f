"""Modules that can't be exported are refused before any way of exporting is tried."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import subpixel
from subpixel.errors import NetworkError, SpecError, UsageError
from subpixel.nets.layers.luma import RgbFromLuma
from subpixel.nets.torch_op import TorchOp
from subpixel.network.probe import expect_colours
from subpixel.publish import release as releasing
from subpixel.spec import Colour, ModelSpec

SPEC = ModelSpec("mine", 2, "rgb", "rgb")


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))


class Around(nn.Module):
    """A network and what is done with its result."""

    def __init__(self, change: Callable[[Tensor], object] = lambda result: result) -> None:
        super().__init__()
        self.net, self.change = net(), change

    def forward(self, rgb: Tensor) -> object:
        return self.change(self.net(rgb))


class TwoInputs(Around):
    def forward(self, rgb: Tensor, sigma: Tensor) -> object:  # type: ignore[override]
        return super().forward(rgb + sigma)


class Connection:
    """Can be copied, and not sent."""

    def __deepcopy__(self, memo: object) -> "Connection":
        return self

    def __reduce__(self) -> str:
        raise TypeError("a connection stays here")


def empty() -> nn.Module:
    with torch.device("meta"):
        return net()


def connected() -> nn.Module:
    module = Around()
    module.connection = Connection()  # type: ignore[assignment]
    return module


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(net())  # type: ignore[no-any-return]


def quantised() -> nn.Module:
    """As torch.ao.quantization.convert leaves it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it is deprecated
        layer = torch.ao.nn.quantized.Conv2d(3, 12, 3, padding=1)
    ends = torch.ao.nn.quantized.Quantize(0.01, 0, torch.quint8), torch.ao.nn.quantized.DeQuantize()
    return nn.Sequential(ends[0], layer, ends[1], nn.PixelShuffle(2))


def traced() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.trace(net(), torch.rand(1, 3, 8, 8))  # type: ignore[no-any-return, no-untyped-call]


REFUSED: list[tuple[Callable[[], nn.Module], str]] = [
    (empty, "2 of its 2 weights have no values, on the device 'meta': 0.weight, 0.bias; load"),
    (lambda: Around(lambda y: (y, y)), r"returns a tuple of 2: a tensor \(1, 3, 98, 102\), a ten"),
    (lambda: Around(lambda y: {"y": y}), r"returns a dict of 1: 'y': a tensor \(1, 3, 98, 102\)"),
    (TwoInputs, r"forward\(rgb, sigma\) can't be called with a picture alone"),
    (lambda: Around(lambda y: y + 0.1 * torch.randn_like(y)), "other results for the same pict"),
    (lambda: Around(lambda y: nn.functional.dropout(y, 0.3)), "other results for the same pict"),
    (connected, r"can't be sent to another process \(TypeError: a connection stays here\)"),
    (scripted, "is TorchScript, which can't be exported; take the torch.nn.Module that it was m"),
    (traced, "is TorchScript, which can't be exported; take the torch.nn.Module that it was m"),
    (quantised, r"quantised already \(0 is a Quantize of PyTorch's\), .* export the float module"),
    (lambda: nn.Sequential(nn.Identity(), scripted()), "contains TorchScript, at 1, which can't"),
]


@pytest.mark.parametrize("spec", [SPEC, None], ids=["described", "bare"])
@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_no_exporter_can_mend(
    make: Callable[[], nn.Module],
    message: str,
    spec: ModelSpec | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(releasing, "export_apart", None)  # no attempt is made
    module = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NetworkError, match=message) as caught:
            subpixel.export(module, tmp_path / "net.onnx", spec=spec)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "fp64"}, "precision is 'fp64'; it is one of fp32, fp16; others are made"),
        ({"precision": "int8"}, "precision is 'int8'; it is one of fp32, fp16; others are made"),
        ({"exporter": "foo"}, "exporter is 'foo'; it is one of dynamo, trace, script; None takes"),
        ({"interface": "luma"}, "interface is 'luma'; it is one of rgb, native"),
        ({"network": None}, r"is of NoneType; give a PyTorch module \(torch.nn.Module\) or the na"),
        ({"network": net}, "is of function; give a PyTorch module"),
        ({"network": net().state_dict()}, "is a dictionary; give .*; load a dictionary of weights"),
    ],
)
def test_arguments_that_are_not_allowed(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        subpixel.export(**{"network": net(), "out": tmp_path / "net.onnx", **arguments})


@pytest.mark.parametrize(
    ("colour", "interface", "message"),
    [
        ("luma", "rgb", "colour 'luma' and interface 'rgb', but it takes three channels and proc"),
        ("rgb", "luma", "colour 'rgb' and interface 'luma', but one channel has no colours; say"),
    ],
)
def test_facts_that_the_module_contradicts(
    colour: Colour, interface: Colour, message: str, tmp_path: Path
) -> None:
    channels = 1 if interface == "luma" else 3
    layer = nn.Conv2d(channels, 4 * channels, 3, padding=1)
    spec = ModelSpec("mine", 2, colour, interface)
    with pytest.raises(SpecError, match=message):
        subpixel.export(nn.Sequential(layer, nn.PixelShuffle(2)), tmp_path / "net.onnx", spec=spec)


def test_a_network_for_rgb_may_process_luma_alone() -> None:
    luma = RgbFromLuma(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2)), 2)
    expect_colours(TorchOp(luma.eval()), ModelSpec("mine", 2, "luma", "rgb"))
