"""Running parts of a graph: under ONNX Runtime, and by ONNX's reference implementation."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from subpixel.errors import NetworkError, one_line
from subpixel.graph.flow import Flow, TensorValues
from subpixel.system.session_options import Optimisation, make_session_options

CPU = "CPUExecutionProvider"


class Engine(Protocol):
    """Runs a model that was extracted from a graph."""

    def __call__(self, model: onnx.ModelProto, feeds: TensorValues, /) -> TensorValues:
        """All outputs of ``model``, by name; raises :class:`NetworkError` when it fails."""
        ...


def runtime_engine(provider: str = CPU, level: Optimisation = "none") -> Engine:
    """ONNX Runtime on ``provider``, allowed to rewrite the graph as far as ``level``."""

    def run(model: onnx.ModelProto, feeds: TensorValues, /) -> TensorValues:
        names = [output.name for output in model.graph.output]
        try:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), _engine_options(level), providers=[provider]
            )
            return dict(zip(names, session.run(names, dict(feeds)), strict=True))
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            raise NetworkError(f"ONNX Runtime failed: {one_line(error)}") from error

    return run


def reference_engine(model: onnx.ModelProto, feeds: TensorValues, /) -> TensorValues:
    """ONNX's reference implementation; an :class:`Engine`, slow."""
    from onnx.reference import ReferenceEvaluator  # 12 MB that upscaling doesn't need

    names = [output.name for output in model.graph.output]
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(names, dict(feeds))
    except Exception as error:  # it raises exceptions of many kinds
        raise NetworkError(f"ONNX's reference failed: {one_line(error)}") from error
    return dict(zip(names, (np.asarray(result) for result in results), strict=True))


def evaluate_flow(
    flow: Flow, engine: Engine, sources: TensorValues, ends: Sequence[str]
) -> TensorValues:
    """The values ``ends`` of a flow, computed from ``sources``.

    ``sources`` holds the picture, and any intermediate values that are to be used instead of
    computing them. Raises :class:`NetworkError` when the engine fails.
    """
    values = {name: sources[name] for name in ends if name in sources}
    values |= {
        name: numpy_helper.to_array(flow.parameters[name])
        for name in ends
        if name in flow.parameters
    }
    computed = [name for name in dict.fromkeys(ends) if name not in values]
    if computed:
        model = flow.cut(sources, computed)
        feeds = {value.name: sources[value.name] for value in model.graph.input}
        values |= engine(model, feeds)
    return values


def optimise_graph(model: onnx.ModelProto, provider: str, level: Optimisation) -> onnx.ModelProto:
    """``model`` as ONNX Runtime optimises it; the result may contain ONNX Runtime's own
    operators."""
    with tempfile.TemporaryDirectory() as folder:
        options = _engine_options(level)
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=[provider])
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            raise NetworkError(f"ONNX Runtime can't load it: {one_line(error)}") from error
        return onnx.load(options.optimized_model_filepath)


def _engine_options(level: Optimisation) -> onnxruntime.SessionOptions:
    options = make_session_options(level)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
