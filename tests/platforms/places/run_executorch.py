"""Runs networks of floats by ExecuTorch, on XNNPACK, as apps on phones run PyTorch:
``run_executorch.py JOBS.json``, whose form is that of ``run_networks.py``.

A network's graph becomes a PyTorch module, that a program for pictures of any size, and the program
is run.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

SIDES = 8, 512
"""Of the pictures that a program takes."""

Facts = Mapping[str, Any]


def convolve(inputs: Sequence[Tensor], facts: Facts) -> Tensor:
    padding = facts.get("pads", [0, 0, 0, 0])
    assert padding[:2] == padding[2:]
    return functional.conv2d(*inputs, padding=padding[:2], groups=facts.get("group", 1))


def pad_edge(inputs: Sequence[Tensor], facts: Facts) -> Tensor:
    assert facts["mode"] == b"edge"
    _, _, top, left, _, _, bottom, right = inputs[1].tolist()
    return functional.pad(inputs[0], [left, right, top, bottom], mode="replicate")


def shuffle_pixels(inputs: Sequence[Tensor], facts: Facts) -> Tensor:
    phases, scale = inputs[0], facts["blocksize"]
    if facts.get("mode", b"DCR") == b"DCR":
        channels = phases.shape[1] // scale**2
        phases = phases.unflatten(1, (scale**2, channels)).transpose(1, 2).flatten(1, 2)
    return functional.pixel_shuffle(phases, scale)


OPERATORS: Mapping[str, Callable[[Sequence[Tensor], Facts], Tensor]] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Clip": lambda inputs, _: inputs[0].clamp(*(limit.item() for limit in inputs[1:])),
    "Conv": convolve,
    "DepthToSpace": shuffle_pixels,
    "Pad": pad_edge,
    "Relu": lambda inputs, _: functional.relu(inputs[0]),
}
"""What the bundled networks of floats consist of."""


class Network(nn.Module):
    """The graph of an ONNX file."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        super().__init__()
        self._nodes = [
            (node, {fact.name: helper.get_attribute_value(fact) for fact in node.attribute})
            for node in graph.node
        ]
        self._input, self._output = graph.input[0].name, graph.output[0].name
        self._constants = {
            each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
            for each in graph.initializer
        }

    def forward(self, picture: Tensor) -> Tensor:
        values = {**self._constants, self._input: picture}
        for node, facts in self._nodes:
            inputs = [values[name] for name in node.input]
            values[node.output[0]] = OPERATORS[node.op_type](inputs, facts)
        return values[self._output]


def compile_network(network: nn.Module, picture: Tensor) -> bytes:
    """Its program, in ExecuTorch's format."""
    height, width = (torch.export.Dim(side, min=SIDES[0], max=SIDES[1]) for side in ("h", "w"))
    exported = torch.export.export(network, (picture,), dynamic_shapes=({2: height, 3: width},))
    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    program: bytes = edge.to_executorch().buffer
    return program


def run(job: Mapping[str, Any], folder: Path) -> None:
    (given,) = job["inputs"].values()
    samples = np.fromfile(given["file"], given["type"]).reshape(given["shape"])
    picture = torch.from_numpy(samples)
    file = folder / f"{Path(job['file']).stem}.pte"
    network = Network(onnx.load(job["file"]).graph).eval()
    file.write_bytes(compile_network(network, torch.zeros(1, 3, 40, 60)))
    method = Runtime.get().load_program(file).load_method("forward")
    (result,) = method.execute([picture])
    result.numpy().tofile(job["output"])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as programs:
        for each in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
            run(each, Path(programs))
