"""Third-party files that never end, fill the memory or crash are refused in a line, and what is
found in the other process is what is found in this one."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from networks import sub_pixel_network
from subpixel.convention import UNIT_RANGE, UNKNOWN_CONVENTION, Convention
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.metadata import load_model, with_spec
from subpixel.network.identify import identify
from subpixel.runtime.opening import open_session
from subpixel.spec import ModelSpec
from subpixel.thirdparty.adopt import adopt_model
from subpixel.thirdparty.apart import ProbeLimits, identify_apart

SHORT = ProbeLimits(seconds=20, memory=1 << 30)
AMPLE = ProbeLimits(seconds=600, memory=4 << 30)


def save(model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def enlarging(*body: onnx.NodeProto, weights: list[onnx.TensorProto]) -> onnx.ModelProto:
    """A picture of three channels, twice as large, after ``body`` has made ``y`` of ``x``."""
    resize = helper.make_node("Resize", ["y", "", "scales"], ["z"], mode="nearest")
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    dims = ["n", 3, "h", "w"]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", dims), ("z", ["n", 3, "h2", "w2"]))
    ]
    graph = helper.make_graph([*body, resize], "net", ends[:1], ends[1:], [*weights, scales])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def endless() -> onnx.ModelProto:
    """A loop whose condition stays true, 2⁶² times."""
    inner = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["on"]),
            helper.make_node("Identity", ["before"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
        ],
    )
    loop = helper.make_node("Loop", ["times", "true", "x"], ["y"], body=inner)
    weights = [
        numpy_helper.from_array(np.array(1 << 62, np.int64), "times"),
        numpy_helper.from_array(np.array(True), "true"),
    ]
    return enlarging(loop, weights=weights)


def greedy() -> onnx.ModelProto:
    """Spreads a picture over 200,000 copies and takes their mean."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["one"]),
        helper.make_node("Expand", ["one", "copies"], ["many"]),
        helper.make_node("ReduceMean", ["many", "axis"], ["y"], keepdims=0),
    ]
    weights = [
        numpy_helper.from_array(np.array([0], np.int64), "axis"),
        numpy_helper.from_array(np.array([200_000, 1, 1, 1, 1], np.int64), "copies"),
    ]
    return enlarging(*nodes, weights=weights)


@pytest.mark.slow
def test_a_network_without_an_end_is_stopped(tmp_path: Path) -> None:
    limits = ProbeLimits(seconds=8, memory=1 << 30)
    with pytest.raises(NetworkError, match=r"did not end within 8 s .*no network for pictures"):
        identify_apart(save(endless(), tmp_path), "net", UNKNOWN_CONVENTION, limits)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_network_that_fills_the_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as error:
        identify_apart(save(greedy(), tmp_path), "net", UNKNOWN_CONVENTION, SHORT)
    assert "memory" in str(error.value) or "allocat" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "words",
    ["cannot allocate memory for thread-local data: ABORT", "  what():  std::bad_alloc"],
    ids=["C library", "C++"],
)
def test_a_process_that_ends_for_want_of_memory_is_no_riddle(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "short_of_memory.py").write_text(f"raise SystemExit({words!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("subpixel.thirdparty.apart.PROBE_CHILD", "short_of_memory")
    with pytest.raises(NetworkError, match=r"^it needs more than 1\.1 GB .*; it can't be used$"):
        identify_apart(tmp_path / "net.onnx", "net", UNKNOWN_CONVENTION, SHORT)


@pytest.mark.slow
def test_the_answer_is_that_of_this_process(tmp_path: Path) -> None:
    plain, nhwc = sub_pixel_network(3, 2), sub_pixel_network(3, 2)
    transposed = with_layout(nhwc)
    for model in (plain, transposed):
        file = save(model, tmp_path)
        verdict = identify_apart(file, "net", UNKNOWN_CONVENTION, AMPLE)
        adoption = adopt_model(load_model(file), "net", UNKNOWN_CONVENTION)
        assert (verdict.spec, verdict.remark) == (adoption.spec, adoption.remark)
        assert (verdict.content is None) == adoption.unchanged
        if verdict.content is not None:
            assert verdict.content == adoption.model.SerializeToString()


def with_layout(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same for NHWC."""
    source, result = model.graph.input[0], model.graph.output[0]
    first = helper.make_node("Transpose", ["nhwc"], [source.name], perm=[0, 3, 1, 2])
    last = helper.make_node("Transpose", [result.name], ["nhwc_out"], perm=[0, 2, 3, 1])
    nodes = [first, *model.graph.node, last]
    del model.graph.node[:], model.graph.input[:], model.graph.output[:]
    model.graph.node.extend(nodes)
    for name, ends in (("nhwc", model.graph.input), ("nhwc_out", model.graph.output)):
        ends.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "h", "w", 3]))
    return model


@pytest.mark.slow
def test_errors_keep_their_kind(tmp_path: Path) -> None:
    file = save(sub_pixel_network(3, 2), tmp_path)
    with pytest.raises(UsageError, match="there is no input"):
        identify_apart(file, "net", Convention(inputs=(("strength", 1.0),)), AMPLE)
    (tmp_path / "half.onnx").write_bytes(b"\x08\x0a half of it")
    with pytest.raises(NetworkError, match="is no ONNX network: it holds no graph"):
        identify_apart(tmp_path / "half.onnx", "half", UNKNOWN_CONVENTION, AMPLE)


def test_a_file_that_states_its_facts_needs_no_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subpixel.network.identify.identify_apart", None)
    spec = ModelSpec("net", 2, "rgb", "rgb")
    file = save(with_spec(sub_pixel_network(3, 2), spec), tmp_path)
    identity = identify(file, open_session, UNKNOWN_CONVENTION)
    assert identity.spec == spec
    with pytest.raises(UsageError, match="states its own facts"):
        identify(file, open_session, Convention(input_range=UNIT_RANGE))
