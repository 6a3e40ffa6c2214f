"""Faults of every stage, each in a file of its own, and what is said of them."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from exports import export_module
from subpixel.errors import NetworkError, SubpixelError
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.parity.bisect.bisect import bisect
from subpixel.parity.bisect.blame import Blame
from subpixel.parity.bisect.origin import ONLY_HERE
from subpixel.parity.compare import Tolerance
from subpixel.spec import ModelSpec

LUMA = ModelSpec("small", 2, "luma", "luma", "PlainNet")
RGB = ModelSpec("colour", 2, "rgb", "rgb")


class Colour(nn.Module):
    """What the plain network lacks: three channels, a clip, a join, an enlargement."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 6, 3, padding=1)
        self.side = nn.Conv2d(3, 6, 1)
        self.norm = nn.InstanceNorm2d(12, affine=True)
        self.tail = nn.Conv2d(12, 12, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        joined = torch.cat([self.head(pixels).relu(), self.side(pixels)], 1)
        base = nn.functional.interpolate(pixels, scale_factor=2.0, mode="bilinear")
        detail = nn.functional.pixel_shuffle(self.tail(self.norm(joined)), 2)
        return (base + 0.2 * detail).clamp(0.1, 0.9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, its exports by both exporters, as RGB and in float16; a network in colour."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    net = PlainNet(2, channels=6, depth=3).eval().requires_grad_(False)
    net.last.weight *= 10  # as if trained: the layers matter
    torch.save(net.state_dict(), folder / "small.pth")
    traced = export_module(net, LUMA, exporter="trace").model
    onnx.save(traced, folder / "traced.onnx")
    onnx.save(export_module(net, LUMA, exporter="dynamo").model, folder / "dynamo.onnx")
    wrapped = with_spec(rgb_from_luma(traced, 2), replace(LUMA, interface="rgb"))
    onnx.save(wrapped, folder / "wrapped.onnx")
    onnx.save(to_fp16(traced), folder / "half.onnx")
    onnx.save(export_module(Colour().eval(), RGB, exporter="trace").model, folder / "colour.onnx")
    return folder


def only(model: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == operator)


def weight(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name.endswith(name))


def scaled(name: str, factor: float) -> Callable[[onnx.ModelProto], str]:
    """The largest weight of a parameter times ``factor``."""

    def change(model: onnx.ModelProto) -> str:
        tensor = weight(model, name)
        values = numpy_helper.to_array(tensor).copy()
        values.flat[np.abs(values).argmax()] *= factor
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return next(node.name for node in model.graph.node if tensor.name in node.input)

    return change


def order(model: onnx.ModelProto) -> str:
    node = only(model, "DepthToSpace")
    next(a for a in node.attribute if a.name == "mode").s = b"DCR"
    return node.name


def leaky(model: onnx.ModelProto) -> str:
    node = only(model, "Relu")
    node.op_type = "LeakyRelu"
    return node.name


def join(model: onnx.ModelProto) -> str:
    node = only(model, "Concat")
    node.input[:] = list(node.input)[::-1]
    return node.name


def places(model: onnx.ModelProto) -> str:
    node = only(model, "Resize")
    mode = next(a for a in node.attribute if a.name == "coordinate_transformation_mode")
    mode.s = b"asymmetric"
    return node.name


def bias(model: onnx.ModelProto) -> str:
    node = next(n for n in model.graph.node if n.name == "/tail/Conv")
    del node.input[2]
    return node.name


def epsilon(model: onnx.ModelProto) -> str:
    node = only(model, "InstanceNormalization")
    next(a for a in node.attribute if a.name == "epsilon").f = 0.1
    return node.name


def unclipped(model: onnx.ModelProto) -> str:
    """The last node: who comes before is where the graphs part."""
    clip = only(model, "Clip")
    before = next(n for n in model.graph.node if clip.input[0] in n.output)
    before.output[:] = clip.output
    model.graph.node.remove(clip)
    return before.name


def inserted(model: onnx.ModelProto) -> str:
    node = only(model, "Concat")
    at = list(model.graph.node).index(node)
    model.graph.node.insert(at, helper.make_node("Sigmoid", [node.input[0]], ["x"], "extra"))
    node.input[0] = "x"
    return "extra"


FAULTS = (order, leaky, join, places, bias, epsilon, unclipped, inserted)
WEIGHTS = (scaled("head.weight", 1.001), scaled("tail.weight", 1.5), scaled("side.weight", 0.0))


def broken(
    folder: Path, tmp_path: Path, name: str, change: Callable[[onnx.ModelProto], str]
) -> tuple[Path, str]:
    """The file with a fault, and the node that has it."""
    model = onnx.load(folder / name)
    node = change(model)
    onnx.save(model, tmp_path / "bad.onnx")
    return tmp_path / "bad.onnx", node


@pytest.mark.slow
@pytest.mark.parametrize("change", [*FAULTS, *WEIGHTS])
def test_a_fault_in_the_graph(
    folder: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], str]
) -> None:
    bad, node = broken(folder, tmp_path, "colour.onnx", change)
    blame = bisect(bad, folder / "colour.onnx")
    assert (blame.stage, blame.node) == ("graph", node), blame
    assert blame.evidence
    assert ONLY_HERE in blame.evidence
    assert blame.mended
    assert not blame.accumulated


