"""Networks whose own code decides by sizes or values: published right, or not as what they aren't.

Each was once published as equal to PyTorch. The reference is always the network itself, untouched.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import ExportError
from subpixel.nets.torch_op import TorchOp
from subpixel.parity.cases import Case, pixels
from subpixel.publish.release import ReleaseReport, release
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec

SPEC = ModelSpec("decides", 1, "rgb", "rgb")


class Decides(nn.Module):
    """A convolution, and ``function`` of its result and the picture."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.function = function

    def forward(self, picture: Tensor) -> Tensor:
        return self.function(picture + 0.1 * self.conv(picture), picture)


def published(module: nn.Module, folder: Path) -> ReleaseReport:
    return release(
        module.eval(), folder / "file.onnx", spec=SPEC, exporter="trace", isolated=False, seed=1
    )


def agrees(module: nn.Module, file: Path, height: int, width: int) -> bool:
    picture = pixels(Case(1, height, width, "photo"), 3)
    return bool(np.abs(TorchOp(module)(picture) - Session(file)(picture)).max() < 1e-4)


class PadsIfNeeded(nn.Module):
    """``if h % 8: pad with zeros``, and layers that see what was padded."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down, self.up = nn.Conv2d(3, 8, 8, 8), nn.ConvTranspose2d(8, 3, 8, 8)
        self.last = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        padded = picture
        if height % 8:
            padded = nn.functional.pad(padded, (0, 0, 0, 8 - height % 8))
        if width % 8:
            padded = nn.functional.pad(padded, (0, 8 - width % 8, 0, 0))
        result = padded + 0.3 * self.last(self.up(self.down(padded).relu()))
        return result[..., :height, :width]


@pytest.mark.slow
def test_a_network_that_pads_with_zeros_is_not_padded_otherwise(tmp_path: Path) -> None:
    """Mirrored, the padding changed pictures by 29 code values."""
    module = PadsIfNeeded().eval()
    report = published(module, tmp_path)
    assert report
    assert (report.spec.fixed_size, report.spec.padding) == (None, "zeros")
    assert all(agrees(module, tmp_path / "file.onnx", h, w) for h, w in [(51, 67), (9, 200)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decides", "bound"),
    [
        (lambda y, x: y * 0.8 if max(x.shape[-2:]) > 300 else y, 300),
        (lambda y, x: y * 0.8 if x.shape[-1] > 256 else y, 256),
        (lambda y, x: y * 0.8 if x.shape[-1] * x.shape[-2] > 300**2 else y, 300),
    ],
    ids=["longest side", "width", "area"],
)
def test_a_branch_at_large_sizes_bounds_the_file(
    decides: Callable[[Tensor, Tensor], Tensor], bound: int, tmp_path: Path
) -> None:
    module = Decides(decides).eval()
    report = published(module, tmp_path)
    assert report
    assert (report.spec.fixed_size, report.spec.size_maximum) == (None, bound)
    assert agrees(module, tmp_path / "file.onnx", bound, bound)
    assert not agrees(module, tmp_path / "file.onnx", bound + 1, bound + 1)


@pytest.mark.slow
def test_padding_beyond_a_declared_size_lowers_the_bound(tmp_path: Path) -> None:
    """Declared for multiples of 16 up to 303: from 289 on it is padded to 304, and decides so."""
    module = Decides(lambda y, x: y * 0.8 if x.shape[-1] >= 300 else y).eval()
    spec = ModelSpec("declares", 1, "rgb", "rgb", size_multiple=16, size_maximum=303)
    report = release(module, tmp_path / "file.onnx", spec=spec, isolated=False)
    assert report, report.parity and report.parity.summary()
    assert (report.spec.fixed_size, report.spec.size_maximum) == (None, 288)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.4, 0.7])
def test_sizes_in_floating_point_are_not_any_sizes(factor: float, tmp_path: Path) -> None:
    def resized(y: Tensor, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        size = max(1, int(height * factor)), max(1, int(width * factor))
        other = nn.functional.interpolate(y, size=size, mode="bilinear")
        return nn.functional.interpolate(other, size=(height, width), mode="bilinear")

    module = Decides(resized).eval()
    report = published(module, tmp_path)
    assert report
    if report.spec.fixed_size is None:
        sizes = [(45, 85), (90, 170), (45, 45), (10, 90)]
        assert all(agrees(module, tmp_path / "file.onnx", *size) for size in sizes)


DECISIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "grey": lambda y, x: y * 0.8 if torch.equal(x[:, 0], x[:, 1]) else y,
    "dark": lambda y, x: y * 2 if x.mean() < 0.1 else y,
    "flat": lambda y, x: y if x.std() < 0.01 else y * 0.9,
}


@pytest.mark.parametrize("decides", DECISIONS.values(), ids=list(DECISIONS))
def test_a_trace_of_code_that_looks_at_values_is_refused(
    decides: Callable[[Tensor, Tensor], Tensor], tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"reads the picture's values \(test_untouched"):
        published(Decides(decides), tmp_path)
    assert list(tmp_path.iterdir()) == []


class Coarse(nn.Module):
    """At odd sizes it resizes by other ratios than two, so that no halo holds."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down = nn.Conv2d(3, 3, 3, 2, 1)

    def forward(self, picture: Tensor) -> Tensor:
        size = picture.shape[-2:]
        coarse = nn.functional.interpolate(self.down(picture), size=size, mode="bilinear")
        return picture + 0.2 * coarse


@pytest.mark.slow
def test_a_network_with_a_coarser_grid_claims_no_halo(tmp_path: Path) -> None:
    report = published(Coarse(), tmp_path)
    assert report
    assert (report.spec.size_multiple, report.spec.halo) == (1, None)
