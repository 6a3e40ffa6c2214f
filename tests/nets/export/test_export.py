"""Every exporter at the opsets it reaches, on files that ONNX Runtime then runs."""

import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from exports import export_module
from subpixel.errors import ExportError
from subpixel.graph.metadata import read_spec
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.nets.export.exporters import DEFAULT_OPSET, EXPORTERS, opset_range
from subpixel.nets.torch_op import TorchOp
from subpixel.runtime.session import Session
from subpixel.spec import Exporter, ModelSpec

SPEC = ModelSpec("small", 2, "luma", "luma", "PlainNet")
SHAPES = ((1, 1), (7, 5), (51, 67), (33, 20))


@pytest.fixture
def net() -> PlainNet:
    torch.manual_seed(0)
    return PlainNet(2, channels=4, depth=1).eval()


def assert_runs_as_in_pytorch(net: nn.Module, model: onnx.ModelProto, channels: int = 1) -> None:
    session, random = Session(model.SerializeToString()), np.random.default_rng(0)
    for batch in (1, 3):
        for height, width in SHAPES:
            pixels = random.random((batch, channels, height, width), np.float32)
            expected = TorchOp(net)(pixels)
            np.testing.assert_allclose(session(pixels), expected, rtol=1e-3, atol=1e-5)


def opset_of(model: onnx.ModelProto) -> int:
    (entry,) = model.opset_import
    assert entry.domain == ""
    return entry.version


FAST = [
    *((name, opset) for name in ("trace", "script") for opset in opset_range(name)),
    *(("dynamo", opset) for opset in (15, 18, opset_range("dynamo")[-1])),
]
REST = [(e, opset) for e in EXPORTERS for opset in opset_range(e) if (e, opset) not in FAST]


def runs_at(net: nn.Module, exporter: Exporter, opset: int) -> None:
    exported = export_module(net, SPEC, exporter=exporter, opset=opset)
    assert (exported.attempt.exporter, exported.opset, opset_of(exported.model)) == (
        exporter,
        opset,
        opset,
    )
    onnx.checker.check_model(exported.model, full_check=True)
    assert_runs_as_in_pytorch(net, exported.model)


@pytest.mark.sample(every=11)
@pytest.mark.parametrize(("exporter", "opset"), FAST)
def test_the_opsets_work(net: PlainNet, exporter: Exporter, opset: int) -> None:
    runs_at(net, exporter, opset)


@pytest.mark.slow
@pytest.mark.parametrize(("exporter", "opset"), REST)
def test_the_other_opsets_work(net: PlainNet, exporter: Exporter, opset: int) -> None:
    runs_at(net, exporter, opset)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_file_says_what_it_is(net: PlainNet, exporter: Exporter) -> None:
    exported = export_module(net, SPEC, exporter=exporter)
    assert exported.opset == opset_of(exported.model) == DEFAULT_OPSET
    assert read_spec(exported.model) == exported.spec
    assert exported.spec.halo == 4  # of a 5×5 and two 3×3
    graph = exported.model.graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["input", "output"]
    names = [dim.dim_param for dim in graph.input[0].type.tensor_type.shape.dim]
    assert names == ["batch", "", "height", "width"]
    assert not any(weight.external_data for weight in graph.initializer)
    held = [onnx.numpy_helper.to_array(weight) for weight in graph.initializer]
    for parameter in (p for p in net.parameters() if p.ndim == 4):
        assert any(np.array_equal(parameter.detach().numpy(), weight) for weight in held)


@pytest.mark.slow
def test_the_halo_of_the_reference_network_is_five() -> None:
    spec = ModelSpec("reference", 3, "luma", "luma")
    for exporter, opset in (("dynamo", 18), ("trace", 10)):
        exported = export_module(SuperResolutionNet(3), spec, exporter=exporter, opset=opset)
        assert exported.spec.halo == 5


@pytest.mark.slow
def test_the_choice_of_exporter_is_said(net: PlainNet) -> None:
    assert export_module(net, SPEC).attempt.exporter == "dynamo"
    assert export_module(net, SPEC, opset=10).attempt.exporter == "trace"
    assert export_module(net, SPEC, opset=14).attempt.exporter == "trace"


