"""The integer evaluator against ONNX Runtime: the same bits, on our files and on random layers."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.exact.integers import CodeArray, evaluate_integers
from subpixel.graph.exact.sums import SUMS
from subpixel.graph.int8.qdq import Kernel, QuantGrid, Writer
from subpixel.media.photograph import photograph
from subpixel.zoo.manifest import INT8, BundledNetwork, find_bundled, read_manifest

NETWORKS = [row for row in read_manifest() if row.name.endswith(INT8)]


def run(model: onnx.ModelProto, codes: CodeArray, *, any_weights: bool = False) -> CodeArray:
    """ONNX Runtime, which fuses a file's quantised convolutions as it does for everybody.

    ``any_weights``: without it AVX2 adds neighbouring products in 16 bits, which only weights such
    as ours never overflow.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", str(int(any_weights)))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {model.graph.input[0].name: codes})
    return np.asarray(result)


def sha256(codes: CodeArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(codes).tobytes()).hexdigest()


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: Path(row.file).stem)
def test_every_bundled_network_gives_the_same_bits(row: BundledNetwork) -> None:
    model = onnx.load(row.path)
    crop = photograph()[120:143, 150:181][None]
    assert sha256(evaluate_integers(model, crop)) == sha256(run(model, crop))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 17), (19, 4), (16, 16)])
def test_sizes_and_batches(height: int, width: int) -> None:
    model = onnx.load(find_bundled("fast-int8", 3).path)
    noise = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    assert sha256(evaluate_integers(model, noise)) == sha256(run(model, noise))


@pytest.mark.parametrize("sum_", SUMS)
def test_no_processor_adds_the_photograph_otherwise(sum_: str) -> None:
    model, crop = onnx.load(find_bundled("fast-int8", 2).path), photograph()[120:143, 150:181][None]
    assert np.array_equal(evaluate_integers(model, crop, SUMS[sum_]), run(model, crop))


def layer(channels: int, writer: Writer, result: str) -> onnx.ModelProto:
    ends = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", None, None, channels])
        for name in ("input", result)
    ]
    graph = helper.make_graph(writer.nodes, "layer", ends[:1], ends[1:], writer.parameters)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.integers(1, 2),
    st.booleans(),
)
def test_random_convolutions(
    seed: int, size: tuple[int, int], pads: tuple[int, int], stride: int, depthwise: bool
) -> None:
    """Full-range weights, odd steps, zero points, pads, strides and groups."""
    random = np.random.default_rng(seed)
    channels = 16
    grids = [QuantGrid(float(random.uniform(0.001, 0.1)), int(random.integers(256))) for _ in "ab"]
    weights = random.integers(-127, 128, (channels, 1 if depthwise else channels, *size))
    fan = weights[0].size
    steps = random.uniform(0.2, 2, channels) * grids[1].step / grids[0].step / np.sqrt(fan) / 20
    kernel = Kernel(weights.astype(np.int8), steps, random.normal(0, 40 * grids[1].step, channels))
    writer, group = Writer(), channels if depthwise else 1
    taken = writer.convolution(
        "input", "result", kernel, (grids[0], grids[1]), pads=pads, stride=stride, group=group
    )
    model = layer(channels, writer, taken)
    codes = random.integers(0, 256, (1, 7, 9, channels), np.uint8)
    expected = run(model, codes, any_weights=True)
    assert np.array_equal(evaluate_integers(model, codes), expected)


def test_ties_go_to_the_even_code() -> None:
    """Sums of 57 114ths are a half in real numbers: the file's float32 steps decide."""
    writer = Writer()
    kernel = Kernel(np.full((16, 16, 1, 1), 0, np.int8), np.full(16, 1 / 114), np.zeros(16))
    kernel.weights[:, 0] = 57
    taken = writer.convolution("input", "result", kernel, (QuantGrid(1.0), QuantGrid(1.0)))
    model = layer(16, writer, taken)
    codes = np.repeat(np.arange(256, dtype=np.uint8), 16).reshape(1, 16, 16, 16)
    result = evaluate_integers(model, codes)
    assert np.array_equal(result, run(model, codes))
    assert result[0, 0, :6, 0].tolist() == [0, 0, 1, 2, 2, 2]


