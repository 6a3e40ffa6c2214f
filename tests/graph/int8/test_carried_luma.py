"""Luma that a channel carries to the last layer is added behind it; nothing else changes."""

import numpy as np
import onnx
import pytest

from subpixel.graph.execute import runtime_engine
from subpixel.graph.int8.carried_luma import find_carrier, take_out_luma
from subpixel.graph.int8.luma_chain import read_luma_chain
from subpixel.zoo.manifest import find_bundled


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_network_computes_the_same(scale: int) -> None:
    model = onnx.load(find_bundled("espcn", scale).path)
    result = take_out_luma(model)
    picture = np.random.default_rng(0).random((1, 3, 19, 23), np.float32)
    engine = runtime_engine()
    before, after = (engine(m, {"input": picture})["output"] for m in (model, result))
    # One weight of 1 is taken off in float32, and luma of at most 1 is added in float32: each
    # rounds by half a unit in the last place of about 1, in sums of 288 products.
    assert np.abs(before - after).max() <= 288 * np.finfo(np.float32).eps


def test_the_last_layer_is_left_with_small_weights() -> None:
    chain = read_luma_chain(take_out_luma(onnx.load(find_bundled("espcn", 2).path)))
    assert chain.residual
    assert np.abs(chain.last.weights).max() < 0.75


@pytest.mark.parametrize("name", ["balanced", "fast"])
def test_a_network_with_a_sum_stays_as_it_is(name: str) -> None:
    model = onnx.load(find_bundled(name, 2).path)
    assert take_out_luma(model) is model


def test_a_channel_that_is_changed_on_its_way_carries_nothing() -> None:
    model = onnx.load(find_bundled("espcn", 2).path)
    assert find_carrier(read_luma_chain(model)) == 0
    for tensor in model.graph.initializer:
        if tensor.name.endswith("conv2.bias"):
            bias = np.frombuffer(tensor.raw_data, np.float32).copy()
            bias[0] = 0.01
            tensor.raw_data = bias.tobytes()
    assert find_carrier(read_luma_chain(model)) is None
    assert take_out_luma(model) is model
