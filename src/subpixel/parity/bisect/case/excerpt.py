"""The least part of a network that shows its fault, with right inputs and what it should make."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from subpixel.errors import NetworkError
from subpixel.graph.execute import runtime_engine
from subpixel.graph.flow import AnyArray, Flow, TensorValues
from subpixel.system.session_options import Optimisation


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A small model and what it does under ONNX Runtime."""

    model: onnx.ModelProto
    inputs: TensorValues
    expected: TensorValues
    found: TensorValues
    """What it makes instead; empty where it fails."""
    failure: str | None
    """How it fails, where it does."""
    provider: str
    level: Optimisation
    """How far ONNX Runtime may rewrite it."""

    @property
    def differs(self) -> bool:
        """Whether the fault shows at all."""
        return self.failure is not None or any(
            distance(self.found[name], array) > 0 for name, array in self.expected.items()
        )


def excerpt(
    flow: Flow, given: TensorValues, expected: TensorValues, provider: str, level: Optimisation
) -> Excerpt | None:
    """The part of ``flow`` between ``given`` and ``expected``; None where nothing lies between."""
    made = {name: array for name, array in expected.items() if name not in given}
    if not made:
        return None
    model = flow.cut(given, list(made))
    inputs = {value.name: given[value.name] for value in model.graph.input}
    return _run_excerpt(model, inputs, made, provider, level)


def whole(
    model: onnx.ModelProto,
    picture: AnyArray,
    expected: AnyArray,
    provider: str,
    level: Optimisation,
) -> Excerpt:
    """The network as it is."""
    (name,) = (output.name for output in model.graph.output)
    parameters = {tensor.name for tensor in model.graph.initializer}
    (source,) = (given.name for given in model.graph.input if given.name not in parameters)
    return _run_excerpt(model, {source: picture}, {name: expected}, provider, level)


def distance(found: AnyArray, expected: AnyArray) -> float:
    """The largest difference; infinite where shapes differ or a value is NaN."""
    if found.shape != expected.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):  # infinity less infinity
        error = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    most = float(error.max(initial=0.0))
    return float("inf") if np.isnan(most) else most


def _run_excerpt(
    model: onnx.ModelProto,
    inputs: TensorValues,
    expected: TensorValues,
    provider: str,
    level: Optimisation,
) -> Excerpt:
    try:
        found, failure = runtime_engine(provider, level)(model, inputs), None
    except NetworkError as error:
        found, failure = {}, str(error)
    typed = _declare_outputs(model, found or expected)
    return Excerpt(typed, inputs, expected, found, failure, provider, level)


def _declare_outputs(model: onnx.ModelProto, values: TensorValues) -> onnx.ModelProto:
    """A copy whose outputs are declared with type and rank, as ONNX's checker asks for."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for output in result.graph.output:
        array = values[output.name]
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        output.CopyFrom(helper.make_tensor_value_info(output.name, kind, [None] * array.ndim))
    return result