def test_dilated_convolutions() -> None:
    random = np.random.default_rng(0)
    kernel = Kernel(
        random.integers(-60, 61, (16, 16, 3, 3)).astype(np.int8), np.full(16, 0.01), np.zeros(16)
    )
    writer = Writer()
    taken = writer.convolution("input", "result", kernel, (QuantGrid(1.0, 3), QuantGrid(9.0, 128)))
    model = layer(16, writer, taken)
    (conv,) = [node for node in model.graph.node if node.op_type == "Conv"]
    conv.attribute.append(helper.make_attribute("dilations", [2, 3]))
    codes = random.integers(0, 256, (2, 9, 11, 16), np.uint8)
    result = evaluate_integers(model, codes)
    assert np.array_equal(result, run(model, codes))
    assert len(np.unique(result)) > 100


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_random_sums_differ_in_knife_edges_alone(seed: int) -> None:
    """All 65 536 pairs: ONNX Runtime's kernel here is within one code of each way to add, and
    differs from it in no more than the pairs whose sum lies within float32's (or 22 bits')
    rounding of the middle between two codes."""
    random = np.random.default_rng(seed)
    grids = [QuantGrid(float(random.uniform(0.003, 0.03))) for _ in "abc"]
    writer = Writer()
    taken = writer.add(["input", "input"], "result", grids[:2], grids[2])
    model = layer(1, writer, taken)
    second = onnx.ValueInfoProto()
    second.CopyFrom(model.graph.input[0])
    second.name = "other"
    model.graph.input.append(second)
    for node in model.graph.node:
        if node.name == "result/1":
            node.input[0] = "other"
    pairs = np.mgrid[:256, :256].astype(np.uint8).reshape(2, 1, 256, 256, 1)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {"input": pairs[0], "other": pairs[1]})
    steps = [np.float64(np.float32(grid.step)) for grid in grids]
    exact = (pairs[0] * steps[0] + pairs[1] * steps[1]) / steps[2]
    # of steps up to 10 times apart, multipliers are rounded to 18 bits behind the point
    knife_edge = np.abs(exact - np.floor(exact) - 0.5) < 2 * 255 * 2.0**-19
    model.graph.input.pop()
    for name, add in SUMS.items():
        graph = onnx.ModelProto()
        graph.CopyFrom(model)
        graph.graph.initializer.append(numpy_helper.from_array(pairs[1], "other"))
        differing = evaluate_integers(graph, pairs[0], add) != expected
        assert not (differing & ~knife_edge).any(), name


def test_what_is_no_integer_network_is_refused_by_name() -> None:
    model = onnx.load(find_bundled("fast", 2).path)
    with pytest.raises(NetworkError, match=r"\(Conv\) can't be evaluated in integers"):
        evaluate_integers(model, np.zeros((1, 4, 4, 3), np.uint8))


def test_a_bias_of_other_steps_is_refused() -> None:
    model = onnx.load(find_bundled("fast-int8", 2).path)
    for tensor in model.graph.initializer:
        if tensor.name == "luma/relu_1/bias/step":
            tensor.CopyFrom(numpy_helper.from_array(np.ones(16, np.float32), tensor.name))
    with pytest.raises(NetworkError, match="its bias is not in steps"):
        evaluate_integers(model, np.zeros((1, 4, 4, 3), np.uint8))


@pytest.mark.parametrize(
    ("operator", "change", "message"),
    [
        ("Reshape", {"allowzero": 1}, "its attribute allowzero is not understood"),
        ("Transpose", {"keep": 1}, "its attribute keep is not understood"),
        ("Conv", {"auto_pad": "SAME_UPPER"}, "auto_pad is set"),
        ("Pad", {"mode": "reflect"}, "none of zeros or of the border's pixels"),
    ],
)
def test_another_form_of_an_operator_is_refused(
    operator: str, change: dict[str, object], message: str
) -> None:
    model = onnx.load(find_bundled("fast-int8", 2).path)
    for node in model.graph.node:
        if node.op_type == operator:
            others = [a for a in node.attribute if a.name not in change]
            del node.attribute[:]
            node.attribute.extend(others)
            node.attribute.extend(helper.make_attribute(*item) for item in change.items())
    with pytest.raises(NetworkError, match=message):
        evaluate_integers(model, np.zeros((1, 4, 4, 3), np.uint8))


def test_a_slice_in_steps_is_refused() -> None:
    model = onnx.load(find_bundled("fast-int8", 2).path)
    for node in model.graph.node:
        if node.op_type == "Slice":
            node.input.append("whole/1")
    with pytest.raises(NetworkError, match="it has 5 inputs, in a form"):
        evaluate_integers(model, np.zeros((1, 4, 4, 3), np.uint8))
