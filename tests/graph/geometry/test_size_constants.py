"""The numbers of a graph's size arithmetic, wherever they stand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

from subpixel.graph.geometry.size_constants import size_constants


def graph(body: str, *constants: onnx.TensorProto) -> onnx.ModelProto:
    text = f"""
        <ir_version: 8, opset_import: ["" : 18]>
        sizes (float[N, 3, H, W] input) => (float[N, 3, H, W] output) {{ {body} }}
    """
    model = parser.parse_model(text)
    model.graph.initializer.extend(constants)
    return model


def constant(name: str, *values: float, kind: type[np.generic] = np.int64) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def test_a_threshold_in_a_branch() -> None:
    model = graph(
        """
        shape = Shape(input)
        width = Gather(shape, three)
        wide = Greater(width, most)
        output = If (wide) <
            then_branch = one () => (float[N, 3, H, W] a) { a = Neg(input) },
            else_branch = two () => (float[N, 3, H, W] b) { b = Identity(input) }
        >
        """,
        constant("three", 3),
        constant("most", 256),
    )
    assert 256 in size_constants(model).lengths


def test_numbers_of_an_inner_graph() -> None:
    model = graph(
        """
        shape = Shape(input)
        width = Gather(shape, three)
        wide = Greater(width, three)
        output = If (wide) <
            then_branch = one () => (float[N, 3, H, W] a) {
                limit = Constant <value_int = 177> ()
                rest = Mod(width, limit)
                real = Cast <to = 1> (rest)
                a = Mul(input, real)
            },
            else_branch = two () => (float[N, 3, H, W] b) { b = Identity(input) }
        >
        """,
        constant("three", 3),
    )
    assert 177 in size_constants(model).lengths


def test_factors_of_sizes_and_of_resize() -> None:
    model = graph(
        """
        shape = Shape <start = 2> (input)
        real = Cast <to = 1> (shape)
        part = Mul(real, factor)
        whole = Floor(part)
        small = Resize <mode = "linear"> (input, , scales)
        output = Identity(input)
        """,
        constant("factor", 1.4, kind=np.float32),
        constant("scales", 1, 1, 0.7, 0.7, kind=np.float32),
    )
    factors = size_constants(model).factors
    assert np.isclose(sorted(factors), [0.7, 1.4]).all()


def test_weights_are_no_sizes() -> None:
    model = graph(
        "output = Mul(input, weight)",
        constant("weight", 77.0, kind=np.float32),
    )
    assert not size_constants(model).lengths


def test_numbers_of_a_function() -> None:
    model = graph("output = local.Own(input)")
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Constant", [], ["c"], value_int=99),
        helper.make_node("Mod", ["s", "c"], ["m"]),
        helper.make_node("Identity", ["x"], ["y"]),
    ]
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("local", "Own", ["x"], ["y"], nodes, opsets))
    assert 99 in size_constants(model).lengths


def test_values_outside_the_file_are_left_alone() -> None:
    outside = TensorProto(name="limit", data_type=TensorProto.INT64, dims=[1])
    outside.data_location = TensorProto.EXTERNAL
    model = graph("shape = Shape(input) m = Mod(shape, limit) output = Identity(input)", outside)
    assert not size_constants(model).lengths
