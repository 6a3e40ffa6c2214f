"""The same network written differently: what exporters, optimisers and tools do to a graph.

Each rewriting is a pure function of a graph; the pictures must not change.
"""

from collections.abc import Callable, Mapping
from graphlib import TopologicalSorter

import numpy as np
import onnx
import onnx_ir
from onnx import NodeProto, helper, numpy_helper, version_converter
from onnxscript import optimizer

from subpixel.graph import execute
from subpixel.system.session_options import Optimisation

Rewriting = Callable[[onnx.ModelProto], onnx.ModelProto]


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def optimised(level: Optimisation) -> Rewriting:
    """As ONNX Runtime saves it after rewriting it for itself."""
    return lambda model: _with_metadata_of(model, execute.optimise_graph(model, execute.CPU, level))


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants folded and patterns fused by onnxscript's optimiser."""
    result = onnx_ir.to_proto(optimizer.optimize(onnx_ir.from_proto(model)))
    return _with_metadata_of(model, result)


def converted(opset: int) -> Rewriting:
    """At another opset, by ONNX's own converter."""
    return lambda model: _with_metadata_of(model, version_converter.convert_version(model, opset))


def _with_metadata_of(model: onnx.ModelProto, result: onnx.ModelProto) -> onnx.ModelProto:
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
    return result


def anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """No node has a name, and every value's is a number."""
    result = _copy(model)
    ends = {end.name for end in (*result.graph.input, *result.graph.output)}
    inside = [
        name for node in result.graph.node for name in node.output if name and name not in ends
    ]
    inside += [tensor.name for tensor in result.graph.initializer]
    names = {name: f"v{i}" for i, name in enumerate(inside)}
    for node in result.graph.node:
        node.name = ""
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for tensor in result.graph.initializer:
        tensor.name = names[tensor.name]
    del result.graph.value_info[:]
    return result


def shuffled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The nodes in another order that is just as good, the parameters reversed."""
    result, random = _copy(model), np.random.default_rng(3)
    order = random.permutation(len(model.graph.node)).tolist()
    makers = {name: i for i in order for name in model.graph.node[i].output}
    needs = {
        i: [makers[name] for name in model.graph.node[i].input if name in makers] for i in order
    }
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(model.graph.node[i] for i in TopologicalSorter(needs).static_order())
    result.graph.initializer.extend(list(model.graph.initializer)[::-1])
    return result


def parameters_as_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """As older exporters wrote them."""
    result = _copy(model)
    constants = [
        helper.make_node(
            "Constant", [], [tensor.name], name=f"{tensor.name}/Constant", value=tensor
        )
        for tensor in model.graph.initializer
    ]
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend([*constants, *model.graph.node])
    return result


def identities_between(model: onnx.ModelProto) -> onnx.ModelProto:
    """An Identity before the first input of every node that reads a value of another."""
    result = _copy(model)
    del result.graph.node[:]
    made: set[str] = set()
    for i, node in enumerate(model.graph.node):
        changed = NodeProto()
        changed.CopyFrom(node)
        if node.input and node.input[0] in made:
            changed.input[0] = f"same_{i}"
            result.graph.node.append(
                helper.make_node("Identity", [node.input[0]], [f"same_{i}"], name=f"identity_{i}")
            )
        result.graph.node.append(changed)
        made.update(node.output)
    return result


def biases_added(model: onnx.ModelProto) -> onnx.ModelProto:
    """A convolution's bias as an Add behind it."""
    result = _copy(model)
    parameters = {tensor.name: tensor for tensor in model.graph.initializer}
    del result.graph.node[:]
    for i, node in enumerate(model.graph.node):
        bias = parameters.get(node.input[2]) if node.op_type == "Conv" and node.input[2:] else None
        result.graph.node.extend([node] if bias is None else _bias_apart(node, i))
        if bias is not None:
            column = numpy_helper.to_array(bias).reshape(1, -1, 1, 1)
            result.graph.initializer.append(numpy_helper.from_array(column, f"bias_{i}"))
    return result


def _bias_apart(node: NodeProto, i: int) -> list[NodeProto]:
    convolution = NodeProto()
    convolution.CopyFrom(node)
    del convolution.input[2]
    convolution.output[0] = f"unbiased_{i}"
    inputs = [f"unbiased_{i}", f"bias_{i}"]
    return [convolution, helper.make_node("Add", inputs, node.output, name=f"add_{i}")]


def rectified_by_max(model: onnx.ModelProto) -> onnx.ModelProto:
    """ReLU as the maximum of a value and 0."""
    result = _copy(model)
    result.graph.initializer.append(numpy_helper.from_array(np.zeros((), np.float32), "nought"))
    for node in result.graph.node:
        if node.op_type == "Relu":
            node.op_type = "Max"
            node.input.append("nought")
    return result


def ends_renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    result = _copy(model)
    (image,), (output,) = result.graph.input, result.graph.output
    names = {image.name: "pixels_in", output.name: "pixels_out"}
    for node in result.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    image.name, output.name = names.values()
    return result


def unexplained(model: onnx.ModelProto) -> onnx.ModelProto:
    """A stranger's file: no metadata, no shapes inside, nothing said of who made it."""
    result = _copy(model)
    del result.metadata_props[:], result.graph.value_info[:]
    result.producer_name = result.producer_version = result.doc_string = ""
    return result


def numbers_listed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Parameters as lists of numbers instead of bytes."""
    result = _copy(model)
    for tensor in result.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).ravel().tolist()
            tensor.ClearField("raw_data")
            tensor.float_data[:] = values
    return result


REWRITINGS: Mapping[str, Rewriting] = {
    "as it is": _copy,
    "optimised by ONNX Runtime, basic": optimised("basic"),
    "optimised by ONNX Runtime, extended": optimised("extended"),
    "folded by onnxscript": folded,
    "converted to opset 20": converted(20),
    "converted to opset 21": converted(21),
    "anonymous": anonymous,
    "anonymous and shuffled": lambda model: anonymous(shuffled(model)),
    "shuffled": shuffled,
    "parameters as constants": parameters_as_constants,
    "identities between": identities_between,
    "biases added": biases_added,
    "rectified by Max": rectified_by_max,
    "ends renamed": ends_renamed,
    "unexplained": unexplained,
    "numbers listed": numbers_listed,
}
