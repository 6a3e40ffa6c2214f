"""Digests of nodes: blind to names and order, and changed by a fault on one side of it alone."""

from collections import Counter

import numpy as np
import onnx
import pytest
from faults.honest import anonymous, shuffled
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from sized import SIZED, sized_network
from subpixel.graph.flow import Flow, flow
from subpixel.parity.bisect.alignment.align import align
from subpixel.parity.bisect.alignment.digests import origin_digests, use_digests

NETWORKS = [name for name in SIZED if name != "safmn"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_neither_names_nor_order_enter(name: str) -> None:
    graph, other = (
        flow(m) for m in (sized_network(name), anonymous(shuffled(sized_network(name))))
    )
    assert Counter(origin_digests(graph)) == Counter(origin_digests(other))
    assert Counter(use_digests(graph)) == Counter(use_digests(other))


def before_and_after(graph: Flow, node: int) -> tuple[set[int], set[int]]:
    """The nodes that lead to one, and those that it leads to, itself in both."""
    before = set(graph.nodes_for([graph.nodes[node].output[0]]))
    after = {
        i for i in range(len(graph.nodes)) if node in graph.nodes_for([graph.nodes[i].output[0]])
    }
    return before, after


def parameter_edited(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    tensor = next(each for each in result.graph.initializer if each.name == name)
    values = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(values + np.ones((), values.dtype), name))
    return result


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_fault_changes_what_comes_after_and_what_comes_before(data: st.DataObject) -> None:
    model = sized_network(data.draw(st.sampled_from(NETWORKS)))
    graph = flow(model)
    own = [p for p in graph.parameters if sum(p in node.input for node in graph.nodes) == 1]
    name = data.draw(st.sampled_from(own))
    node = next(i for i, each in enumerate(graph.nodes) if name in each.input)
    edited = flow(parameter_edited(graph.model, name))
    origins = zip(origin_digests(graph), origin_digests(edited), strict=True)
    uses = zip(use_digests(graph), use_digests(edited), strict=True)
    before, after = before_and_after(graph, node)
    assert {i for i, (a, b) in enumerate(origins) if a != b} == after
    assert {i for i, (a, b) in enumerate(uses) if a != b} == before - {node}


@pytest.mark.slow
def test_the_order_of_a_sum_says_nothing() -> None:
    model = onnx.ModelProto()
    model.CopyFrom(sized_network("hourglass"))
    sums = [node for node in model.graph.node if node.op_type in ("Add", "Mul")]
    for node in sums:
        node.input[:] = list(reversed(node.input))
    graph, turned = flow(sized_network("hourglass")), flow(model)
    assert sums
    assert origin_digests(graph) == origin_digests(turned)
    assert use_digests(graph) == use_digests(turned)


def test_attributes_count() -> None:
    model = onnx.ModelProto()
    model.CopyFrom(sized_network("hourglass"))
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type = "LeakyRelu"
    other = onnx.ModelProto()
    other.CopyFrom(model)
    next(n for n in other.graph.node if n.op_type == "LeakyRelu").attribute.append(
        helper.make_attribute("alpha", 0.5)
    )
    assert origin_digests(flow(model)) != origin_digests(flow(other))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_size_arithmetic_is_paired_with_its_like(name: str) -> None:
    """Renamed and in another order, each node of a graph is paired with one of its own origin."""
    left, right = flow(anonymous(shuffled(sized_network(name)))), flow(sized_network(name))
    pairs = align(left, right)
    ours, theirs = origin_digests(left), origin_digests(right)
    assert len(pairs.nodes) == len(left.nodes)
    assert all(ours[a] == theirs[b] for a, b in pairs.nodes.items())
    assert not pairs.differing
