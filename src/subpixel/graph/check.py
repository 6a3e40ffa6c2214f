"""Checks of a file against its facts, from the graph alone, without running it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnx.external_data_helper import uses_external_data

from subpixel.errors import SpecError
from subpixel.graph.geometry.cost import parameters
from subpixel.graph.geometry.propagate import ONNX_DOMAINS, onnx_opset, picture_inputs
from subpixel.graph.metadata import read_spec
from subpixel.graph.passes.wrap import FLOAT_KINDS, RGB_PREFIX
from subpixel.spec import ModelSpec
from subpixel.system.session_options import make_session_options

AxisValue = TypeVar("AxisValue")

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators whose second input, where it is a constant, holds weights."""


@dataclass(frozen=True)
class Finding:
    """The result of one check, in a sentence."""

    check: str
    ok: bool
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.message}"


@dataclass(frozen=True)
class CheckReport:
    """All findings about a file; true when every one is ok."""

    findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return all(finding.ok for finding in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.ok)

    def summary(self) -> str:
        """The verdict in one line."""
        count = len(self.findings)
        return f"{count - len(self.failures)} of {count} checks passed"

    def __str__(self) -> str:
        """The verdict, and a line on each check that failed."""
        return "\n".join([self.summary(), *map(str, self.failures)])


def check_model(model: onnx.ModelProto, spec: ModelSpec) -> CheckReport:
    """Check a network against its facts, without running it.

    A graph that ONNX's checker rejects, or whose input or output is not one picture, is not checked
    further.
    """
    basics: list[Finding] = []
    for basic in (_check_onnx, check_ends):
        basics.append(basic(model, spec))
        if not basics[-1].ok:
            return CheckReport(tuple(basics))
    checks = (
        _check_declared_axes,
        _check_inferred_axes,
        _check_runtime,
        _check_domains,
        _check_parameters_inside,
        _check_parameters_finite,
        _check_metadata,
        _check_depth_to_space,
    )
    return CheckReport((*basics, *(check(model, spec) for check in checks)))


def _check_onnx(model: onnx.ModelProto, _: ModelSpec) -> Finding:
    """ONNX's checker, with strict shape inference."""
    name = "onnx checker"
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, shape_inference.InferenceError, ValueError) as error:
        return Finding(name, False, f"refuses the graph: {' '.join(str(error).split())}")
    return Finding(name, True, "accepts the graph, shapes included")


def check_ends(model: onnx.ModelProto, spec: ModelSpec) -> Finding:
    """One picture in, one out, with the channels that the facts state."""
    name = "input and output"
    ends = (*picture_inputs(model), *model.graph.output)
    declared = ", ".join(helper.printable_value_info(end) for end in ends)
    if len(ends) != 2 or not all(_is_picture(end, spec) for end in ends):
        expected = (
            f"({', '.join(_arrange_axes('batch', str(spec.channels), 'height', 'width', spec))})"
        )
        expected += " of uint8" if spec.samples == "uint8" else " of floating point"
        return Finding(name, False, f"are {declared}; must be one of each, {expected}")
    return Finding(name, True, f"are {declared}")


def _is_picture(end: onnx.ValueInfoProto, spec: ModelSpec) -> bool:
    dims, codes = end.type.tensor_type.shape.dim, spec.samples == "uint8"
    kinds = (TensorProto.UINT8,) if codes else FLOAT_KINDS
    return (
        end.type.tensor_type.elem_type in kinds
        and len(dims) == 4
        and dims[3 if codes else 1].dim_value in (0, spec.channels)
    )


def _arrange_axes(
    batch: AxisValue, channels: AxisValue, height: AxisValue, width: AxisValue, spec: ModelSpec
) -> tuple[AxisValue, AxisValue, AxisValue, AxisValue]:
    """The axes in the file's order: NCHW, or NHWC for 8-bit pictures."""
    if spec.samples == "uint8":
        return batch, height, width, channels
    return batch, channels, height, width


