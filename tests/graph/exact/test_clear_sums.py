"""Graphs whose sums are moved off the middle between two codes; nothing else changes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from processor_sums import KERNELS, PAIRS, sum_network
from subpixel.errors import NetworkError
from subpixel.graph.exact.clear_sums import clear_sums
from subpixel.graph.exact.integers import evaluate_integers
from subpixel.graph.exact.sums import SUMS
from subpixel.graph.exact.ties import CodeSum, find_close_pairs, list_code_sums
from subpixel.graph.int8.qdq import Kernel, QuantGrid, Writer
from subpixel.runtime.session import Session
from subpixel.zoo.manifest import INT8, BundledNetwork, read_manifest

NETWORKS = [row for row in read_manifest() if row.name.endswith(INT8)]
CHANNELS = 16
HALF = QuantGrid(0.01), QuantGrid(0.02)
"""Two codes of the first added give a half of the second: the worst sum there is."""


def network(*, sums: int = 1) -> onnx.ModelProto:
    """``sums`` in a row, each of a convolution's codes and what came before, and a convolution with
    a bias behind them; ``(N, H, W, 16)``."""
    writer, grid, random = Writer(), HALF[0], np.random.default_rng(0)
    whole, name = np.eye(CHANNELS, dtype=np.int8)[:, :, None, None], "input"
    plain = Kernel(whole, np.ones(CHANNELS), np.zeros(CHANNELS))
    first = writer.convolution("input", "layer", plain, (grid, HALF[0]))
    for place in range(sums):
        name = writer.add([first, name], f"sum{place}", (HALF[0], grid), HALF[1])
        grid = HALF[1]
    last = Kernel(whole * np.int8(100), np.full(CHANNELS, 0.01), random.normal(0, 1, CHANNELS))
    end = writer.convolution(name, "output", last, (grid, QuantGrid(0.025, 128)))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", None, None, CHANNELS])
        for name in ("input", end)
    ]
    graph = helper.make_graph(writer.nodes, "sums", ends[:1], ends[1:], writer.parameters)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def parameters(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (1, 60, 70, CHANNELS), np.uint8)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_pair_is_close_any_more(count: int) -> None:
    model = network(sums=count)
    assert len(list_code_sums(model)) == count
    assert find_close_pairs(list_code_sums(model)[0]).sum() == 32768
    for before, after in zip(list_code_sums(model), list_code_sums(clear_sums(model)), strict=True):
        assert abs(after.result.step / before.result.step - 1) < 1e-3
        assert not find_close_pairs(after).any()
        assert not np.ptp([kernel(*PAIRS, after) for kernel in KERNELS.values()], axis=0).any()


@pytest.mark.parametrize("count", [1, 3])
def test_every_way_to_add_gives_what_onnx_runtime_does(count: int) -> None:
    cleared = clear_sums(network(sums=count))
    expected = Session(cleared.SerializeToString(), threads=1)
    (result,) = expected._session.run(None, {"input": noise()})
    for add in SUMS.values():
        assert np.array_equal(evaluate_integers(cleared, noise(), add), result)


def test_the_result_stays_within_a_code() -> None:
    """A step that is a millionth larger moves none but the halves."""
    model = network()
    before, after = (evaluate_integers(m, noise()) for m in (model, clear_sums(model)))
    assert np.abs(before.astype(int) - after).max() <= 1


def test_the_bias_keeps_its_value() -> None:
    model = network()
    cleared = clear_sums(model)
    before, after = parameters(model), parameters(cleared)
    old = before["output/bias/whole"] * before["output/bias/step"].astype(np.float64)
    names = [name for name in after if "/clear/bias" in name]
    whole, steps = (next(after[n] for n in names if n.endswith(end)) for end in ("whole", "step"))
    assert np.abs(whole * steps.astype(np.float64) - old).max() <= steps.max()
    sum_ = list_code_sums(cleared)[0]
    assert np.allclose(steps, np.float32(sum_.result.step) * np.float32(0.01), 2**-20, 0)


def test_a_clear_network_stays_as_it_is_and_the_model_given_too() -> None:
    model = network()
    copy = model.SerializeToString()
    cleared = clear_sums(model)
    assert model.SerializeToString() == copy
    assert clear_sums(cleared) == cleared


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: Path(row.file).stem)
def test_the_bundled_networks_are_clear(row: BundledNetwork) -> None:
    model = onnx.load(row.path)
    assert clear_sums(model) == model


def test_what_can_t_follow_is_refused() -> None:
    sum_ = CodeSum(HALF[0], HALF[0], HALF[1])
    with pytest.raises(NetworkError, match="is the network's output"):
        clear_sums(sum_network(sum_))
    model = network()
    for node in model.graph.node:
        if node.op_type == "Transpose" and "sum0" in node.input:
            node.op_type = "Relu"
    with pytest.raises(NetworkError, match="goes to Relu"):
        clear_sums(model)
