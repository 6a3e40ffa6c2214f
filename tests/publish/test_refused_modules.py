"""Modules that can't be exported are refused before any way of exporting is tried."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import subpixel
from subpixel.errors import NetworkError
from subpixel.publish import release as releasing
from subpixel.spec import ModelSpec

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
