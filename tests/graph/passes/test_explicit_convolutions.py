"""Convolutions that say their kernel, dilations and strides; nothing else changes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from graphs import Graph, run
from subpixel.graph.passes.explicit_convolutions import with_explicit_convolutions
from subpixel.zoo.manifest import BundledNetwork, find_bundled, read_manifest

CONVOLUTIONS = ("Conv", "ConvTranspose", "QLinearConv", "ConvInteger")


def attributes(model: onnx.ModelProto) -> list[dict[str, object]]:
    return [
        {a.name: helper.get_attribute_value(a) for a in node.attribute}
        for node in model.graph.node
        if node.op_type in CONVOLUTIONS
    ]


@pytest.mark.parametrize("row", read_manifest(), ids=lambda row: Path(row.file).stem)
def test_every_convolution_of_the_bundled_networks_says_all(row: BundledNetwork) -> None:
    model = onnx.load(row.path)
    explicit = with_explicit_convolutions(model)
    for before, after in zip(attributes(model), attributes(explicit), strict=True):
        assert {"kernel_shape", "dilations", "strides"} <= after.keys()
        assert before.items() <= after.items()
    onnx.checker.check_model(explicit, full_check=True)  # infers shapes by what is said
    for node in explicit.graph.node:
        if node.op_type in CONVOLUTIONS:
            del node.attribute[:]
    for node in model.graph.node:
        if node.op_type in CONVOLUTIONS:
            del node.attribute[:]
    assert explicit == model


@pytest.mark.parametrize("name", ["fast", "fast-int8"])
def test_the_bits_stay(name: str) -> None:
    model = onnx.load(find_bundled(name, 2).path)
    shape = (1, 3, 12, 9) if name == "fast" else (1, 12, 9, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pixels = noise / np.float32(255) if name == "fast" else noise
    assert np.array_equal(run(model, pixels), run(with_explicit_convolutions(model), pixels))


def test_what_is_said_stays_and_the_given_model_is_not_touched() -> None:
    graph = Graph()
    model = graph.model(graph.conv("input", 1, pads=[2] * 4, dilations=[2, 2]))
    before = model.SerializeToString()
    (explicit,) = attributes(with_explicit_convolutions(model))
    assert explicit["dilations"] == [2, 2]
    assert (explicit["kernel_shape"], explicit["strides"]) == ([3, 3], [1, 1])
    assert model.SerializeToString() == before


def test_weights_in_a_constant_and_inside_a_branch() -> None:
    inner = Graph()
    weights = helper.make_node(
        "Constant", [], ["w"], value=helper.make_tensor("w", 1, [1, 1, 3, 5], [0.0] * 15)
    )
    conv = helper.make_node("Conv", ["input", "w"], ["result"], pads=[1, 2, 1, 2])
    branch = helper.make_graph([weights, conv], "branch", [], [onnx.ValueInfoProto(name="result")])
    condition = inner.constant(True, np.bool_)
    result = inner.node("If", condition, then_branch=branch, else_branch=branch)
    model = with_explicit_convolutions(inner.model(result))
    for attribute in model.graph.node[0].attribute:
        (own,) = [node for node in attribute.g.node if node.op_type == "Conv"]
        assert {a.name: list(a.ints) for a in own.attribute}["kernel_shape"] == [3, 5]


def test_computed_weights_are_left_alone() -> None:
    graph = Graph()
    weights = graph.node("Neg", graph.weights(1, 1, 3, 3))
    model = graph.model(graph.node("Conv", "input", weights, pads=[1] * 4))
    assert with_explicit_convolutions(model) == model
