"""A file against its checkpoint, or against another file; strangers and broken ones among them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from exports import export_module
from subpixel.errors import CheckpointError, NetworkError, UsageError
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.factory import probe_module
from subpixel.parity.compare import Tolerance
from subpixel.parity.verify import verify
from subpixel.spec import ModelSpec

LUMA = ModelSpec("small", 2, "luma", "luma", "PlainNet")
RGB = ModelSpec("small", 2, "rgb", "rgb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``small.pth``, and its faithful exports ``luma.onnx``, ``rgb.onnx`` and ``half.onnx``."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    net = PlainNet(2, channels=4, depth=1).eval()
    torch.save(net.state_dict(), folder / "small.pth")
    exported = export_module(net, LUMA, exporter="trace")
    wrapped = rgb_from_luma(exported.model, 2)
    onnx.save(exported.model, folder / "luma.onnx")
    onnx.save(with_spec(wrapped, ModelSpec("small", 2, "luma", "rgb", halo=4)), folder / "rgb.onnx")
    half = ModelSpec("small", 2, "luma", "luma", halo=4, precision="fp16")
    onnx.save(with_spec(to_fp16(exported.model), half), folder / "half.onnx")
    return folder


@pytest.mark.sample(every=7)
@pytest.mark.parametrize(
    ("candidate", "reference"),
    [
        ("luma.onnx", "small.pth"),
        ("rgb.onnx", "small.pth"),
        ("half.onnx", "small.pth"),
        ("rgb.onnx", "luma.onnx"),
        ("luma.onnx", "rgb.onnx"),
    ],
)
def test_faithful_files_pass(folder: Path, candidate: str, reference: str) -> None:
    report = verify(folder / candidate, folder / reference, threads=1)
    assert report, report.worst
    assert len(report.results) >= 72
    assert not report.left_out
    assert {fact.verdict for fact in report.facts} == {"proven"}, report.facts
    assert report.provider == "CPUExecutionProvider"
    assert report.candidate == f"{candidate} (ONNX Runtime)"
    assert report.reference.startswith(reference)
    assert (report.tolerance.min_psnr == 50.0) == (candidate == "half.onnx")
    channels = 3 if "rgb.onnx" in (candidate, reference) else 1
    assert {result.shape and result.shape[1] for result in report.results} == {channels}


@pytest.mark.slow
def test_a_tolerance_can_be_given(folder: Path) -> None:
    report = verify(folder / "half.onnx", folder / "small.pth", tolerance=Tolerance(1e-7, 0.0))
    assert not report
    assert report.tolerance == Tolerance(1e-7, 0.0)


Breaking = Callable[[onnx.ModelProto], None]


def changed_weight(model: onnx.ModelProto) -> None:
    """The last layer's largest weight by one per cent."""
    tensor = next(t for t in model.graph.initializer if list(t.dims) == [4, 4, 3, 3])
    weights = numpy_helper.to_array(tensor).copy()
    weights.flat[np.abs(weights).argmax()] *= 1.01
    tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))


def nan_weight(model: onnx.ModelProto) -> None:
    tensor = next(t for t in model.graph.initializer if len(t.dims) == 4)
    weights = numpy_helper.to_array(tensor).copy()
    weights.flat[0] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))


@pytest.mark.slow
@pytest.mark.parametrize("breaking", [changed_weight, nan_weight])
def test_broken_weights_fail(folder: Path, tmp_path: Path, breaking: Breaking) -> None:
    model = onnx.load(folder / "luma.onnx")
    breaking(model)
    onnx.save(model, tmp_path / "broken.onnx")
    assert not verify(tmp_path / "broken.onnx", folder / "small.pth")


@pytest.mark.slow
def test_a_network_of_another_scale_fails(folder: Path, tmp_path: Path) -> None:
    torch.save(PlainNet(3, channels=4, depth=1).state_dict(), tmp_path / "x3.pth")
    report = verify(folder / "luma.onnx", tmp_path / "x3.pth")
    assert len(report.failures) == len(report.results)
    assert "where the reference gives" in str(report.worst.reason)


