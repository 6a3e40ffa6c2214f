"""Small ONNX graphs for this room's tests, and ways to run them."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
IR_VERSIONS = {7: 3, 9: 4, 10: 5, 11: 6, 13: 7, 18: 8, 26: 13}
"""Opsets to try, with the IR version that came with each."""


@dataclass
class Graph:
    """A graph under construction; each method adds a node and gives its result's name.

    Weights are positive: an impulse on black can't cancel out on its way.
    """

    opset: int = 18
    channels: int = 1
    seed: int = 0
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    parameters: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        result = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [result], result, **attributes))
        return result

    def constant(self, values: Any, dtype: Any = np.int64) -> str:  # noqa: ANN401
        name = f"c{len(self.parameters)}"
        self.parameters.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape: int) -> str:
        rng = np.random.default_rng((self.seed, len(self.parameters)))
        return self.constant(rng.uniform(0.5, 1.0, shape) / np.prod(shape[1:]), np.float32)

    def conv(self, source: str, into: int, kernel: int = 3, **attributes: Any) -> str:  # noqa: ANN401
        """A convolution from ``channels`` to ``into`` channels."""
        weights = self.weights(into, self.channels, kernel, kernel)
        self.channels = into
        return self.node("Conv", source, weights, **attributes)

    def shuffle(self, source: str, block: int) -> str:
        """A convolution to as many channels as the pixel shuffle after it makes into one."""
        mode = {"mode": "CRD"} if self.opset >= 11 else {}
        wide = self.conv(source, block**2, 1)
        self.channels = 1
        return self.node("DepthToSpace", wide, blocksize=block, **mode)

    def model(
        self,
        result: str,
        *,
        channels: int = 1,
        into: int = 1,
        dims: Sequence[int | str] = ("batch", "height", "width"),
        out_dims: Sequence[int | str | None] = ("batch", None, None),
        kind: int = FLOAT,
    ) -> onnx.ModelProto:
        batch, *sides = dims
        out_batch, *out_sides = out_dims
        ends = [
            helper.make_tensor_value_info("input", kind, [batch, channels, *sides]),
            helper.make_tensor_value_info("output", kind, [out_batch, into, *out_sides]),
        ]
        ir_version = IR_VERSIONS.get(self.opset, 8)
        listed = [
            helper.make_tensor_value_info(p.name, p.data_type, p.dims)
            for p in (self.parameters if ir_version < 4 else [])
        ]
        nodes = [*self.nodes, helper.make_node("Identity", [result], ["output"], "last")]
        graph = helper.make_graph(nodes, "test", [ends[0], *listed], [ends[1]], self.parameters)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self.opset)],
            ir_version=ir_version,
        )


def nearest(scale: int, opset: int = 18, **model: Any) -> onnx.ModelProto:  # noqa: ANN401
    """The luma network that repeats pixels, as a sub-pixel convolution."""
    graph = Graph(opset)
    weights = graph.constant(np.ones((scale**2, 1, 1, 1)), np.float32)
    phases = graph.node("Conv", "input", weights)
    return graph.model(graph.node("DepthToSpace", phases, blocksize=scale), **model)


def run(model: onnx.ModelProto, pixels: NDArray[Any]) -> NDArray[Any]:
    """The network's result under ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: NDArray[Any] = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    return result


def traced(module: torch.nn.Module, opset: int, example: torch.Tensor) -> onnx.ModelProto:
    """``module`` through PyTorch's TorchScript exporter, every axis but the channels open."""
    file, axes = io.BytesIO(), {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The old exporter says that it is old, and that it saw Python numbers.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(
            module.eval(),
            (example,),
            file,
            dynamo=False,
            opset_version=opset,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": axes, "output": axes},
            keep_initializers_as_inputs=opset < 9,
        )
    return onnx.load_from_string(file.getvalue())
