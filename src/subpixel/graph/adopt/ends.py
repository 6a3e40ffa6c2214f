"""One picture in, one out: further inputs become constants, further outputs are removed."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from subpixel.errors import NetworkError, UsageError
from subpixel.graph.adopt.frame import copy_model
from subpixel.graph.adopt.sample_type import SAMPLE_TYPES
from subpixel.graph.geometry.propagate import picture_inputs

OPTION = "--set-input NAME=VALUE"


def with_inputs_set(model: onnx.ModelProto, values: Mapping[str, float]) -> onnx.ModelProto:
    """A copy of ``model`` in which the inputs named in ``values`` are constants.

    All elements of such an input have the one value. Its axes must have fixed lengths, or the
    lengths of the picture's own batch, height and width. Raises :class:`UsageError` for a name that
    is no input, and :class:`NetworkError` where inputs besides the picture remain.
    """
    result = copy_model(model)
    inputs = {end.name: end for end in picture_inputs(result)}
    if unknown := values.keys() - inputs.keys():
        raise UsageError(
            f"there is no input {sorted(unknown)[0]!r}; there are {_quote_names(inputs)}"
        )
    picture = _picture_of({n: v for n, v in inputs.items() if n not in values})
    for name, value in values.items():
        _set_input(result.graph, inputs[name], value, picture)
    remaining = [end for end in result.graph.input if end.name not in values]
    del result.graph.input[:]
    result.graph.input.extend(remaining)
    return result


def _picture_of(inputs: Mapping[str, onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    """The input that is the picture; raises :class:`NetworkError` while there are others."""
    if len(inputs) == 1:
        return next(iter(inputs.values()))
    if not inputs:
        raise NetworkError("no input is left for the picture: all of them are set")
    pictures = [end for end in inputs.values() if _may_be_picture(end)]
    if len(pictures) == 1:
        others = [end for end in inputs.values() if end is not pictures[0]]
        raise NetworkError(
            f"besides the picture, {pictures[0].name}, it takes {_describe(others[0])}; set it to "
            f"a value: {OPTION.replace('NAME', others[0].name)}"
        )
    descriptions = ", ".join(_describe(end) for end in inputs.values())
    raise NetworkError(
        f"it takes {len(inputs)} inputs: {descriptions}; set all but the picture to a value: "
        f"{OPTION}"
    )


def _may_be_picture(end: onnx.ValueInfoProto) -> bool:
    tensor = end.type.tensor_type
    lengths = [dim.dim_value for dim in tensor.shape.dim]
    channels = len(lengths) == 4 and (lengths[1] == 3 or lengths[3] == 3)
    return tensor.elem_type in SAMPLE_TYPES and channels


def _describe(end: onnx.ValueInfoProto) -> str:
    return helper.printable_value_info(end).removeprefix("%")


def _quote_names(inputs: Mapping[str, onnx.ValueInfoProto]) -> str:
    return ", ".join(map(repr, inputs))


def _set_input(
    graph: onnx.GraphProto, end: onnx.ValueInfoProto, value: float, picture: onnx.ValueInfoProto
) -> None:
    tensor = end.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    lengths = [dim.dim_value for dim in tensor.shape.dim]
    with np.errstate(all="ignore"):
        number = np.array(value).astype(dtype)
    if not np.isclose(float(number), value):
        raise UsageError(f"the input {end.name} holds {dtype}; {value:g} is none")
    free = [axis for axis, length in enumerate(lengths) if not length]
    if not free:
        constant = np.full(lengths, number, dtype)
        graph.initializer.append(numpy_helper.from_array(constant, end.name))
        return
    if len(lengths) not in (1, 4):
        raise NetworkError(
            f"the input {_describe(end)} has free axes that are not the picture's; export it "
            "with fixed ones"
        )
    _expand_constant(
        graph, end.name, np.full([n or 1 for n in lengths], number, dtype), free, picture
    )


def _expand_constant(
    graph: onnx.GraphProto,
    name: str,
    constant: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    free: list[int],
    picture: onnx.ValueInfoProto,
) -> None:
    """Add a constant whose free axes have the lengths of the picture's axes at the same
    positions."""
    room = f"adopt/{name}/"
    parameters = {room + "value": constant, **{room + str(a): np.array([a]) for a in free}}
    parameters |= {
        room + str(axis): np.array([length], np.int64)
        for axis, length in enumerate(constant.shape)
        if axis not in free
    }
    lengths = [room + (f"length_{a}" if a in free else str(a)) for a in range(constant.ndim)]
    nodes_before = [
        helper.make_node("Shape", [picture.name], [room + "shape"]),
        *(
            helper.make_node("Gather", [room + "shape", room + str(a)], [room + f"length_{a}"])
            for a in free
        ),
        helper.make_node("Concat", lengths, [room + "lengths"], axis=0),
        helper.make_node("Expand", [room + "value", room + "lengths"], [name]),
    ]
    graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in parameters.items())
    nodes = [*nodes_before, *(onnx.NodeProto.FromString(n.SerializeToString()) for n in graph.node)]
    del graph.node[:]
    graph.node.extend(nodes)


def with_output(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """A copy of ``model`` with ``name`` as its only output.

    Raises :class:`UsageError` where there is no such output.
    """
    result = copy_model(model)
    outputs = [output for output in result.graph.output if output.name == name]
    if not outputs:
        names = ", ".join(repr(output.name) for output in model.graph.output)
        raise UsageError(f"there is no output {name!r}; there are {names}")
    del result.graph.output[:]
    result.graph.output.extend(outputs)
    return result
