"""A file is published when everything agrees, and only then."""

import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError, ExportError, NetworkError, SubpixelError, UsageError
from subpixel.graph.metadata import load_model, read_spec
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.export.attempt import Attempt
from subpixel.nets.export.export import ExportResult
from subpixel.publish import release as releasing
from subpixel.publish.release import release
from subpixel.runtime.session import Session
from subpixel.spec import Exporter, Interface, ModelSpec, Precision


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("release") / "small.pth"
    torch.save(PlainNet(2, channels=4, depth=1).state_dict(), file)
    return file


@pytest.mark.slow
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
    assert len(report.parity.results) >= 72
    assert {fact.verdict for fact in report.parity.facts} == {"proven"}
    assert [file.name for file in tmp_path.iterdir()] == ["small.onnx"]

    model = load_model(out)
    onnx.checker.check_model(model, full_check=True)
    assert read_spec(model) == report.spec
    assert (report.spec.channels, report.spec.colour) == (channels, "luma")
    assert (report.spec.precision, report.spec.halo) == (precision, 4)
    assert report.spec.origin.startswith("small.pth (sha256 ")
    assert Session(out).input_shape == ("batch", channels, "height", "width")
    said = [{a.name for a in n.attribute} for n in model.graph.node if n.op_type == "Conv"]
    assert said
    assert all({"kernel_shape", "dilations", "strides"} <= names for names in said)


class Baked(nn.Module):
    """The batch size becomes a number in the file, silently."""

    def forward(self, rgb: Tensor) -> Tensor:
        return nn.functional.interpolate(rgb / int(rgb.shape[0]), scale_factor=2.0)


BAKED = ModelSpec("baked", 2, "rgb", "rgb")


def test_a_file_that_is_right_for_single_pictures_alone_says_so(tmp_path: Path) -> None:
    out = tmp_path / "baked.onnx"
    report = release(Baked(), out, spec=BAKED, exporter="trace", isolated=False)
    assert report
    assert report.spec.fixed_batch == 1
    assert report.parity is not None
    assert {result.case.batch for result in report.parity.results} == {1}
    assert Session(out).input_shape == (1, 3, "height", "width")


class Thirds(nn.Module):
    """A third of the height becomes a number in the file, silently, and so does its half."""

    def forward(self, rgb: Tensor) -> Tensor:
        larger = nn.functional.interpolate(rgb, scale_factor=2.0)
        return larger * (1 + int(rgb.shape[2]) % 7)


@pytest.mark.slow
def test_a_network_that_fits_one_size_alone_says_so(tmp_path: Path) -> None:
    out = tmp_path / "thirds.onnx"
    report = release(Thirds(), out, spec=BAKED, exporter="trace", isolated=False)
    assert report
    assert (report.spec.fixed_size, report.spec.fixed_batch) == ((128, 128), 1)
    assert [tried.reason is None for tried in report.tried] == [*[False] * 7, True]
    assert "cases fail" in str(report.tried[0].reason)
    assert Session(out).input_shape == (1, 3, 128, 128)