@pytest.mark.slow
@pytest.mark.parametrize(("bad", "against"), [("traced", "dynamo"), ("half", "wrapped")])
def test_equal_files(folder: Path, bad: str, against: str) -> None:
    blame = bisect(folder / f"{bad}.onnx", folder / f"{against}.onnx")
    assert blame
    assert blame.equal
    assert blame.node is None
    assert blame.folder is None


@pytest.mark.slow
@pytest.mark.parametrize("change", [scaled("middle.1.weight", 1.05), leaky])
def test_a_fault_in_one_exporters_graph_against_the_others(
    folder: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], str]
) -> None:
    bad, node = broken(folder, tmp_path, "traced.onnx", change)
    blame = bisect(bad, folder / "dynamo.onnx")
    assert (blame.stage, blame.node) == ("graph", node), blame
    assert ONLY_HERE not in blame.evidence


@pytest.mark.slow
def test_a_fault_against_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    """In the luma network inside a wrapped one; the module is told by its own name. A new export
    is right: the exporter is not to blame."""
    bad, node = broken(folder, tmp_path, "wrapped.onnx", scaled("middle.1.weight", 1.05))
    blame = bisect(bad, folder / "small.pth", out=tmp_path / "case")
    assert (blame.stage, blame.node) == ("change after export", node), blame
    assert blame.module == "middle.1"
    assert any("a new export (trace, opset 18) is right" in line for line in blame.evidence)
    assert "pytorch/pytorch" not in (tmp_path / "case" / "report.md").read_text("utf-8")