def _check_declared_axes(model: onnx.ModelProto, spec: ModelSpec) -> Finding:
    """Batch, height and width are declared free or fixed as the facts state, also of the output."""
    name = "declared axes"
    height, width = spec.fixed_size or (None, None)
    expected = (spec.fixed_batch, height, width)
    larger = (spec.fixed_batch, *(side and side * spec.scale for side in (height, width)))
    actual, result = (
        _open_axes(end, spec) for end in (picture_inputs(model)[0], model.graph.output[0])
    )
    # Exporters leave dimensions of the output that they can't name without a value: free, too.
    if actual != expected or any(r not in (None, w) for r, w in zip(result, larger, strict=True)):
        return Finding(
            name,
            False,
            f"(batch, height, width) are {_format_axes(actual)} in and {_format_axes(result)} out; "
            f"the facts say {_format_axes(expected)} in and {_format_axes(larger)} out",
        )
    return Finding(
        name, True, f"(batch, height, width) are {_format_axes(actual)} as the facts say"
    )


def _open_axes(end: onnx.ValueInfoProto, spec: ModelSpec) -> tuple[int | None, ...]:
    """Batch, height and width; None where free."""
    dims = end.type.tensor_type.shape.dim
    axes = (0, 1, 2) if spec.samples == "uint8" else (0, 2, 3)
    return tuple(dims[axis].dim_value or None for axis in axes)


def _format_axes(axes: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if axis is None else str(axis) for axis in axes) + ")"


def _check_inferred_axes(model: onnx.ModelProto, spec: ModelSpec) -> Finding:
    """Shape inference at two batches and sizes contradicts sizes that tracing has made constants.

    It can't find all of them (sizes that depend on computed values stay unknown); running the file
    at many shapes does.
    """
    name = "real axes"
    for batch, rows, columns in ((2, 9, 13), (3, 16, 10)):
        height, width = spec.fixed_size or (rows * spec.size_multiple, columns * spec.size_multiple)
        count, sides = spec.fixed_batch or batch, (height * spec.scale, width * spec.scale)
        shape = _arrange_axes(count, spec.channels, height, width, spec)
        expected = _arrange_axes(count, spec.channels, *sides, spec)
        try:
            result = _infer_output_shape(model, shape)
        except (shape_inference.InferenceError, ValueError) as error:
            reason = " ".join(str(error).split())
            return Finding(name, False, f"an input of {shape} contradicts the graph: {reason}")
        if len(result) != 4 or any(
            r not in (None, w) for r, w in zip(result, expected, strict=True)
        ):
            return Finding(
                name,
                False,
                f"an input of {shape} gives {_format_axes(result)}; the facts say {expected}",
            )
    return Finding(name, True, f"nothing in the graph contradicts them, nor x{spec.scale}")


def _infer_output_shape(model: onnx.ModelProto, shape: Sequence[int]) -> tuple[int | None, ...]:
    """The output's shape for an input of ``shape``; None where inference doesn't determine it."""
    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    del trial.graph.value_info[:]
    output = trial.graph.output[0].type.tensor_type
    output.ClearField("shape")
    dims = picture_inputs(trial)[0].type.tensor_type.shape.dim
    for dim, length in zip(dims, shape, strict=True):
        dim.dim_value = length
    trial = shape_inference.infer_shapes(trial, check_type=True, strict_mode=True, data_prop=True)
    inferred = trial.graph.output[0].type.tensor_type.shape.dim
    return tuple(dim.dim_value or None for dim in inferred) or (None,) * 4


def _check_runtime(model: onnx.ModelProto, _: ModelSpec) -> Finding:
    """The installed ONNX Runtime loads the file, restricted to the opsets that it officially
    supports."""
    name = "onnx runtime"
    options = make_session_options("none")
    options.add_session_config_entry("session.allow_released_opsets_only", "1")
    version = f"ONNX Runtime {onnxruntime.__version__}"
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        return Finding(name, False, f"{version} refuses it: {' '.join(str(error).split())}")
    return Finding(
        name, True, f"{version} loads it: opset {onnx_opset(model)}, IR {model.ir_version}"
    )


def _check_domains(model: onnx.ModelProto, _: ModelSpec) -> Finding:
    name = "domains"
    foreign = {
        f"{n.domain}::{n.op_type}" for n in _all_nodes(model) if n.domain not in ONNX_DOMAINS
    }
    if foreign:
        return Finding(name, False, f"uses operators that are not ONNX's: {_list_names(foreign)}")
    return Finding(name, True, "every operator is ONNX's own")