@pytest.mark.slow
def test_sub_pixels_in_the_wrong_order_fail(tmp_path: Path) -> None:
    """With several channels, DCR and CRD are different pictures (onnxscript#2891)."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2)).eval()
    model = export_module(net, RGB, exporter="trace").model
    onnx.save(model, tmp_path / "right.onnx")
    (shuffle,) = (node for node in model.graph.node if node.op_type == "DepthToSpace")
    (mode,) = (attribute for attribute in shuffle.attribute if attribute.name == "mode")
    assert mode.s == b"CRD"
    mode.s = b"DCR"
    onnx.save(model, tmp_path / "wrong.onnx")
    assert verify(tmp_path / "right.onnx", tmp_path / "right.onnx")
    assert not verify(tmp_path / "wrong.onnx", tmp_path / "right.onnx")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are using the legacy TorchScript:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning")
def test_the_references_own_file_is_taken_as_it_is(shared_data: Path, tmp_path: Path) -> None:
    """Exported word for word as in the tutorial: opset 10, 224×224, only the batch is free."""
    weights = shared_data / "seed" / "superres_epoch100-44c6958e.pth"
    torch.onnx.export(
        load_checkpoint(weights).module,
        (torch.randn(1, 1, 224, 224),),
        tmp_path / "super_resolution.onnx",
        export_params=True,
        opset_version=10,
        do_constant_folding=True,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}},
        dynamo=False,
    )
    report = verify(tmp_path / "super_resolution.onnx", weights)
    assert report, report.worst
    assert {(r.case.height, r.case.width) for r in report.results} == {(224, 224)}
    assert {1, 3} <= {r.case.batch for r in report.results}
    assert {fact.verdict for fact in report.facts} >= {"proven", "not proven"}


def test_files_that_are_no_networks(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "text.pth").write_text("not a network")
    with pytest.raises(NetworkError):
        verify(tmp_path / "text.onnx", folder / "small.pth")
    with pytest.raises(CheckpointError):
        verify(folder / "luma.onnx", tmp_path / "text.pth")
    with pytest.raises(NetworkError, match="No such file"):
        verify(tmp_path / "missing.onnx", folder / "small.pth")


@pytest.mark.slow
def test_the_tolerance_is_that_of_the_graph(folder: Path, tmp_path: Path) -> None:
    """A file of fp32 whose facts claim fp16, a thousandth off, is wrong; one of fp16 is right."""
    model = onnx.load(folder / "luma.onnx")
    bias = next(t for t in model.graph.initializer if len(t.dims) == 1)
    moved = numpy_helper.to_array(bias) + np.float32(1e-3)
    bias.CopyFrom(numpy_helper.from_array(moved, bias.name))
    claim = ModelSpec("small", 2, "luma", "luma", halo=4, precision="fp16")
    onnx.save(with_spec(model, claim), tmp_path / "claims.onnx")
    assert not verify(tmp_path / "claims.onnx", folder / "small.pth", threads=1)
    honest = with_spec(onnx.load(folder / "half.onnx"), ModelSpec("s", 2, "luma", "luma", halo=4))
    onnx.save(honest, tmp_path / "honest.onnx")
    assert verify(tmp_path / "honest.onnx", folder / "small.pth", threads=1)


class Late(nn.Module):
    """Nothing like the file at first, and as the file from a run on that comes before the cases."""

    runs = 0

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        result: torch.Tensor = self.net(pixels)
        return result if self.runs > 20 else result * 0.5


def test_a_reference_that_changes_is_refused(folder: Path) -> None:
    late = probe_module(Late(load_checkpoint(folder / "small.pth").module), "late")
    with pytest.raises(NetworkError, match="between an early run and a later one, by dropout"):
        verify(folder / "luma.onnx", late, threads=1)


def test_a_module_is_a_reference(folder: Path) -> None:
    assert verify(folder / "luma.onnx", load_checkpoint(folder / "small.pth").module, threads=1)


def test_arguments_that_are_no_files(folder: Path) -> None:
    module = load_checkpoint(folder / "small.pth").module
    with pytest.raises(UsageError, match="the file is of PlainNet; give the name of an ONNX file"):
        verify(module, folder / "luma.onnx")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the reference is of NoneType; give a PyTorch module"):
        verify(folder / "luma.onnx", None)  # type: ignore[arg-type]