def give_exports(monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    """Let these stand for the new exports."""
    exports = [onnx.load(file) for file in files]
    monkeypatch.setattr("subpixel.parity.bisect.bisect.fresh_exports", lambda *_, **__: exports)


def test_an_edited_operator(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same exporter, of the same version, writes another one."""
    bad, node = broken(folder, tmp_path, "wrapped.onnx", leaky)
    give_exports(monkeypatch, folder / "wrapped.onnx")
    assert bisect(bad, folder / "small.pth").stage == "change after export"
    model = onnx.load(bad)
    model.producer_version = "1.13.0"
    onnx.save(model, bad)
    blame = bisect(bad, folder / "small.pth")
    assert (blame.stage, blame.node) == ("graph", node), "another version may have written it"


@pytest.mark.slow
def test_a_fault_that_every_new_export_has(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the graph is held to PyTorch itself, module by module, and it was the exporter."""
    bad, node = broken(folder, tmp_path, "wrapped.onnx", scaled("middle.1.weight", 1.05))
    give_exports(monkeypatch, bad)
    blame = bisect(bad, folder / "small.pth", out=tmp_path / "case")
    assert (blame.stage, blame.node, blame.module) == ("exporter", node, "middle.1"), blame
    case = onnx.load(tmp_path / "case" / "case.onnx")
    assert [n.op_type for n in case.graph.node][-1] == "Conv"
    assert reproduced(tmp_path / "case").returncode == 1
    assert "pytorch/pytorch" in (tmp_path / "case" / "report.md").read_text("utf-8")


def test_a_fault_that_one_new_export_has(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, node = broken(folder, tmp_path, "wrapped.onnx", scaled("middle.1.weight", 1.05))
    give_exports(monkeypatch, bad, folder / "wrapped.onnx")
    blame = bisect(bad, folder / "small.pth")
    assert (blame.stage, blame.node) == ("exporter", node), blame


def test_an_edit_of_a_file_whose_exports_are_wrong_elsewhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the exporter is wrong as well doesn't make the edit its own."""
    other, _ = broken(folder, tmp_path, "wrapped.onnx", scaled("last.weight", 1.5))
    other = other.rename(tmp_path / "other.onnx")
    bad, node = broken(folder, tmp_path, "wrapped.onnx", scaled("middle.0.weight", 1.5))
    give_exports(monkeypatch, other)
    blame = bisect(bad, folder / "small.pth")
    assert (blame.stage, blame.node) == ("change after export", node), blame


def test_without_a_new_export_nothing_tells_who_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, node = broken(folder, tmp_path, "wrapped.onnx", scaled("middle.1.weight", 1.05))
    give_exports(monkeypatch)
    blame = bisect(bad, folder / "small.pth")
    assert (blame.stage, blame.node, blame.module) == ("graph", node, "middle.1"), blame


def constant(model: onnx.ModelProto) -> str:
    """Of a node that subpixel put there."""
    node = next(n for n in model.graph.node if n.name == "subpixel/padded")
    node.attribute[0].s = b"constant"
    return node.name


def test_a_fault_of_our_own_passes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is put around a new export, too, is no fault of the exporter's."""
    bad, node = broken(folder, tmp_path, "wrapped.onnx", constant)
    give_exports(monkeypatch, bad, folder / "wrapped.onnx")
    blame = bisect(bad, folder / "small.pth")
    assert (blame.stage, blame.node) == ("graph passes", node), blame
    assert blame.module is None


def test_a_node_that_only_our_passes_put_there(folder: Path, tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> str:
        made = helper.make_node("Sigmoid", ["subpixel/sum"], ["output"], "subpixel/last")
        model.graph.node[-1].output[0] = "subpixel/sum"
        model.graph.node.append(made)
        return made.name

    bad, node = broken(folder, tmp_path, "wrapped.onnx", change)
    blame = bisect(bad, folder / "wrapped.onnx")
    assert (blame.stage, blame.node) == ("graph passes", node), blame


@pytest.mark.parametrize("change", [constant, scaled("chroma_weights", 1.5)])
def test_an_edit_of_what_our_passes_put_there(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[onnx.ModelProto], str],
) -> None:
    """It is no other than an edit of the network's own: a new export is right, and different."""
    bad, node = broken(folder, tmp_path, "wrapped.onnx", change)
    give_exports(monkeypatch, folder / "wrapped.onnx")
    blame = bisect(bad, folder / "small.pth")
    assert (blame.stage, blame.node) == ("change after export", node), blame
    for against in ("traced.onnx", "wrapped.onnx"):
        blame = bisect(bad, folder / against)
        assert (blame.stage, blame.node) == ("graph", node), blame
        assert ONLY_HERE in blame.evidence


def test_rounding_adds_up(folder: Path) -> None:
    """A right file in float16, judged as if it were float32: no node is to blame."""
    blame = bisect(folder / "half.onnx", folder / "traced.onnx", tolerance=Tolerance(1e-5, 1e-6))
    assert (blame.stage, blame.node, blame.accumulated) == ("precision", None, True), blame
    assert len(blame.growth) > 3
    off = [row.max_abs for row in blame.growth]
    assert off[0] is not None
    assert off[-1] is not None
    assert off[0] < off[-1]


def quantise(model: onnx.ModelProto, value: str, step: float) -> str:
    """Round a value to 256 steps of that size, from 0 on."""
    readers = [node for node in model.graph.node if value in node.input]
    at = list(model.graph.node).index(readers[0])
    names = [f"{value}/{part}" for part in ("step", "zero", "Quantised", "Dequantised")]
    model.graph.initializer.extend(
        numpy_helper.from_array(held, name)
        for held, name in zip((np.float32(step), np.uint8(0)), names[:2], strict=True)
    )
    for operator, source, made in (
        ("QuantizeLinear", value, names[2]),
        ("DequantizeLinear", names[2], names[3]),
    ):
        node = helper.make_node(operator, [source, *names[:2]], [made], made)
        model.graph.node.insert(at, node)
        at += 1
    for node in readers:
        node.input[:] = [names[3] if name == value else name for name in node.input]
    return names[2]


def test_one_node_that_precision_breaks(folder: Path, tmp_path: Path) -> None:
    """Of three values in 8 bits one has steps too small: what is larger is cut off."""

    def change(model: onnx.ModelProto) -> str:
        steps = {"/Relu": 0.02, "/Add": 0.0005, "/Add_1": 0.02}
        made = {n.name: n.output[0] for n in model.graph.node}
        return [quantise(model, made[name], step) for name, step in steps.items()][1]

    bad, node = broken(folder, tmp_path, "traced.onnx", change)
    blame = bisect(bad, folder / "traced.onnx")
    assert (blame.stage, blame.node) == ("precision", node), blame
    assert not blame.accumulated


@pytest.mark.slow
def test_weights_that_a_fusion_makes_too_large(folder: Path, tmp_path: Path) -> None:
    """ONNX Runtime multiplies factors into the weights of the convolution before them; in
    float16 they become infinite, where the network itself stays in range."""

    def far(model: onnx.ModelProto) -> str:
        conv = next(n for n in model.graph.node if n.name == "/first/Conv")
        at, result = list(model.graph.node).index(conv) + 1, conv.output[0]
        conv.output[0] = source = "convolved"
        for name, factor in (("up", 2**15), ("over", 8), ("down", 2**-15), ("back", 1 / 8)):
            by = numpy_helper.from_array(np.float32(factor), f"by {name}")
            model.graph.initializer.append(by)
            made = result if name == "back" else name
            model.graph.node.insert(at, helper.make_node("Mul", [source, by.name], [made], name))
            source, at = made, at + 1
        return conv.name

    good, node = broken(folder, tmp_path, "traced.onnx", far)
    onnx.save(to_fp16(onnx.load(good)), tmp_path / "half.onnx")
    blame = bisect(tmp_path / "half.onnx", good, out=tmp_path / "case")
    assert (blame.stage, blame.node) == ("optimiser", node), blame
    assert reproduced(tmp_path / "case").returncode == 1
    assert "microsoft/onnxruntime" in (tmp_path / "case" / "report.md").read_text("utf-8")


def test_a_fault_in_a_file_of_half_precision(folder: Path, tmp_path: Path) -> None:
    """Told from the rounding of all the other weights."""
    model = onnx.load(folder / "traced.onnx")
    node = scaled("middle.1.weight", 1.5)(model)
    onnx.save(to_fp16(model), tmp_path / "bad.onnx")
    blame = bisect(tmp_path / "bad.onnx", folder / "traced.onnx")
    assert (blame.stage, blame.node) == ("graph", node), blame


def bake(model: onnx.ModelProto) -> str:
    """A Reshape to the size of an example: right there, dead elsewhere."""
    conv = next(n for n in model.graph.node if n.name == "/middle.0/Conv")
    at = list(model.graph.node).index(conv) + 1
    shape = numpy_helper.from_array(np.array([0, 0, 64, 64], np.int64), "shape")
    model.graph.initializer.append(shape)
    out = conv.output[0]
    conv.output[0] = "wide"
    reshape = helper.make_node("Reshape", ["wide", "shape"], [out], "baked")
    model.graph.node.insert(at, reshape)
    return "baked"


def test_a_wrong_size_at_some_sizes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, node = broken(folder, tmp_path, "traced.onnx", bake)
    blame = bisect(bad, folder / "traced.onnx")
    assert blame.node == node, blame
    assert "fails" in str(blame.result and blame.result.reason)
    give_exports(monkeypatch, folder / "traced.onnx")
    blame = bisect(bad, folder / "small.pth")
    assert (blame.stage, blame.node) == ("graph", node), "exporters write sizes by their example"
    give_exports(monkeypatch, bad, folder / "traced.onnx")
    assert bisect(bad, folder / "small.pth").stage == "exporter"


def reproduced(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / "reproduce.py"], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_case_shows_the_fault_until_it_is_mended(folder: Path, tmp_path: Path) -> None:
    bad, _ = broken(folder, tmp_path, "colour.onnx", places)
    blame = bisect(bad, folder / "colour.onnx", out=tmp_path / "case")
    assert blame.folder == tmp_path / "case"
    case = onnx.load(blame.folder / "case.onnx")
    onnx.checker.check_model(case, full_check=True)
    assert [node.op_type for node in case.graph.node] == ["Resize"]
    run = reproduced(blame.folder)
    assert run.returncode == 1, run.stderr
    assert "ONNX Runtime" in run.stdout
    mode = next(
        a for a in case.graph.node[0].attribute if a.name == "coordinate_transformation_mode"
    )
    assert mode.s == b"asymmetric"
    mode.s = b"half_pixel"
    onnx.save(case, blame.folder / "case.onnx")
    assert reproduced(blame.folder).returncode == 0
    text = (blame.folder / "report.md").read_text("utf-8")
    assert "asymmetric" in text
    assert "whoever made the file" in text


@pytest.mark.slow
@pytest.mark.parametrize("change", [unclipped, leaky, join])
def test_every_case_shows_its_fault(
    folder: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], str]
) -> None:
    bad, _ = broken(folder, tmp_path, "colour.onnx", change)
    blame = bisect(bad, folder / "colour.onnx", out=tmp_path / "case")
    assert blame.folder
    assert reproduced(blame.folder).returncode == 1


def test_a_folder_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    bad, _ = broken(folder, tmp_path, "colour.onnx", join)
    case = tmp_path / "case"
    bisect(bad, folder / "colour.onnx", out=case)
    before = sorted(case.iterdir())
    with pytest.raises(SubpixelError, match="exists"):
        bisect(bad, folder / "colour.onnx", out=case)
    bisect(bad, folder / "colour.onnx", out=case, overwrite=True)
    assert sorted(case.iterdir()) == before
    (case / "mine.txt").write_text("mine")
    with pytest.raises(SubpixelError, match="other things"):
        bisect(bad, folder / "colour.onnx", out=case, overwrite=True)
    assert (case / "mine.txt").exists()
    assert {file.name for file in tmp_path.iterdir()} == {"bad.onnx", "case"}


def test_the_blame_as_json(folder: Path, tmp_path: Path) -> None:
    bad, node = broken(folder, tmp_path, "colour.onnx", join)
    blame = bisect(bad, folder / "colour.onnx", out=tmp_path / "case")
    found = json.loads(json.dumps(blame.to_json(), allow_nan=False))
    assert found["equal"] is False
    assert (found["stage"], found["node"], found["op_type"]) == ("graph", node, "Concat")
    assert found["case"] == str(tmp_path / "case")
    assert Blame("a", "b", equal=True).to_json()["equal"] is True


def test_a_strangers_file_without_facts(folder: Path, tmp_path: Path) -> None:
    bad, node = broken(folder, tmp_path, "colour.onnx", join)
    model = onnx.load(bad)
    del model.metadata_props[:]
    onnx.save(model, bad)
    assert bisect(bad, folder / "colour.onnx").node == node


def test_files_that_are_no_networks(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(NetworkError):
        bisect(tmp_path / "text.onnx", folder / "small.pth")
    with pytest.raises(NetworkError):
        bisect(folder / "traced.onnx", tmp_path / "missing.onnx")
