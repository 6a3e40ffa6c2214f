"""A file is published when everything agrees, and only then."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError, SubpixelError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.nets.compact import CompactNet
from subpixel.parity.release import Interface, release, release_module
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec, Precision


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("release") / "small.pth"
    torch.save(CompactNet(2, channels=4, depth=1).state_dict(), file)
    return file


@pytest.mark.parametrize(
    ("interface", "channels", "precision"), [("rgb", 3, "fp32"), ("native", 1, "fp16")]
)
def test_what_is_published(
    checkpoint: Path, tmp_path: Path, interface: Interface, channels: int, precision: Precision
) -> None:
    out = tmp_path / "small.onnx"
    report = release(checkpoint, out, interface=interface, precision=precision, opset=13)
    assert report
    assert (report.path, report.kept, report.exporter, report.opset) == (out, None, "trace", 13)
    assert report.parity is not None
    assert len(report.parity.results) == 72
    assert [file.name for file in tmp_path.iterdir()] == ["small.onnx"]

    model = load_model(out)
    onnx.checker.check_model(model, full_check=True)
    assert read_spec(model) == report.spec
    assert (report.spec.channels, report.spec.colour) == (channels, "luma")
    assert (report.spec.precision, report.spec.halo) == (precision, 3)
    assert report.spec.origin.startswith("small.pth (sha256 ")
    assert Session(out).input_shape == ("batch", channels, "height", "width")


class Baked(nn.Module):
    """Tracing turns the batch size of the example into a number, silently."""

    def forward(self, rgb: Tensor) -> Tensor:
        return nn.functional.interpolate(rgb / int(rgb.shape[0]), scale_factor=2.0)


BAKED = ModelSpec("baked", 2, "rgb", "rgb")


def test_an_export_that_is_silently_wrong_is_not_published(tmp_path: Path) -> None:
    report = release_module(Baked(), BAKED, tmp_path / "baked.onnx", exporter="trace")
    assert not report
    assert report.check
    assert report.parity is not None
    assert {result.case.batch for result in report.parity.failures} == {3}
    assert (report.path, report.kept) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_file_is_kept_on_request(tmp_path: Path) -> None:
    out = tmp_path / "baked.onnx"
    for _ in range(2):  # an earlier failure is no reason to fail otherwise
        report = release_module(Baked(), BAKED, out, exporter="trace", keep_failed=True)
        assert not report
        assert report.kept == tmp_path / "baked.failed.onnx"
        assert list(tmp_path.iterdir()) == [report.kept]
    assert read_spec(load_model(tmp_path / "baked.failed.onnx")) == report.spec


def test_a_file_that_fails_the_check_is_not_even_compared(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    with torch.no_grad():
        net[0].weight.fill_(torch.nan)
    report = release_module(net, BAKED, tmp_path / "nan.onnx", exporter="trace")
    assert not report
    assert not report.check
    assert report.parity is None
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_unless_told_otherwise(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    out.write_bytes(b"precious")
    with pytest.raises(SubpixelError, match=r"small\.onnx exists"):
        release(checkpoint, out, exporter="trace")
    assert out.read_bytes() == b"precious"
    assert not release_module(Baked(), BAKED, out, exporter="trace", overwrite=True)
    assert out.read_bytes() == b"precious"
    assert release(checkpoint, out, exporter="trace", overwrite=True)
    assert load_model(out)


def test_nothing_is_written_for_a_bad_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        release(tmp_path / "missing.pth", tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_training_mode_is_left_for_the_export_alone(tmp_path: Path) -> None:
    """Batch normalisation computes something else while training."""
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 12, 1), nn.PixelShuffle(2)).train()
    assert release_module(net, BAKED, tmp_path / "net.onnx", exporter="trace")
    assert net.training
