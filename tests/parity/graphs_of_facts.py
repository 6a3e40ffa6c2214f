"""Small files for RGB pictures, made node by node."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper


def identity_file(
    nodes: Sequence[NodeProto] = (), **constants: np.generic | np.ndarray
) -> onnx.ModelProto:
    """``nodes`` from ``input`` to ``output``; without any, the picture as it is."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"])
        for name in ("input", "output")
    ]
    graph = helper.make_graph(
        list(nodes) or [helper.make_node("Identity", ["input"], ["output"])],
        "file",
        ends[:1],
        ends[1:],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def sharpening_file() -> onnx.ModelProto:
    """One convolution that looks two pixels far."""
    weight = np.random.default_rng(0).normal(0, 0.05, (3, 3, 5, 5)).astype(np.float32)
    node = helper.make_node("Conv", ["input", "weight"], ["output"], pads=[2] * 4)
    return identity_file([node], weight=weight)