def _check_parameters_inside(model: onnx.ModelProto, _: ModelSpec) -> Finding:
    name = "parameters inside"
    outside = [tensor.name for tensor in _all_constants(model) if uses_external_data(tensor)]
    if outside:
        return Finding(name, False, f"lie in another file: {_list_names(outside)}")
    return Finding(name, True, f"the file is whole: {parameters(model)} parameters")


def _check_parameters_finite(model: onnx.ModelProto, _: ModelSpec) -> Finding:
    """Weights are finite. Elsewhere -inf is allowed, and a single infinity: attention masks use
    them."""
    name = "parameters finite"
    weights = {node.input[1] for node in _all_nodes(model) if node.op_type in WEIGHTED}
    broken = [
        tensor.name
        for tensor in _all_constants(model)
        if tensor.data_type in FLOAT_KINDS
        and not uses_external_data(tensor)
        and not _is_sound(numpy_helper.to_array(tensor), weight=tensor.name in weights)
    ]
    if broken:
        return Finding(name, False, f"hold NaN or infinity: {_list_names(broken)}")
    return Finding(name, True, "no NaN and no infinity")


def _is_sound(values: NDArray[Any], *, weight: bool) -> bool:
    if np.isfinite(values).all():
        return True
    masks = np.isneginf(values) | np.isfinite(values) | (np.isinf(values) & (values.size == 1))
    return bool(masks.all()) and not weight


def _check_metadata(model: onnx.ModelProto, spec: ModelSpec) -> Finding:
    name = "metadata"
    try:
        carried = read_spec(model)
    except SpecError as error:
        return Finding(name, False, str(error))
    if carried is None:
        return Finding(name, False, "the file carries no facts of its own; write them into it")
    stated, facts = asdict(carried), asdict(spec)
    differing = [
        f"{key} is {stated[key]!r}, not {facts[key]!r}"
        for key in facts
        if stated[key] != facts[key]
    ]
    if differing:
        return Finding(name, False, f"the file's facts are others: {'; '.join(differing)}")
    return Finding(name, True, "the file carries its facts")


def _check_depth_to_space(model: onnx.ModelProto, _: ModelSpec) -> Finding:
    """PyTorch's pixel shuffle has ONNX's mode CRD; ONNX's default is DCR.

    For one resulting channel both are the same. The nodes that subpixel adds for colour are DCR on
    purpose.
    """
    name = "depth to space"
    channels = _channel_counts(model)
    wrong = [
        node.name or node.output[0]
        for node in _all_nodes(model)
        if node.op_type == "DepthToSpace"
        and not node.name.startswith(RGB_PREFIX)
        and _mode(node) != "CRD"
        and channels.get(node.output[0]) != 1
    ]
    if wrong:
        return Finding(
            name,
            False,
            f"{_list_names(wrong)} interleaves several channels in mode DCR; PyTorch's pixel "
            "shuffle is CRD: export at opset 11 or later",
        )
    return Finding(name, True, "interleaves channels as PyTorch does")


def _mode(node: onnx.NodeProto) -> str:
    return next((a.s.decode() for a in node.attribute if a.name == "mode"), "DCR")


def _channel_counts(model: onnx.ModelProto) -> dict[str, int]:
    """The number of channels of each tensor whose shape can be inferred."""
    graph = shape_inference.infer_shapes(model).graph
    return {
        value.name: value.type.tensor_type.shape.dim[1].dim_value
        for value in (*graph.value_info, *graph.output)
        if len(value.type.tensor_type.shape.dim) > 1
    }


def _list_names(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")


def _all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Every node, those of branches, loops and functions included."""
    waiting = [*model.graph.node, *(node for f in model.functions for node in f.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting.extend(graph.node)


def _all_constants(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every tensor in the file, initialisers and Constants, by the name under which nodes read
    it."""
    yield from model.graph.initializer
    for node in _all_nodes(model):
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                tensor = TensorProto()
                tensor.CopyFrom(attribute.t)
                tensor.name = node.output[0]
                yield tensor
