"""One picture in, one out: further inputs get a value, further outputs go."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from subpixel.errors import NetworkError, UsageError
from subpixel.graph.adopt.frame import copied
from subpixel.graph.adopt.sample_type import SAMPLE_TYPES
from subpixel.graph.geometry.propagate import picture_inputs

OPTION = "--set-input NAME=VALUE"


def with_inputs_set(model: onnx.ModelProto, values: Mapping[str, float]) -> onnx.ModelProto:
    """A copy of ``model`` in which the inputs that ``values`` names are constants.

    Every element of such an input takes the one value. Its axes are of fixed lengths; those that
    aren't must be the picture's own batch, height and width. Raises :class:`UsageError` for a
    name that is no input, and :class:`NetworkError` where more than the picture is left.
    """
    result = copied(model)
    inputs = {given.name: given for given in picture_inputs(result)}
    if unknown := values.keys() - inputs.keys():
        raise UsageError(f"there is no input {sorted(unknown)[0]!r}; there are {_listed(inputs)}")
    picture = _picture_of({n: v for n, v in inputs.items() if n not in values})
    for name, value in values.items():
        _set(result.graph, inputs[name], value, picture)
    kept = [given for given in result.graph.input if given.name not in values]
    del result.graph.input[:]
    result.graph.input.extend(kept)
    return result


def _picture_of(inputs: Mapping[str, onnx.ValueInfoProto]) -> onnx.ValueInfoProto:
    """The input that can only be the picture; what else there is must be set first."""
    if len(inputs) == 1:
        return next(iter(inputs.values()))
    if not inputs:
        raise NetworkError("no input is left for the picture: all of them are set")
    pictures = [given for given in inputs.values() if _may_be_picture(given)]
    if len(pictures) == 1:
        others = [given for given in inputs.values() if given is not pictures[0]]
        raise NetworkError(
            f"besides the picture, {pictures[0].name}, it takes {_described(others[0])}; set it to "
            f"a value: {OPTION.replace('NAME', others[0].name)}"
        )
    described = ", ".join(_described(given) for given in inputs.values())
    raise NetworkError(
        f"it takes {len(inputs)} inputs: {described}; set all but the picture to a value: {OPTION}"
    )


def _may_be_picture(given: onnx.ValueInfoProto) -> bool:
    tensor = given.type.tensor_type
    lengths = [dim.dim_value for dim in tensor.shape.dim]
    channels = len(lengths) == 4 and (lengths[1] == 3 or lengths[3] == 3)
    return tensor.elem_type in SAMPLE_TYPES and channels


def _described(given: onnx.ValueInfoProto) -> str:
    return helper.printable_value_info(given).removeprefix("%")


def _listed(inputs: Mapping[str, onnx.ValueInfoProto]) -> str:
    return ", ".join(map(repr, inputs))


def _set(
    graph: onnx.GraphProto, given: onnx.ValueInfoProto, value: float, picture: onnx.ValueInfoProto
) -> None:
    tensor = given.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    lengths = [dim.dim_value for dim in tensor.shape.dim]
    with np.errstate(all="ignore"):
        number = np.array(value).astype(dtype)
    if not np.isclose(float(number), value):
        raise UsageError(f"the input {given.name} holds {dtype}; {value:g} is none")
    free = [axis for axis, length in enumerate(lengths) if not length]
    if not free:
        filled = np.full(lengths, number, dtype)
        graph.initializer.append(numpy_helper.from_array(filled, given.name))
        return
    if len(lengths) not in (1, 4):
        raise NetworkError(
            f"the input {_described(given)} has free axes that are not the picture's; export it "
            "with fixed ones"
        )
    _expand(graph, given.name, np.full([n or 1 for n in lengths], number, dtype), free, picture)


def _expand(
    graph: onnx.GraphProto,
    name: str,
    filled: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    free: list[int],
    picture: onnx.ValueInfoProto,
) -> None:
    """A constant whose free axes are as long as the picture's of the same place."""
    room = f"adopt/{name}/"
    parameters = {room + "value": filled, **{room + str(a): np.array([a]) for a in free}}
    parameters |= {
        room + str(axis): np.array([length], np.int64)
        for axis, length in enumerate(filled.shape)
        if axis not in free
    }
    lengths = [room + (f"length_{a}" if a in free else str(a)) for a in range(filled.ndim)]
    added = [
        helper.make_node("Shape", [picture.name], [room + "shape"]),
        *(
            helper.make_node("Gather", [room + "shape", room + str(a)], [room + f"length_{a}"])
            for a in free
        ),
        helper.make_node("Concat", lengths, [room + "lengths"], axis=0),
        helper.make_node("Expand", [room + "value", room + "lengths"], [name]),
    ]
    graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in parameters.items())
    nodes = [*added, *(onnx.NodeProto.FromString(n.SerializeToString()) for n in graph.node)]
    del graph.node[:]
    graph.node.extend(nodes)


def with_output(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """A copy of ``model`` that gives its output ``name`` alone.

    Raises :class:`UsageError` where there is none of that name.
    """
    result = copied(model)
    kept = [output for output in result.graph.output if output.name == name]
    if not kept:
        names = ", ".join(repr(output.name) for output in model.graph.output)
        raise UsageError(f"there is no output {name!r}; there are {names}")
    del result.graph.output[:]
    result.graph.output.extend(kept)
    return result
