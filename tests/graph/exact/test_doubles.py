"""The evaluation in double precision against ONNX Runtime and, where it is, PyTorch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from subpixel.errors import NetworkError
from subpixel.graph.exact.doubles import evaluate_doubles, widen_floats
from subpixel.graph.execute import runtime_engine
from subpixel.graph.passes.float16 import to_fp16
from subpixel.media.photograph import photograph
from subpixel.zoo.manifest import INT8, BundledNetwork, find_bundled, read_manifest

NETWORKS = [row for row in read_manifest() if not row.name.endswith(INT8)]
WEIGHTS = Path(__file__).resolve().parents[3] / "weights"


def crop() -> NDArray[np.float32]:
    planes = photograph()[120:143, 150:181].transpose(2, 0, 1)[None]
    return planes / np.float32(255)


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: Path(row.file).stem)
def test_onnx_runtime_is_within_float32_s_rounding(row: BundledNetwork) -> None:
    model = onnx.load(row.path)
    single = runtime_engine(level="all")(model, {"input": crop()})["output"]
    exact = evaluate_doubles(model, crop())
    assert exact.dtype == np.float64
    # at most 12 layers of sums of some 300 products, of values of about 1
    assert 0 < np.abs(exact - single).max() < 12 * np.sqrt(300) * np.finfo(np.float32).eps


@pytest.mark.parametrize("name", ["fast", "espcn"])
def test_pytorch_in_float64_says_the_same(name: str) -> None:
    pytest.importorskip("torch")
    from subpixel.nets.checkpoints.checkpoint import load_checkpoint
    from subpixel.nets.layers.luma import RgbFromLuma
    from subpixel.nets.torch_op import ExactOp

    module = load_checkpoint(WEIGHTS / f"{name}-x2.safetensors").module
    expected = ExactOp(RgbFromLuma(module, 2))(crop())
    exact = evaluate_doubles(onnx.load(find_bundled(name, 2).path), crop())
    # the graph holds the constants of colour and of the filter in float32
    assert np.abs(exact - expected).max() < 4 * np.finfo(np.float32).eps


def test_nothing_is_left_in_fewer_bits() -> None:
    wide = widen_floats(to_fp16(onnx.load(find_bundled("fast", 2).path)))
    kinds = {tensor.data_type for tensor in wide.graph.initializer}
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    assert not kinds & floats
    result = evaluate_doubles(wide, crop())
    half = runtime_engine()(to_fp16(onnx.load(find_bundled("fast", 2).path)), {"input": crop()})
    assert np.abs(result - half["output"]).max() < 1 / 255


def test_what_the_reference_can_t_run_is_an_error() -> None:
    model = onnx.load(find_bundled("fast", 2).path)
    model.graph.node[0].op_type = "Unheard"
    with pytest.raises(NetworkError, match="ONNX's reference failed"):
        evaluate_doubles(model, crop())