class Windows(nn.Module):
    """Means over windows of four, of a picture that it does not pad."""

    def forward(self, rgb: Tensor) -> Tensor:
        batch, planes, height, width = rgb.shape
        cut = rgb.view(batch, planes, height // 4, 4, width // 4, 4)
        mean = cut.mean((3, 5), keepdim=True).expand_as(cut).reshape(rgb.shape)
        return nn.functional.interpolate(mean, scale_factor=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("exporter", ["dynamo", "trace"])
def test_a_network_of_windows_takes_any_size(tmp_path: Path, exporter: Exporter) -> None:
    out = tmp_path / "windows.onnx"
    report = release(Windows(), out, spec=BAKED, exporter=exporter, isolated=False)
    assert report
    assert (report.spec.size_multiple, report.spec.pads) == (4, True)
    assert (report.spec.fixed_size, report.spec.fixed_batch) == (None, None)
    assert report.parity is not None
    assert (1, 1) in {(r.case.height, r.case.width) for r in report.parity.results}
    assert Session(out).input_shape == ("batch", 3, "height", "width")


class Changing(nn.Module):
    """Adds what tracing can't see, the mean that NumPy computes: no file can equal it."""

    def forward(self, rgb: Tensor) -> Tensor:
        mean = float(rgb.detach().numpy().mean())
        return nn.functional.interpolate(rgb + mean, scale_factor=2.0)


def test_an_export_that_is_silently_wrong_is_not_published(tmp_path: Path) -> None:
    out = tmp_path / "changing.onnx"
    report = release(Changing(), out, spec=BAKED, exporter="trace", isolated=False)
    assert not report
    assert report.parity is not None
    assert all(tried.reason for tried in report.tried)
    assert (report.path, report.kept) == (None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_failed_file_is_kept_on_request(tmp_path: Path) -> None:
    out = tmp_path / "changing.onnx"
    for _ in range(2):  # an earlier failure is no reason to fail otherwise
        report = release(
            Changing(), out, spec=BAKED, exporter="trace", keep_failed=True, isolated=False
        )
        assert not report
        assert report.kept == tmp_path / "changing.failed.onnx"
        assert list(tmp_path.iterdir()) == [report.kept]
    assert read_spec(load_model(tmp_path / "changing.failed.onnx")) == report.spec


def test_a_file_that_fails_the_check_is_not_even_compared(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    with torch.no_grad():
        net[0].weight.fill_(torch.nan)
    report = release(net, tmp_path / "nan.onnx", spec=BAKED, exporter="trace", isolated=False)
    assert not report
    assert not report.check
    assert report.parity is None
    assert list(tmp_path.iterdir()) == []


class Unexportable(nn.Module):
    def forward(self, rgb: Tensor) -> Tensor:
        return nn.functional.interpolate(torch.linalg.matrix_exp(rgb), scale_factor=2.0)


@pytest.mark.slow
def test_what_no_exporter_manages_is_told_way_by_way(tmp_path: Path) -> None:
    square = replace(BAKED, square=True)
    with pytest.raises(ExportError, match=r"no exporter manages .*; dynamo from .*; trace from"):
        release(Unexportable(), tmp_path / "none.onnx", spec=square, isolated=False)
    assert list(tmp_path.iterdir()) == []


def test_the_output_must_be_named_onnx(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"small\.png: an ONNX file's name ends in \.onnx"):
        release(checkpoint, tmp_path / "small.png")


@pytest.mark.slow
def test_an_existing_file_is_kept_unless_told_otherwise(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    out.write_bytes(b"precious")
    with pytest.raises(SubpixelError, match=r"small\.onnx exists"):
        release(checkpoint, out, exporter="trace")
    assert out.read_bytes() == b"precious"
    failed = release(Changing(), out, spec=BAKED, exporter="trace", overwrite=True, isolated=False)
    assert not failed
    assert out.read_bytes() == b"precious"
    assert release(checkpoint, out, exporter="trace", overwrite=True)
    assert load_model(out)


def test_nothing_is_written_for_a_bad_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        release(tmp_path / "missing.pth", tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_training_mode_is_left_for_the_export_alone(tmp_path: Path) -> None:
    """Batch normalisation computes something else while training."""
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 12, 1), nn.PixelShuffle(2)).train()
    assert release(net, tmp_path / "net.onnx", spec=BAKED, exporter="trace", isolated=False)
    assert net.training


def test_an_exporter_that_fails_is_not_asked_again_for_other_padding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fail(module: nn.Module, spec: ModelSpec, way: Attempt, opset: int) -> ExportResult:
        asked.append(str(way))
        raise ExportError(f"{type(module).__name__} of {spec.name} at {opset}")

    monkeypatch.setattr(releasing, "export_attempt", fail)
    with pytest.raises(ExportError, match="no exporter manages this network"):
        release(Baked(), tmp_path / "net.onnx", spec=BAKED, exporter="trace", isolated=False)
    assert asked == [
        "trace from 1×51×67",
        "trace from 1×56×72, padded to multiples of 8, batch of 1",
        "trace from 1×80×112, padded to multiples of 16, batch of 1",
        "trace from 1×128×128, batch of 1, for that size alone",
    ]


class Late(nn.Module):
    """Darker from a run on that comes within the first comparison, and no more changed then."""

    runs = 0

    def forward(self, rgb: Tensor) -> Tensor:
        self.runs += 1
        return nn.functional.interpolate(rgb, scale_factor=2.0) * (0.5 if self.runs > 30 else 1)


@pytest.mark.parametrize("after", [30, 3])
def test_a_state_that_changes_between_attempts_is_no_equality(tmp_path: Path, after: int) -> None:
    class Later(Late):
        runs = 30 - after

    for spec in (BAKED, None):
        with pytest.raises(
            NetworkError, match="results for the same picture: they differ by up to"
        ):
            release(Later(), tmp_path / "late.onnx", spec=spec, exporter="trace", isolated=False)
    assert list(tmp_path.iterdir()) == []


class Leaving(nn.Module):
    def forward(self, _: Tensor) -> Tensor:
        sys.exit(0)


def test_a_network_that_ends_the_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"at 49×51: its code asks .* \(SystemExit: 0\)"):
        release(Leaving(), tmp_path / "leaving.onnx", spec=BAKED, isolated=False)
    with pytest.raises(NetworkError, match=r"it fails on a picture of shape .*: SystemExit: 0"):
        release(Leaving(), tmp_path / "leaving.onnx", isolated=False)
