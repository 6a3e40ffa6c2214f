"""Faults that exporters, converters and people make, injected into a graph one at a time.

A fault is a pure function ``(model, random) -> Mutant | None``: it copies the graph, draws a place
among those that suit it, and changes it there; None where the graph has no such place.

``Mutant.nodes`` holds the right answers to "which node is to blame?", by this rule:

* a node whose operator, attributes or constants were changed: that node;
* a node that reads something else now: that node; where the results of one node changed places,
  it and their readers;
* nodes that were put in: each of them, and who reads their result;
* a node that was taken out: the makers of what it read, and the readers of what it made, for
  either of these is where the two graphs part.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import ml_dtypes
import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper

from faults.patient import Array, Patient, Value, get, read_instead, set_, unset

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Mutant:
    """A graph with one fault."""

    model: onnx.ModelProto
    nodes: frozenset[str]
    """Names of the nodes that are right answers."""
    kind: str


Fault = Callable[[onnx.ModelProto, Random], Mutant | None]


# --- where

Change = Callable[[Patient, NodeProto, Random], Sequence[NodeProto] | None]
"""Changes the graph at one node and gives the right answers, or None where that doesn't suit."""


def _at(*operators: str, change: Change) -> Callable[[str], Fault]:
    """The fault that does ``change`` at a node of these operators, drawn among those that suit."""

    def named(kind: str) -> Fault:
        def fault(model: onnx.ModelProto, random: Random) -> Mutant | None:
            patient = Patient(model)
            places = patient.nodes(*operators)
            for i in random.permutation(len(places)):
                right = change(patient, places[i], random)
                if right is not None:
                    names = frozenset(node.name for node in right)
                    return Mutant(patient.model, names, kind)
            return None

        return fault

    return named


ValueChange = Callable[[Array, Random], Array | None]
"""A constant's new value; None where it does not suit, or would be the same."""


def _constant(operators: Sequence[str], index: int, change: ValueChange) -> Callable[[str], Fault]:
    """A fault in the constant that nodes of these operators have as input ``index``."""

    def changed(patient: Patient, node: NodeProto, random: Random) -> Sequence[NodeProto] | None:
        old = patient.constant(node, index)
        new = None if old is None else change(old, random)
        if old is None or new is None or np.array_equal(old, new):
            return None
        patient.give(node, index, new.astype(old.dtype))
        return [node]

    return _at(*operators, change=changed)


def _setting(
    operators: Sequence[str], change: Callable[[NodeProto, Random], Mapping[str, Value] | None]
) -> Callable[[str], Fault]:
    """A fault in the attributes of nodes of these operators."""

    def changed(_: Patient, node: NodeProto, random: Random) -> Sequence[NodeProto] | None:
        new = change(node, random)
        if new is None:
            return None
        for name, value in new.items():
            set_(node, name, value)
        return [node]

    return _at(*operators, change=changed)


def _operator(
    old: str | Sequence[str],
    new: str,
    attributes: Mapping[str, Value] | None = None,
    inputs: int = 9,
) -> Callable[[str], Fault]:
    """Another operator in place of ``old``, with these attributes and so many of its inputs."""

    def changed(_: Patient, node: NodeProto, __: Random) -> Sequence[NodeProto]:
        node.op_type = new
        del node.attribute[:]
        del node.input[inputs:]
        for name, value in (attributes or {}).items():
            set_(node, name, value)
        return [node]

    return _at(*([old] if isinstance(old, str) else old), change=changed)


# --- weights

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
CONVOLUTIONS = ("Conv", "ConvTranspose")


def _floats(weights: Array) -> bool:
    return weights.dtype == np.float32 and weights.size > 0


def _largest_times(factor: float) -> ValueChange:
    def change(weights: Array, _: Random) -> Array:
        changed = weights.copy()
        changed.flat[np.abs(weights).argmax()] *= factor
        return changed

    return change


def _all_times(factor: float) -> ValueChange:
    return lambda weights, _: weights * np.float32(factor) if _floats(weights) else None


def _rounded_to(dtype: np.typing.DTypeLike) -> ValueChange:
    return lambda weights, _: np.asarray(weights.astype(dtype), np.float32)


def _rounded_to_int8(weights: Array, _: Random) -> Array:
    """Symmetric, one scale for the whole tensor."""
    step = np.abs(weights).max() / 127
    rounded: Array = np.round(weights / step) * step
    return rounded


