"""How far ONNX Runtime may rewrite a graph before it runs it."""

from collections.abc import Mapping
from typing import Literal

from onnxruntime import GraphOptimizationLevel

Optimisation = Literal["none", "basic", "extended", "all"]
"""ONNX Runtime's own default is all."""

LEVELS: Mapping[Optimisation, GraphOptimizationLevel] = {
    "none": GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": GraphOptimizationLevel.ORT_ENABLE_ALL,
}
"""The levels by ONNX Runtime's names for them."""