def test_opset_10_is_as_in_the_reference(net: PlainNet) -> None:
    """PixelShuffle has no operator there yet, and is written out."""
    for exporter in ("trace", "script"):
        model = export_module(net, SPEC, exporter=exporter, opset=10).model
        operators = {node.op_type for node in model.graph.node}
        assert operators >= {"Conv", "Relu", "Reshape", "Transpose"}
        assert "DepthToSpace" not in operators


@pytest.mark.slow
def test_rgb_networks_with_several_channels_to_shuffle() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2)).eval()
    spec = ModelSpec("rgb", 2, "rgb", "rgb")
    for exporter, opset in (("dynamo", 18), ("trace", 10), ("trace", 11), ("script", 23)):
        model = export_module(net, spec, exporter=exporter, opset=opset).model
        assert_runs_as_in_pytorch(net, model, channels=3)


@pytest.mark.parametrize(
    ("exporter", "opset", "message"),
    [
        ("dynamo", 14, r"opset 14 is out of reach of dynamo \(.*\); use trace or script$"),
        ("trace", 24, r"opset 24 is out of reach of trace \(.*trace 7 to 23.*\); use dynamo$"),
        ("script", 6, r"of script \(dynamo 15 to \d+, .*\); ask for one of these$"),
        (None, 6, r"opset 6 is out of reach of every exporter"),
        (None, 99, r"opset 99 is out of reach of every exporter"),
    ],
)
def test_an_opset_out_of_reach(
    net: PlainNet, exporter: Exporter | None, opset: int, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        export_module(net, SPEC, exporter=exporter, opset=opset)


class Averager(nn.Module):
    """Its opset-18 graph can't be brought down to 15: ReduceMean took its axes otherwise there."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels * pixels.mean(1, keepdim=True)


class Stubborn(nn.Module):
    """Turns the picture's height into a number, which the graph then holds."""

    def forward(self, pixels: Tensor) -> Tensor:
        height = int(pixels.shape[2])
        if height != 51:
            raise ValueError(f"a height of {height}\nis not liked")
        return nn.functional.interpolate(pixels, scale_factor=2.0)


def test_a_graph_that_keeps_its_opset_is_refused() -> None:
    with pytest.raises(ExportError, match=r"could not convert this network to opset 15, its"):
        export_module(Averager(), SPEC, exporter="dynamo", opset=15)
    assert export_module(Averager(), SPEC, exporter="trace", opset=15).opset == 15


def test_a_network_that_fixes_its_size_is_refused() -> None:
    with pytest.raises(ExportError, match="the exporter dynamo") as caught:
        export_module(Stubborn(), SPEC, exporter="dynamo")
    assert "\n" not in str(caught.value)


class Unexportable(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return torch.linalg.eigvals(pixels).real


@pytest.mark.slow
@pytest.mark.parametrize(
    ("exporter", "words"), [("dynamo", "linalg_eig"), ("trace", "linalg"), ("script", "linalg")]
)
def test_an_operator_without_onnx_is_named_quietly(
    exporter: Exporter, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match=rf"the exporter {exporter} failed.*{words}") as caught:
        export_module(Unexportable(), SPEC, exporter=exporter)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.sample(every=2)
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_exporters_noise_stays_inside(
    net: PlainNet, exporter: Exporter, capfd: pytest.CaptureFixture[str]
) -> None:
    levels = {name: logging.getLogger(name).level for name in ("torch.onnx", "onnxscript")}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export_module(net, SPEC, exporter=exporter, opset=15)
    assert caught == []
    assert capfd.readouterr() == ("", "")
    assert levels == {name: logging.getLogger(name).level for name in levels}


@pytest.mark.slow
def test_no_path_of_this_machine_gets_into_the_file(net: PlainNet) -> None:
    for exporter in EXPORTERS:
        data = export_module(net, SPEC, exporter=exporter).model.SerializeToString()
        assert b".py" not in data
        assert b"site-packages" not in data


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_the_module_is_left_as_it_was(exporter: Exporter) -> None:
    net = SuperResolutionNet(2).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    random = torch.random.get_rng_state()
    export_module(net, SPEC, exporter=exporter)
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), random)