def _kernel(change: Callable[[Array], Array]) -> ValueChange:
    """For kernels that are wider than a pixel and square."""

    def changed(weights: Array, _: Random) -> Array | None:
        suits = weights.ndim == 4 and weights.shape[2] == weights.shape[3] > 1
        return change(weights) if suits else None

    return changed


def _channels_exchanged(weights: Array, _: Random) -> Array | None:
    """Inputs for outputs, of layers that have as many of each."""
    suits = weights.ndim in (2, 4) and weights.shape[0] == weights.shape[1] > 1
    return weights.swapaxes(0, 1) if suits else None


def _swapped(weights: Array, random: Random, axis: int) -> Array | None:
    count = weights.shape[axis] if weights.ndim > axis else 0
    if count < 2:
        return None
    first, second = random.choice(count, 2, replace=False)
    order = np.arange(count)
    order[[first, second]] = order[[second, first]]
    return weights.take(order, axis)


def _one_output_dead(weights: Array, random: Random) -> Array:
    alive = np.ones((len(weights), *[1] * (weights.ndim - 1)), np.float32)
    alive[random.integers(len(weights))] = 0
    return weights * alive


def _output_channels_swapped(
    patient: Patient, node: NodeProto, random: Random
) -> Sequence[NodeProto] | None:
    """With their biases, as a wrong order of the layer's outputs would have it."""
    weights, bias = patient.constant(node, 1), patient.constant(node, 2)
    if weights is None or len(weights) < 2:
        return None
    first, second = random.choice(len(weights), 2, replace=False)
    for index, values in ((1, weights), (2, bias)):
        if values is not None:
            values[[first, second]] = values[[second, first]]
            patient.give(node, index, values)
    return [node]


