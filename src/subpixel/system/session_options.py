"""How ONNX Runtime opens a network, and how far it may rewrite its graph before."""

from collections.abc import Mapping
from typing import Literal

from onnxruntime import GraphOptimizationLevel, SessionOptions

Optimisation = Literal["none", "basic", "extended", "all"]
"""ONNX Runtime's own default is all."""

LEVELS: Mapping[Optimisation, GraphOptimizationLevel] = {
    "none": GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": GraphOptimizationLevel.ORT_ENABLE_ALL,
}
"""The levels by ONNX Runtime's names for them."""


def make_session_options(optimisation: Optimisation = "all") -> SessionOptions:
    """ONNX Runtime's options, this level of graph optimisation; errors are raised, not logged."""
    options = SessionOptions()
    options.graph_optimization_level = LEVELS[optimisation]
    options.log_severity_level = 4
    return options
