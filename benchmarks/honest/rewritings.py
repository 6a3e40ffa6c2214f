"""More ways to write the same graph, drawn from a seed; the pictures must not change."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import onnx
from faults import conditions
from faults.conditions import When
from faults.fault import Random
from faults.honest import REWRITINGS
from faults.splice import COLUMNS, ROWS, Splice, places
from onnx import TensorProto, helper, numpy_helper, shape_inference

Rewriting = Callable[[onnx.ModelProto, Random], onnx.ModelProto | None]
"""None where the graph has no place for it."""

Same = Callable[[Splice], str]
"""Nodes that give the tensor as it is, to the last bit."""


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def constants_as_parameters(model: onnx.ModelProto, _: Random) -> onnx.ModelProto | None:
    result = _copy(model)
    constants = {
        node.output[0]: node.attribute[0].t
        for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    kept = [node for node in model.graph.node if node.output[0] not in constants]
    del result.graph.node[:]
    result.graph.node.extend(kept)
    for name, tensor in constants.items():
        result.graph.initializer.append(
            numpy_helper.from_array(numpy_helper.to_array(tensor), name)
        )
    return result if constants else None


def shapes_written(model: onnx.ModelProto, _: Random) -> onnx.ModelProto:
    """The shape of every value, as far as onnx infers it."""
    return shape_inference.infer_shapes(model)


def left_over(model: onnx.ModelProto, random: Random) -> onnx.ModelProto:
    """Nodes and parameters that no output needs."""
    result = _copy(model)
    tensor = str(random.choice(places(model)))
    values = numpy_helper.from_array(random.random((3, 5), np.float32), "left/parameter")
    result.graph.initializer.append(values)
    mean = helper.make_node("GlobalAveragePool", [tensor], ["left/mean"], name="left/mean")
    result.graph.node.append(mean)
    return result


def halves_where_exact(model: onnx.ModelProto, _: Random) -> onnx.ModelProto | None:
    """Parameters that float16 holds exactly in float16, each cast behind."""
    result, casts = _copy(model), []
    for tensor in result.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 9 or not _is_half(values):
            continue
        name = f"{tensor.name}/half"
        casts.append(helper.make_node("Cast", [name], [tensor.name], name, to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name))
    for cast in casts[::-1]:
        result.graph.node.insert(0, cast)
    return result if casts else None


def _is_half(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values.astype(np.float16).astype(np.float32), values))


# --- nodes that change nothing


def untouched(splice: Splice) -> str:
    return splice.node("Identity", [splice.tensor])


def times_one(splice: Splice) -> str:
    return splice.node("Mul", [splice.tensor, splice.constant(1.0)])


def negated_twice(splice: Splice) -> str:
    return splice.node("Neg", [splice.node("Neg", [splice.tensor])])


def transposed_twice(splice: Splice) -> str:
    turned = splice.node("Transpose", [splice.tensor], {"perm": [0, 1, 3, 2]})
    return splice.node("Transpose", [turned], {"perm": [0, 1, 3, 2]})


def doubled_and_halved(splice: Splice) -> str:
    return splice.node("Div", [splice.node("Add", [splice.tensor] * 2), splice.constant(2.0)])


def through_double(splice: Splice) -> str:
    return splice.cast(splice.cast(splice.tensor, TensorProto.DOUBLE))


def padded_and_cut(splice: Splice) -> str:
    pads = splice.constant([0, 0, 2, 3, 0, 0, 1, 4], "int64")
    larger = splice.node("Pad", [splice.tensor, pads, splice.constant(0.0)], {"mode": "constant"})
    ends = [splice.constant(end, "int64") for end in ([2, 3], [-1, -4], [ROWS, COLUMNS])]
    return splice.node("Slice", [larger, *ends])


def parts_joined(splice: Splice) -> str:
    """Cut in two columns' widths and put together again."""
    at = splice.node("Div", [splice.length(splice.tensor, COLUMNS), splice.constant(2, "int64")])
    axis = splice.constant([COLUMNS], "int64")
    middle = splice.node("Unsqueeze", [at, splice.constant([0], "int64")])
    first, last = splice.constant([0], "int64"), splice.constant([2**62], "int64")
    left = splice.node("Slice", [splice.tensor, first, middle, axis])
    right = splice.node("Slice", [splice.tensor, middle, last, axis])
    return splice.node("Concat", [left, right], {"axis": COLUMNS})


SAME: Mapping[str, Same] = {
    function.__name__.replace("_", " "): function
    for function in (
        untouched,
        times_one,
        negated_twice,
        transposed_twice,
        doubled_and_halved,
        through_double,
        padded_and_cut,
        parts_joined,
    )
}


def around(same: Same, model: onnx.ModelProto, random: Random) -> onnx.ModelProto:
    """Somewhere in the graph, nodes that change nothing."""
    splice = Splice(model, str(random.choice(places(model))))
    return splice.finish(same(splice))[0]


def either_way(
    whens: Sequence[When], model: onnx.ModelProto, random: Random
) -> onnx.ModelProto | None:
    """A branch on sizes or contents whose both sides are the same."""
    splice = Splice(model, str(random.choice(places(model))))
    condition, since = whens[random.integers(len(whens))](splice, random), splice.count
    if condition is None:
        return None
    same = list(SAME.values())[random.integers(len(SAME))](splice)
    if condition.whole and random.integers(2):
        return splice.finish(splice.branch(condition.name, since, same))[0]
    return splice.finish(splice.choose(condition.name, same))[0]


WRITINGS: Mapping[str, Rewriting] = {
    **{name: lambda model, _, change=change: change(model) for name, change in REWRITINGS.items()},
    "constants as parameters": constants_as_parameters,
    "shapes written": shapes_written,
    "left over": left_over,
    "halves where exact": halves_where_exact,
    **{name: partial(around, same) for name, same in SAME.items()},
    "same whatever the size": partial(either_way, conditions.SIZES),
    "same whatever it shows": partial(either_way, conditions.CONTENTS),
    "same everywhere": partial(either_way, conditions.PLACES),
}
"""By what is done."""
