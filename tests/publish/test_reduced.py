import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from PIL import Image

from graphs import Graph
from subpixel.cli.main import run
from subpixel.errors import NetworkError, SubpixelError, UsageError
from subpixel.graph.int8.quantize import LayerCount
from subpixel.graph.metadata import load_model, read_spec, with_spec
from subpixel.graph.passes.wrap import rgb_from_luma, spec_on_rgb
from subpixel.imaging.metrics import psnr
from subpixel.measure.quality_floor import Floor
from subpixel.parity.cases import pixels
from subpixel.publish.quantize import TaskScore, reduce_precision
from subpixel.spec import ModelSpec, Precision
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

FAST = find_bundled("fast", 2).path
ANYTHING = Floor(psnr=0, task_loss=99)


def three_layers() -> onnx.ModelProto:
    """RGB, enlarged by 2, by three convolutions."""
    graph = Graph(channels=3)
    inner = graph.node("Relu", graph.conv("input", 8, pads=[1] * 4))
    phases = graph.conv(graph.conv(inner, 3, 1), 12, pads=[1] * 4)
    model = graph.model(graph.node("DepthToSpace", phases, blocksize=2), channels=3, into=3)
    return with_spec(model, ModelSpec("net", 2, "rgb", "rgb", halo=2))


def two_layers() -> onnx.ModelProto:
    """A luma network of plain convolutions on RGB: there is none between its first and its last."""
    graph = Graph()
    inner = graph.node("Relu", graph.conv("input", 4, pads=[1] * 4))
    phases = graph.conv(inner, 4, pads=[1] * 4)
    spec = ModelSpec("net", 2, "luma", "luma", halo=2)
    luma = graph.model(graph.node("DepthToSpace", phases, blocksize=2))
    luma.graph.node.pop()  # an Identity, which is no part of such a chain
    luma.graph.node[-1].output[0] = "output"
    return with_spec(rgb_from_luma(luma, 2), spec_on_rgb(spec))


def in_turn(scores: Iterator[float]) -> TaskScore:
    return TaskScore(lambda file: next(scores), "a set")


STEADY = TaskScore(lambda file: 30.0, "a set")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_file_of_fewer_bits(tmp_path: Path, precision: Precision) -> None:
    scores = iter([30.0, 29.95])
    out = tmp_path / "small.onnx"
    report = reduce_precision(FAST, out, precision, in_turn(scores), floor=Floor(40, 0.1))
    assert report, report.summary()
    assert report.path == out
    best = report.best
    assert best.task is not None
    assert best.task.loss == pytest.approx(0.05)
    assert best.parity is not None
    assert {result.case.content for result in best.parity.results} == {"photo"}
    spec = read_spec(load_model(out))
    assert spec is not None
    assert (spec.precision, spec.scale) == (precision, 2)
    assert spec.samples == ("uint8" if precision == "int8" else "float")
    weights = [t for t in load_model(out).graph.initializer if len(t.dims) == 4]
    assert {t.data_type for t in weights} <= {TensorProto.FLOAT16, TensorProto.INT8}
    convolutions = [n for n in load_model(out).graph.node if n.op_type == "Conv"]
    said = [{a.name for a in node.attribute} for node in convolutions]
    assert all({"kernel_shape", "dilations", "strides"} <= names for names in said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("floor", "after"), [(Floor(psnr=90, task_loss=1), 30.0), (Floor(0, 0.1), 29.8)]
)
def test_what_keeps_too_little_is_not_written(tmp_path: Path, floor: Floor, after: float) -> None:
    scores, out = iter([30.0, after, after]), tmp_path / "small.onnx"
    report = reduce_precision(FAST, out, "int8", in_turn(scores), floor=floor)
    assert not report
    assert report.path is None
    assert not out.exists()


@pytest.mark.slow
def test_where_integers_alone_keep_too_little_the_ends_stay_in_float(tmp_path: Path) -> None:
    scores, out = iter([30.0, 29.0, 30.0]), tmp_path / "small.onnx"
    assert reduce_precision(FAST, out, "int8", in_turn(scores), floor=Floor(30, 0.1))
    spec = read_spec(load_model(out))
    assert spec is not None
    assert (spec.precision, spec.samples) == ("int8", "float")


def test_what_stays_in_float_is_told_and_what_the_file_takes(tmp_path: Path) -> None:
    model, out = tmp_path / "net.onnx", tmp_path / "small.onnx"
    onnx.save(three_layers(), model)
    report = reduce_precision(model, out, "int8", STEADY, floor=ANYTHING)
    assert report.best.layers == LayerCount(1, 3)
    sizes = model.stat().st_size, out.stat().st_size
    assert (report.bytes_before, report.best.size) == sizes
    before, after = (f"{size / 1000:.1f} kB" for size in sizes)
    assert report.summary().startswith(
        "int8, QDQ nodes between the ends: 1 of 3 layers in 8 bits, the others in float32, "
        f"{after} instead of {before} (larger: "
    )

    report = reduce_precision(model, tmp_path / "half.onnx", "fp16", STEADY, floor=ANYTHING)
    assert report.best.layers is None
    assert re.match(r"fp16, float16: [\d.]+ kB instead of [\d.]+ kB; ", report.summary())