def _bias_dropped(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    bias = patient.constant(node, 2)
    if bias is None or not bias.any():
        return None
    del node.input[2]
    return [node]


def _shifted(by: float) -> ValueChange:
    return lambda values, _: values + np.float32(by) if _floats(values) else None


def _cross_terms_dropped(
    patient: Patient, node: NodeProto, _: Random
) -> Sequence[NodeProto] | None:
    """``groups=2``: each half of the outputs sees its half of the inputs alone."""
    weights = patient.constant(node, 1)
    if (
        weights is None
        or get(node, "group", 1) != 1
        or weights.shape[0] % 2
        or weights.shape[1] % 2
    ):
        return None
    half_out, half_in = weights.shape[0] // 2, weights.shape[1] // 2
    parts = [weights[:half_out, :half_in], weights[half_out:, half_in:]]
    patient.give(node, 1, np.concatenate(parts))
    set_(node, "group", 2)
    return [node]


# --- constants beside the weights

ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Pow")
NORMALISATIONS = ("LayerNormalization", "InstanceNormalization", "BatchNormalization")
LEAST = 1e-3
"""A constant that is added and is no larger than this is an epsilon."""


def _side_constant(
    suits: Callable[[NodeProto, Array], bool], change: Callable[[Array], Array]
) -> Callable[[str], Fault]:
    """A fault in whichever side of an arithmetic operator is a constant."""

    def changed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
        for index in (0, 1):
            value = patient.constant(node, index)
            if value is not None and _floats(value) and suits(node, value):
                patient.give(node, index, change(value).astype(value.dtype))
                return [node]
        return None

    return _at(*ARITHMETIC, change=changed)


def _is_epsilon(node: NodeProto, value: Array) -> bool:
    return node.op_type == "Add" and value.size == 1 and 0 < value.item() <= LEAST


def _epsilon_changed(node: NodeProto, _: Random) -> Mapping[str, Value]:
    return {"epsilon": 1000 * float(get(node, "epsilon", 1e-5))}


# --- activations

ACTIVATIONS = ("Relu", "LeakyRelu", "PRelu", "Sigmoid", "Erf", "Gelu", "Tanh", "Elu")


def _taken_out(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto]:
    return patient.take_out(node, node.input[0])


def _gelu_by_tanh(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto]:
    """erf(z) ≈ tanh(2/√π (z + 2 · 0.044715 z³)): GELU's approximation, with z = x/√2."""
    (z,), (result,) = node.input, node.output
    names = {what: patient.name(what) for what in ("square", "scaled", "factor", "inside")}
    slope = 2 / np.sqrt(np.pi)
    steps = (
        ("Mul", [z, z], "square"),
        ("Mul", [names["square"], _scalar(patient, slope * 2 * 0.044715)], "scaled"),
        ("Add", [names["scaled"], _scalar(patient, slope)], "factor"),
        ("Mul", [names["factor"], z], "inside"),
    )
    added = [
        helper.make_node(operator, inputs, [names[what]], name=names[what])
        for operator, inputs, what in steps
    ]
    added.append(helper.make_node("Tanh", [names["inside"]], [result], name=node.name))
    patient.put_before(node, *added)
    patient.graph.node.remove(node)
    return [*added, *patient.readers(result)]


def _scalar(patient: Patient, value: float) -> str:
    return patient.parameter(np.array(value, np.float32))


def _bounds_changed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """A tighter upper bound."""
    upper = patient.constant(node, 2)
    if upper is None:
        return None
    patient.give(node, 2, (upper * np.float32(0.9)).astype(upper.dtype))
    return [node]


# --- padding, stride, dilation, pooling


def _pads_shifted(node: NodeProto, _: Random) -> Mapping[str, Value] | None:
    """The same size, a pixel off: one row less in front, one more behind."""
    top, left, bottom, right = get(node, "pads", [0, 0, 0, 0])
    return {"pads": [top - 1, left, bottom + 1, right]} if top else None


def _padding_mode(mode: str) -> Callable[[str], Fault]:
    """A convolution that pads with zeros gets a Pad of another mode in front instead."""

    def changed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
        top, left, bottom, right = get(node, "pads", [0, 0, 0, 0])
        if not top or patient.opset < 11:
            return None
        padded = patient.name("padded")
        widths = patient.parameter(np.array([0, 0, top, left, 0, 0, bottom, right]))
        pad = helper.make_node("Pad", [node.input[0], widths], [padded], name=padded, mode=mode)
        patient.put_before(node, pad)
        node.input[0] = padded
        set_(node, "pads", [0, 0, 0, 0])
        return [pad, node]

    return _at("Conv", change=changed)


def _pad_mode_changed(node: NodeProto, _: Random) -> Mapping[str, Value]:
    return {"mode": "edge" if get(node, "mode", "constant") != "edge" else "constant"}


def _dilated(node: NodeProto, _: Random) -> Mapping[str, Value] | None:
    """Twice the dilation, with the padding that keeps the size."""
    kernel, pads = get(node, "kernel_shape"), get(node, "pads", [0] * 4)
    dilations = get(node, "dilations", [1, 1])
    if not kernel or min(kernel) < 2:
        return None
    grown = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    if any(g % 2 for g in grown):
        return None
    return {
        "dilations": [2 * d for d in dilations],
        "pads": [p + g // 2 for p, g in zip(pads, grown * 2, strict=True)],
    }


def _strides_doubled(node: NodeProto, _: Random) -> Mapping[str, Value]:
    return {"strides": [2 * stride for stride in get(node, "strides", [1, 1])]}


# --- sub-pixels and interpolation


def _depth_order_changed(node: NodeProto, _: Random) -> Mapping[str, Value]:
    return {"mode": "DCR" if get(node, "mode", "DCR") == "CRD" else "CRD"}


def _sub_pixels_transposed(
    patient: Patient, node: NodeProto, _: Random
) -> Sequence[NodeProto] | None:
    """Rows for columns inside every block, by another order of the channels in front."""
    block, mode = get(node, "blocksize"), get(node, "mode", "DCR")
    channels = np.arange(patient.values[node.input[0]].shape[1])
    order = channels.reshape((-1, block, block) if mode == "CRD" else (block, block, -1))
    order = order.swapaxes(1, 2) if mode == "CRD" else order.swapaxes(0, 1)
    return _gathered_before(patient, node, order.ravel())


def _gathered_before(
    patient: Patient, node: NodeProto, order: Array, axis: int = 1
) -> list[NodeProto]:
    name = patient.name("reordered")
    inputs = [node.input[0], patient.parameter(order.astype(np.int64))]
    gather = helper.make_node("Gather", inputs, [name], name=name, axis=axis)
    patient.put_before(node, gather)
    node.input[0] = name
    return [gather, node]


_OTHER_PLACES = {
    "half_pixel": "asymmetric",
    "pytorch_half_pixel": "align_corners",
    "asymmetric": "half_pixel",
    "align_corners": "half_pixel",
}


def _places_changed(node: NodeProto, _: Random) -> Mapping[str, Value]:
    old = get(node, "coordinate_transformation_mode", "half_pixel")
    return {"coordinate_transformation_mode": _OTHER_PLACES[old]}


def _interpolation_changed(node: NodeProto, _: Random) -> Mapping[str, Value]:
    return {"mode": {"nearest": "linear", "linear": "nearest"}.get(get(node, "mode"), "linear")}


def _rounding_changed(node: NodeProto, _: Random) -> Mapping[str, Value] | None:
    if get(node, "mode", "nearest") != "nearest":
        return None
    old = get(node, "nearest_mode", "round_prefer_floor")
    return {"nearest_mode": "floor" if old == "ceil" else "ceil"}


def _cubic_coefficient_changed(node: NodeProto, _: Random) -> Mapping[str, Value] | None:
    if get(node, "mode") != "cubic":
        return None
    return {"cubic_coeff_a": -0.5 if get(node, "cubic_coeff_a", -0.75) < -0.6 else -0.75}


# --- sizes and axes

SIZES = {"Reshape": 1, "Expand": 1, "Resize": 3, "Pad": 1, "Slice": 2}
"""Operators that take sizes, and as which input."""


def _size_baked(operators: Sequence[str], entries: slice) -> Callable[[str], Fault]:
    """Those entries of a computed size become what they are for the example."""

    def changed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
        index = SIZES[node.op_type]
        name = node.input[index] if index < len(node.input) else ""
        seen = patient.values.get(name)
        if seen is None or not seen.size or patient.constant(node, index) is not None:
            return None
        _bake(patient, node, index, seen, entries)
        return [node]

    return _at(*operators, change=changed)


def _bake(patient: Patient, node: NodeProto, index: int, seen: Array, entries: slice) -> None:
    """The whole size, or its first entries in front of the rest as it is computed."""
    baked = patient.parameter(seen.astype(np.int64)[entries])
    if len(seen[entries]) == len(seen):
        node.input[index] = baked
        return
    rest, name = patient.name("rest"), patient.name("size")
    bounds = [patient.parameter(np.array([at])) for at in (entries.stop, len(seen))]
    patient.put_before(
        node,
        helper.make_node("Slice", [node.input[index], *bounds], [rest], name=rest),
        helper.make_node("Concat", [baked, rest], [name], name=name, axis=0),
    )
    node.input[index] = name


def _open_entry_fixed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """The -1 in a Reshape's constant shape becomes what it is for the example."""
    shape = patient.constant(node, 1)
    if shape is None or -1 not in shape:
        return None
    axis = int(np.flatnonzero(shape == -1)[0])
    shape[axis] = patient.values[node.output[0]].shape[axis]
    patient.give(node, 1, shape)
    return [node]


def _height_for_width(_: Patient, node: NodeProto, __: Random) -> Sequence[NodeProto] | None:
    """The size of the axis before, for a Shape of the last axis alone."""
    if (get(node, "start"), get(node, "end")) != (3, 4):
        return None
    set_(node, "start", 2)
    set_(node, "end", 3)
    return [node]


def _order_changed(node: NodeProto, random: Random) -> Mapping[str, Value]:
    order = np.array(get(node, "perm"))
    first, second = random.choice(len(order), 2, replace=False)
    order[[first, second]] = order[[second, first]]
    return {"perm": order.tolist()}


def _softmax_axis_changed(node: NodeProto, _: Random) -> Mapping[str, Value]:
    return {"axis": -2 if get(node, "axis", -1) != -2 else -1}


def _softmax_of_opset_12(
    patient: Patient, node: NodeProto, _: Random
) -> Sequence[NodeProto] | None:
    """Over every axis from the first on, which was the default before opset 13."""
    shape, flat, soft = (patient.name(what) for what in ("shape", "flat", "soft"))
    added = [
        helper.make_node("Shape", [node.input[0]], [shape], name=shape),
        helper.make_node("Flatten", [node.input[0]], [flat], name=flat, axis=1),
        helper.make_node("Softmax", [flat], [soft], name=soft, axis=-1),
        helper.make_node("Reshape", [soft, shape], [node.output[0]], name=node.name),
    ]
    patient.put_before(node, *added)
    patient.graph.node.remove(node)
    return [*added, *patient.readers(added[-1].output[0])]


def _reduced_axes_changed(
    patient: Patient, node: NodeProto, _: Random
) -> Sequence[NodeProto] | None:
    """One axis of several is left out; a single one is its neighbour's."""
    axes = patient.constant(node, 1) if len(node.input) > 1 else get(node, "axes")
    if axes is None or not get(node, "keepdims", 1):
        return None
    new = list(axes[:-1]) if len(axes) > 1 else [int(axes[0]) - 1]
    if len(node.input) > 1:
        patient.give(node, 1, np.array(new))
    else:
        set_(node, "axes", new)
    return [node]


def _slice_shifted(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """It begins one place earlier; where it can't, one later."""
    begin = patient.constant(node, 1)
    if begin is None:
        return None
    patient.give(node, 1, begin + np.where(begin == 0, 1, -1))
    return [node]


def _index_off_by_one(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """The next of what a Gather picks from; the first after the last."""
    index = patient.constant(node, 1)
    if index is None:
        return None
    count = patient.values[node.input[0]].shape[get(node, "axis", 0)]
    patient.give(node, 1, (index + 1) % count)
    return [node] if count > 1 else None


# --- wiring


def _inputs_reversed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """Of a picture's parts; who joins sizes has no order to lose but a shape."""
    if len(set(node.input)) < 2 or patient.values[node.output[0]].dtype != np.float32:
        return None
    node.input[:] = list(node.input)[::-1]
    return [node]


def _outputs_reversed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto]:
    node.output[:] = list(node.output)[::-1]
    return [node, *(reader for name in node.output for reader in patient.readers(name))]


def _same_shape_elsewhere(patient: Patient, node: NodeProto, index: int) -> list[str]:
    """Other tensors that this input could have been taken from by mistake: made earlier."""
    own = node.input[index]
    shape = patient.values[own].shape
    before: list[str] = []
    for other in patient.graph.node:
        if other is node:
            break
        before.extend(name for name in other.output if name and name not in node.input)
    values = patient.values
    return [
        name for name in before if values[name].shape == shape and values[name].dtype == np.float32
    ]


def _taken_from_elsewhere(
    patient: Patient, node: NodeProto, random: Random
) -> Sequence[NodeProto] | None:
    """One side of a residual connection comes from another layer."""
    if any(name not in patient.values for name in node.input):
        return None
    others = _same_shape_elsewhere(patient, node, 1)
    if patient.values[node.input[1]].dtype != np.float32 or not others:
        return None
    node.input[1] = others[random.integers(len(others))]
    return [node]


def _one_side_dropped(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """A residual connection is left out."""
    sides = [patient.values.get(name) for name in node.input]
    if any(side is None or side.dtype != np.float32 for side in sides):
        return None
    if patient.values[node.output[0]].shape != patient.values[node.input[0]].shape:
        return None
    return patient.take_out(node, node.input[0])


def _skipped(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """A layer that keeps the shape is left out."""
    values = patient.values
    if values[node.input[0]].shape != values[node.output[0]].shape:
        return None
    return patient.take_out(node, node.input[0])


def _doubled(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    """A layer that keeps the shape is gone through twice."""
    values = patient.values
    if values[node.input[0]].shape != values[node.output[0]].shape:
        return None
    first, name = NodeProto(), patient.name("first")
    first.CopyFrom(node)
    first.name = first.output[0] = name
    patient.put_before(node, first)
    node.input[0] = name
    return [first, node]


def _operands_swapped(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
    if patient.values[node.output[0]].dtype != np.float32:
        return None
    node.input[:] = list(node.input)[::-1]
    return [node]


def _float_operator(old: str, new: str) -> Callable[[str], Fault]:
    """Another operator, where values of pixels are calculated and not sizes."""

    def changed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
        if patient.values[node.output[0]].dtype != np.float32:
            return None
        node.op_type = new
        return [node]

    return _at(old, change=changed)


def _through(dtype: int) -> Change:
    """The result is rounded to another type and back."""

    def changed(patient: Patient, node: NodeProto, _: Random) -> Sequence[NodeProto] | None:
        (result,) = node.output
        if patient.values[result].dtype != np.float32:
            return None
        whole, rounded = patient.name("whole"), patient.name("rounded")
        node.output[0] = whole
        down = helper.make_node("Cast", [whole], [rounded], name=rounded, to=dtype)
        up = helper.make_node(
            "Cast", [rounded], [result], name=patient.name("back"), to=TensorProto.FLOAT
        )
        at = next(i for i, other in enumerate(patient.graph.node) if other is node)
        patient.graph.node.insert(at + 1, down)
        patient.graph.node.insert(at + 2, up)
        return [node, down, up, *patient.readers(result)]

    return changed


def _colours_reversed(model: onnx.ModelProto, _: Random) -> Mutant | None:
    """The network sees BGR."""
    patient = Patient(model)
    (image,) = patient.graph.input
    readers = patient.readers(image.name)
    if image.type.tensor_type.shape.dim[1].dim_value != 3:
        return None
    name = patient.name("bgr")
    inputs = [image.name, patient.parameter(np.array([2, 1, 0]))]
    read_instead(patient.graph.node, image.name, name)
    gather = helper.make_node("Gather", inputs, [name], name=name, axis=1)
    patient.graph.node.insert(0, gather)
    right = frozenset(node.name for node in (gather, *readers))
    return Mutant(patient.model, right, "colours reversed")


# --- older opsets

OPSET_10 = {
    "Add",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Div",
    "LeakyRelu",
}
OPSET_10 |= {"MatMul", "Mul", "PRelu", "Relu", "Resize", "Sigmoid", "Sub", "Tanh", "Transpose"}
"""Operators whose form at opset 10 is today's, or can be made so by leaving something out."""


def _opset_lowered(model: onnx.ModelProto, _: Random) -> Mutant | None:
    """To 10, leaving out what did not exist then: the mode of DepthToSpace (CRD came with 11),
    and where Resize takes its samples (asymmetric until 11)."""
    patient = Patient(model)
    right = [node for node in patient.nodes("DepthToSpace", "Resize") if _old_form(patient, node)]
    if not right or any(node.op_type not in OPSET_10 for node in patient.graph.node):
        return None
    del patient.model.opset_import[:]
    patient.model.opset_import.append(helper.make_opsetid("", 10))
    return Mutant(patient.model, frozenset(node.name for node in right), "opset lowered")


def _old_form(patient: Patient, node: NodeProto) -> bool:
    if node.op_type == "DepthToSpace":
        changes = bool(get(node, "mode") == "CRD")
        unset(node, "mode")
        return changes
    scales = patient.constant(node, 2)
    if scales is None or get(node, "mode", "nearest") == "cubic":
        return False
    node.input[:] = [node.input[0], patient.parameter(scales)]
    kept = get(node, "mode", "nearest")
    del node.attribute[:]
    set_(node, "mode", kept)
    return True


_NAMED: Mapping[str, Callable[[str], Fault]] = {
    "one weight by a thousandth": _constant(LAYERS, 1, _largest_times(1.001)),
    "one weight by a tenth": _constant(LAYERS, 1, _largest_times(1.1)),
    "kernel by a thousandth": _constant(LAYERS, 1, _all_times(1.001)),
    "kernel by a hundredth": _constant(LAYERS, 1, _all_times(1.01)),
    "one output dead": _constant(LAYERS, 1, _one_output_dead),
    "weights in float16": _constant(LAYERS, 1, _rounded_to(np.float16)),
    "weights in bfloat16": _constant(LAYERS, 1, _rounded_to(ml_dtypes.bfloat16)),
    "weights in int8": _constant(LAYERS, 1, _rounded_to_int8),
    "kernel transposed": _constant(CONVOLUTIONS, 1, _kernel(lambda w: w.swapaxes(2, 3))),
    "kernel flipped": _constant(CONVOLUTIONS, 1, _kernel(lambda w: w[..., ::-1, ::-1])),
    "weights transposed": _constant(LAYERS, 1, _channels_exchanged),
    "input channels swapped": _constant(("Conv", "MatMul"), 1, partial(_swapped, axis=1)),
    "output channels swapped": _at("Conv", change=_output_channels_swapped),
    "groups changed": _at("Conv", change=_cross_terms_dropped),
    "bias dropped": _at("Conv", "ConvTranspose", "Gemm", change=_bias_dropped),
    "bias shifted": _constant(("Conv", "ConvTranspose", "Gemm"), 2, _shifted(0.02)),
    "biases swapped": _constant(("Conv", "ConvTranspose"), 2, partial(_swapped, axis=0)),
    "scalar changed": _side_constant(lambda _, value: value.size == 1, lambda value: value * 0.9),
    "constant dropped": _side_constant(
        lambda node, value: node.op_type in ("Add", "Sub") and value.size > 1, np.zeros_like
    ),
    "constant in bfloat16": _side_constant(
        lambda _, value: value.size > 1, lambda value: value.astype(ml_dtypes.bfloat16)
    ),
    "added epsilon changed": _side_constant(_is_epsilon, lambda value: value * 1000),
    "epsilon changed": _setting(NORMALISATIONS, _epsilon_changed),
    "normalisation's scale changed": _constant(NORMALISATIONS, 1, _all_times(1.05)),
    "ReLU to LeakyReLU": _operator("Relu", "LeakyRelu", {"alpha": 0.01}),
    "PReLU to ReLU": _operator("PRelu", "Relu", inputs=1),
    "PReLU's slope changed": _constant(("PRelu",), 1, _all_times(1.25)),
    "LeakyReLU's slope changed": _setting(("LeakyRelu",), lambda *_: {"alpha": 0.01}),
    "Sigmoid to HardSigmoid": _operator("Sigmoid", "HardSigmoid"),
    "Sigmoid to Tanh": _operator("Sigmoid", "Tanh"),
    "GELU by tanh": _at("Erf", change=_gelu_by_tanh),
    "activation left out": _at(*ACTIVATIONS, change=_taken_out),
    "Clip removed": _at("Clip", change=_taken_out),
    "Clip's bounds changed": _at("Clip", change=_bounds_changed),
    "pads shifted": _setting((*CONVOLUTIONS, "MaxPool"), _pads_shifted),
    "padding by repetition": _padding_mode("edge"),
    "padding by reflection": _padding_mode("reflect"),
    "Pad's mode changed": _setting(("Pad",), _pad_mode_changed),
    "dilation doubled": _setting(("Conv",), _dilated),
    "strides doubled": _setting(("Conv",), _strides_doubled),
    "MaxPool to AveragePool": _operator(
        "MaxPool", "AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    ),
    "mean to maximum": _operator("ReduceMean", "ReduceMax", {"keepdims": 1}),
    "sub-pixel order changed": _setting(("DepthToSpace",), _depth_order_changed),
    "sub-pixels transposed": _at("DepthToSpace", change=_sub_pixels_transposed),
    "Resize's places changed": _setting(("Resize",), _places_changed),
    "Resize's interpolation changed": _setting(("Resize",), _interpolation_changed),
    "Resize's rounding changed": _setting(("Resize",), _rounding_changed),
    "Resize's cubic coefficient changed": _setting(("Resize",), _cubic_coefficient_changed),
    "size baked": _size_baked(tuple(SIZES), slice(0, None)),
    "batch baked": _size_baked(("Reshape", "Expand"), slice(0, 1)),
    "open entry fixed": _at("Reshape", change=_open_entry_fixed),
    "height for width": _at("Shape", change=_height_for_width),
    "Transpose's order changed": _setting(("Transpose",), _order_changed),
    "Softmax's axis changed": _setting(("Softmax",), _softmax_axis_changed),
    "Softmax of opset 12": _at("Softmax", change=_softmax_of_opset_12),
    "reduced axes changed": _at("ReduceMean", "ReduceSum", change=_reduced_axes_changed),
    "slice shifted": _at("Slice", change=_slice_shifted),
    "index off by one": _at("Gather", change=_index_off_by_one),
    "Concat's order reversed": _at("Concat", change=_inputs_reversed),
    "Split's order reversed": _at("Split", change=_outputs_reversed),
    "taken from elsewhere": _at("Add", "Mul", change=_taken_from_elsewhere),
    "residual left out": _at("Add", change=_one_side_dropped),
    "layer left out": _at("Conv", change=_skipped),
    "layer doubled": _at("Conv", change=_doubled),
    "Add to Sub": _float_operator("Add", "Sub"),
    "Mul to Add": _float_operator("Mul", "Add"),
    "operands swapped": _at("Sub", "Div", change=_operands_swapped),
    "through float16": _at("Conv", "MatMul", "Add", change=_through(TensorProto.FLOAT16)),
    "through bfloat16": _at("Conv", "MatMul", "Add", change=_through(TensorProto.BFLOAT16)),
}

FAULTS: Mapping[str, Fault] = {
    **{kind: fault(kind) for kind, fault in _NAMED.items()},
    "colours reversed": _colours_reversed,
    "opset lowered": _opset_lowered,
}
"""Every kind of fault, by name."""
