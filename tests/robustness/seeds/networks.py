"""Networks: bundled ones, small ones that state their facts, and third-party files."""

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tests.robustness.seeds.seed import Seed

from graphs_of_facts import identity_file, sharpening_file
from networks import classifier, sub_pixel_network
from subpixel.graph.metadata import with_spec
from subpixel.network.locate import locate
from subpixel.spec import ModelSpec

FACTS = ModelSpec("small", 2, "rgb", "rgb", halo=1)


def network_seeds() -> tuple[Seed, ...]:
    """Two of the bundled, and others of a few nodes."""
    bundled = {f"{name}.onnx": locate(name, 2).read_bytes() for name in ("fast", "fast-int8")}
    models = {**_with_facts(), **_third_party()}
    files = bundled | {f"{name}.onnx": m.SerializeToString() for name, m in models.items()}
    return tuple(Seed(name, data) for name, data in files.items())


def _with_facts() -> dict[str, onnx.ModelProto]:
    plain = sub_pixel_network(channels=3)
    fixed = replace(FACTS, fixed_size=(16, 16), fixed_batch=1)
    tiles = replace(FACTS, size_multiple=4, size_minimum=8, size_maximum=64)
    luma = ModelSpec("grey", 2, "luma", "luma", halo=None)
    same = ModelSpec("same", 1, "rgb", "rgb", halo=0, purpose="restoration")
    return {
        "facts": with_spec(plain, FACTS),
        "facts-fixed": with_spec(sub_pixel_network(3, size=(16, 16), batch=1), fixed),
        "facts-tiles": with_spec(plain, tiles),
        "facts-luma": with_spec(sub_pixel_network(1), luma),
        "facts-branch": with_spec(branch_file(), same),
    }


def _third_party() -> dict[str, onnx.ModelProto]:
    return {
        "stranger": sub_pixel_network(3),
        "stranger-luma": sub_pixel_network(1),
        "stranger-fixed": sub_pixel_network(3, size=(24, 24), batch=1),
        "identity": identity_file(),
        "sharpening": sharpening_file(),
        "classifier": classifier(),
        "loop": loop_file(3),
        "branch": branch_file(),
    }


def loop_file(count: int) -> onnx.ModelProto:
    """The picture as it is, after ``count`` rounds of a loop that changes nothing."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    node = helper.make_node("Loop", ["count", "yes", "input"], ["output"], body=body)
    return identity_file([node], count=np.int64(count), yes=np.bool_(True))


def branch_file() -> onnx.ModelProto:
    """The picture as it is, by one of two equal branches."""
    value = helper.make_tensor_value_info("same", TensorProto.FLOAT, None)
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("Identity", ["input"], ["same"])], name, [], [value]
        )
        for name in ("then", "else")
    }
    node = helper.make_node("If", ["yes"], ["output"], **branches)
    return identity_file([node], yes=np.bool_(True))


def doubling_file(levels: int) -> onnx.ModelProto:
    """A function that calls the one below it twice, ``levels`` deep: 2^levels nodes in all."""
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    functions = [
        helper.make_function(
            "local", f"f{level}", ["x"], ["z"],
            [helper.make_node(name, ["x"], ["y"], domain=domain),
             helper.make_node(name, ["y"], ["z"], domain=domain)],
            imports,
        )
        for level in range(levels)
        for name, domain in [(f"f{level - 1}", "local") if level else ("Relu", "")]
    ]  # fmt: skip
    top = helper.make_node(f"f{levels - 1}", ["input"], ["output"], domain="local")
    model = identity_file([top])
    model.functions.extend(functions)
    model.opset_import.append(imports[1])
    return model


def allocating_file(side: int) -> onnx.ModelProto:
    """A picture plus the sum of a tensor of ``side`` by ``side`` zeros."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["none"], keepdims=0),
        helper.make_node("Add", ["input", "none"], ["output"]),
    ]
    return identity_file(nodes, shape=np.array([side, side], np.int64))


def initializer_with_dims(*dims: int) -> onnx.ModelProto:
    """A network whose weight claims other dimensions than it has bytes for."""
    model = identity_file([helper.make_node("Add", ["input", "w"], ["output"])])
    tensor = numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "w")
    del tensor.dims[:]
    tensor.dims.extend(dims)
    model.graph.initializer.append(tensor)
    return model