def test_every_form_that_was_tried_is_named_with_its_figure_and_reason(tmp_path: Path) -> None:
    model, out = tmp_path / "net.onnx", tmp_path / "small.onnx"
    onnx.save(two_layers(), model)
    report = reduce_precision(model, out, "int8", STEADY, floor=Floor(psnr=99))
    assert not report
    assert not out.exists()
    whole, inner = report.forms
    assert report.best is whole
    assert whole.psnr is not None
    assert 20 < whole.psnr < 99
    assert inner.psnr is None
    lines = str(report).splitlines()
    assert f"{whole.psnr:.1f} dB from fp32 in 8-bit pictures of our photograph" in lines[0]
    assert "30.00 dB became 30.00 on a set" in lines[0]
    assert lines[1] == (
        f"not taken: integers from end to end: {whole.psnr:.1f} dB to fp32; the floor is 99"
    )
    assert lines[2].startswith("not taken: QDQ nodes between the ends: the network has 2 layers")
    assert lines[3:] == [
        "--calibration with photographs of yours may help",
        "nothing was written",
    ]
    assert report.reason is not None
    assert all(form.form in report.reason for form in report.forms)


def test_flat_calibration_is_pointed_out(tmp_path: Path) -> None:
    model, flat = tmp_path / "net.onnx", tmp_path / "flat"
    onnx.save(two_layers(), model)
    flat.mkdir()
    Image.new("RGB", (64, 48), (90, 120, 60)).save(flat / "a.png")
    report = reduce_precision(
        model, tmp_path / "small.onnx", "int8", floor=Floor(psnr=99), calibration=flat
    )
    assert report.hint is not None
    assert report.hint.startswith("1 of the 1 pictures for calibration are (almost) of one colour")


def test_the_figure_is_of_pictures_as_they_are_written(tmp_path: Path) -> None:
    """In float32 they are 97 dB apart and more."""
    model, out = tmp_path / "net.onnx", tmp_path / "half.onnx"
    onnx.save(three_layers(), model)
    report = reduce_precision(model, out, "fp16", floor=ANYTHING)
    parity, upscale = report.best.parity, Upscaler(model, device="cpu", tuning=False)
    assert parity is not None
    again = Upscaler(out, device="cpu", tuning=False)
    for result in parity.results:
        case = result.case
        if case.batch > 1:
            continue
        codes = np.rint(pixels(case, 3)[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        assert result.psnr == pytest.approx(psnr(again(codes), upscale(codes)), abs=0.2)


def test_what_is_no_form_at_all_is_an_error_with_every_reason(tmp_path: Path) -> None:
    graph, model = Graph(channels=3), tmp_path / "net.onnx"
    phases = graph.conv("input", 12, pads=[1] * 4)
    one = graph.model(graph.node("DepthToSpace", phases, blocksize=2), channels=3, into=3)
    onnx.save(with_spec(one, ModelSpec("net", 2, "rgb", "rgb", halo=1)), model)
    with pytest.raises(NetworkError, match=r"net\.onnx: the network has 1 layers"):
        reduce_precision(model, tmp_path / "small.onnx", "int8", floor=ANYTHING)


@pytest.mark.parametrize("sign", [1, -1])
def test_json_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str], sign: int) -> None:
    model, out = tmp_path / "net.onnx", tmp_path / "small.onnx"
    onnx.save(three_layers(), model)
    limits = ["--floor-db", "99" if sign < 0 else "0", "--task-loss", "99"]
    code = run(["quantize", "--model", str(model), "-o", str(out), "--json", *limits])
    found = json.loads(capsys.readouterr().out)
    assert code == (sign < 0)
    assert found["passed"] == (sign > 0)
    assert (found["floor_db"], found["task_loss"]) == (float(limits[1]), 99)
    assert found["psnr"] == found["forms"][0]["psnr"]
    assert found["task"]["on"] == "our photograph"
    assert (found["reason"] or "").count("the floor is 99") == (sign < 0)


@pytest.mark.slow
def test_it_needs_no_pytorch() -> None:
    code = "import sys; sys.modules['torch'] = None; import subpixel.publish.quantize"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_what_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken.onnx"
    taken.touch()
    with pytest.raises(SubpixelError, match="exists"):
        reduce_precision(FAST, taken, "int8", STEADY)
    with pytest.raises(UsageError, match=r"ends in \.onnx"):
        reduce_precision(FAST, tmp_path / "small.bin", "int8", STEADY)
    with pytest.raises(UsageError, match="precision is fp32"):
        reduce_precision(FAST, tmp_path / "small.onnx", "fp32", STEADY)
    reduce_precision(FAST, tmp_path / "half.onnx", "fp16", STEADY, floor=ANYTHING)
    with pytest.raises(NetworkError, match="fp16 already"):
        reduce_precision(tmp_path / "half.onnx", tmp_path / "small.onnx", "int8", STEADY)
