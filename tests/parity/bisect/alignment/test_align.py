"""Nodes of one graph found again in another."""

import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from exports import export_module
from graphs import Graph
from subpixel.graph.flow import flow
from subpixel.nets.architectures.plain import PlainNet
from subpixel.parity.bisect.alignment.align import Alignment, align
from subpixel.spec import Exporter, ModelSpec

SPEC = ModelSpec("small", 2, "luma", "luma")


class Branches(nn.Module):
    """Two branches from one place, without parameters to tell them by, and a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(1, 4, 3, padding=1)
        self.tail = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.head(pixels)
        left, right = features.relu(), features.sigmoid()
        joined = torch.cat([left * right, left - right], 1)
        return nn.functional.pixel_shuffle(self.tail(joined) + pixels, 2)


def exported(module: nn.Module, exporter: Exporter) -> onnx.ModelProto:
    return export_module(module.eval(), SPEC, exporter=exporter).model


@pytest.fixture(scope="module", params=["PlainNet", "Branches"])
def both(request: pytest.FixtureRequest) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """One network as the two exporters write it."""
    torch.manual_seed(0)
    module = PlainNet(2, channels=4, depth=3) if request.param == "PlainNet" else Branches()
    return exported(module, "trace"), exported(module, "dynamo")


def pairs(alignment: Alignment) -> dict[str, str]:
    left, right = alignment.left.nodes, alignment.right.nodes
    return {left[a].name: right[b].name for a, b in alignment.nodes.items()}


@pytest.mark.slow
def test_a_graph_is_itself(both: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    found = align(flow(both[1]), flow(both[1]))
    assert found.nodes == {i: i for i in range(len(found.left.nodes))}
    assert not found.differing


@pytest.mark.slow
def test_names_are_not_needed(both: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    found = align(flow(anonymous(both[1])), flow(both[1]))
    assert found.nodes == {i: i for i in range(len(found.left.nodes))}


def test_two_exporters_of_one_network(both: tuple[onnx.ModelProto, onnx.ModelProto]) -> None:
    """Each convolution is found by its weights, and what lies between by its place."""
    found = align(flow(both[0]), flow(both[1]))
    for left, right in found.nodes.items():
        assert found.left.nodes[left].op_type == found.right.nodes[right].op_type
    shown = [i for i, n in enumerate(found.left.nodes) if n.output[0] in found.left.shown]
    assert set(shown) <= set(found.nodes)
    assert len(set(found.nodes.values())) == len(found.nodes)


def test_what_changed_is_told() -> None:
    torch.manual_seed(0)
    good = exported(PlainNet(2, channels=4, depth=2), "trace")
    bad = onnx.ModelProto()
    bad.CopyFrom(good)
    by_name = {node.name: node for node in bad.graph.node}
    by_name["/DepthToSpace"].attribute.append(helper.make_attribute("mode", "DCR"))
    modes = [a for a in by_name["/DepthToSpace"].attribute if a.name == "mode"]
    by_name["/DepthToSpace"].attribute.remove(modes[0])
    by_name["/Relu"].op_type = "Elu"
    weights = next(t for t in bad.graph.initializer if t.name == "last.weight")
    values = numpy_helper.to_array(weights).copy()
    values.flat[5] += 0.25
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    found = align(flow(bad), flow(good))
    said = {found.left.nodes[i].name: list(found.differences(i)) for i in found.differing}
    assert said == {
        "/DepthToSpace": ["mode: 'CRD' → not given"],
        "/Relu": ["operator: Relu → Elu"],
        "/last/Conv": ["parameter last.weight: 1 of 144 values differ, by up to 0.25"],
    }


def _convolution(**attributes: int | list[int]) -> onnx.ModelProto:
    graph = Graph(channels=3)
    return graph.model(graph.conv("input", 3, **attributes), channels=3, into=3)


def test_defaults_that_are_written_out_are_no_difference() -> None:
    """Those of ONNX's text, which its schemas lack, and a shape that the weights say."""
    written = {"dilations": [1, 1], "strides": [1, 1], "kernel_shape": [3, 3], "group": 1}
    plain, said = _convolution(pads=[1] * 4), _convolution(pads=[1] * 4, **written)
    both = align(flow(said), flow(plain))
    assert both.nodes
    assert not both.differing
    found = align(flow(_convolution(pads=[2] * 4, dilations=[2, 2])), flow(plain))
    assert [line for i in found.differing for line in found.differences(i)] == [
        "dilations: not given → [2, 2]",
        "pads: [1, 1, 1, 1] → [2, 2, 2, 2]",
    ]
    bare = align(flow(_convolution(pads=[0] * 4)), flow(_convolution()))
    assert not bare.differing


def test_what_is_inserted_stays_alone() -> None:
    torch.manual_seed(0)
    good = exported(PlainNet(2, channels=4, depth=1), "trace")
    bad = onnx.ModelProto()
    bad.CopyFrom(good)
    at = next(i for i, node in enumerate(bad.graph.node) if node.name == "/last/Conv")
    last = bad.graph.node[at]
    bad.graph.node.insert(at, helper.make_node("Tanh", [last.input[0]], ["extra"], "extra"))
    bad.graph.node[at + 1].input[0] = "extra"
    found = align(flow(bad), flow(good))
    alone = [n.name for i, n in enumerate(found.left.nodes) if i not in found.nodes]
    assert alone == ["extra"]
    assert pairs(found)["/last/Conv"] == "/last/Conv"


def anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, its values and nodes called by numbers; parameters all by other names."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    ends = {end.name for end in (*result.graph.input, *result.graph.output)}
    names = {name: name for name in ends}
    for i, tensor in enumerate(result.graph.initializer):
        names[tensor.name] = f"p{i}"
        tensor.name = names[tensor.name]
    for i, node in enumerate(result.graph.node):
        node.name = ""
        node.input[:] = [names.get(name, name) for name in node.input]
        for j, name in enumerate(node.output):
            names.setdefault(name, f"v{i}_{j}")
        node.output[:] = [names[name] for name in node.output]
    del result.graph.value_info[:]
    return result
