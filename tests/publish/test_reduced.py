import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from graphs import Graph
from subpixel.errors import NetworkError, SubpixelError, UsageError
from subpixel.graph.int8.quantize import LayerCount
from subpixel.graph.metadata import load_model, read_spec, with_spec
from subpixel.measure.quality_floor import Floor
from subpixel.publish.quantize import reduce_precision
from subpixel.spec import ModelSpec, Precision
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


def steady(_: Path) -> float:
    return 30.0


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_file_of_fewer_bits(tmp_path: Path, precision: Precision) -> None:
    scores = iter([30.0, 29.95])
    out = tmp_path / "small.onnx"
    report = reduce_precision(FAST, out, precision, lambda file: next(scores), floor=Floor(40, 0.1))
    assert report, report.summary()
    assert report.path == out
    assert report.task.loss == pytest.approx(0.05)
    assert {result.case.content for result in report.parity.results} == {"photo"}
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
    report = reduce_precision(FAST, out, "int8", lambda file: next(scores), floor=floor)
    assert not report
    assert report.path is None
    assert not out.exists()


@pytest.mark.slow
def test_where_integers_alone_keep_too_little_the_ends_stay_in_float(tmp_path: Path) -> None:
    scores, out = iter([30.0, 29.0, 30.0]), tmp_path / "small.onnx"
    assert reduce_precision(FAST, out, "int8", lambda file: next(scores), floor=Floor(30, 0.1))
    spec = read_spec(load_model(out))
    assert spec is not None
    assert (spec.precision, spec.samples) == ("int8", "float")


def test_what_stays_in_float_is_told_and_what_the_file_takes(tmp_path: Path) -> None:
    model, out = tmp_path / "net.onnx", tmp_path / "small.onnx"
    onnx.save(three_layers(), model)
    report = reduce_precision(model, out, "int8", steady, floor=ANYTHING)
    assert report.layers == LayerCount(1, 3)
    sizes = model.stat().st_size, out.stat().st_size
    assert (report.bytes_before, report.bytes_after) == sizes
    before, after = (f"{size / 1000:.1f} kB" for size in sizes)
    summary = f"int8: 1 of 3 layers in 8 bits, the others in float32, {after} instead of {before}; "
    assert report.summary().startswith(summary)

    report = reduce_precision(model, tmp_path / "half.onnx", "fp16", steady, floor=ANYTHING)
    assert report.layers is None
    assert re.match(r"fp16: [\d.]+ kB instead of [\d.]+ kB; at least", report.summary())


@pytest.mark.slow
def test_it_needs_no_pytorch() -> None:
    code = "import sys; sys.modules['torch'] = None; import subpixel.publish.quantize"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_what_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken.onnx"
    taken.touch()
    with pytest.raises(SubpixelError, match="exists"):
        reduce_precision(FAST, taken, "int8", steady)
    with pytest.raises(UsageError, match=r"ends in \.onnx"):
        reduce_precision(FAST, tmp_path / "small.bin", "int8", steady)
    with pytest.raises(UsageError, match="precision is fp32"):
        reduce_precision(FAST, tmp_path / "small.onnx", "fp32", steady)
    reduce_precision(FAST, tmp_path / "half.onnx", "fp16", steady, floor=ANYTHING)
    with pytest.raises(NetworkError, match="fp16 already"):
        reduce_precision(tmp_path / "half.onnx", tmp_path / "small.onnx", "int8", steady)
