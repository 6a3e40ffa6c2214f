"""Small networks for tests: NetOps in a few lines, and ONNX files built node by node."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from subpixel.runtime.op import Pixels


@dataclass(frozen=True)
class NearestNeighbour:
    """The three-line fake: every pixel becomes ``scale`` by ``scale`` equal ones."""

    scale: int

    def __call__(self, pixels: Pixels, /) -> Pixels:
        return pixels.repeat(self.scale, axis=2).repeat(self.scale, axis=3)


@dataclass(frozen=True)
class BoxBlur:
    """Nearest neighbour after the mean over ``2 * halo + 1`` squared pixels, zeros outside."""

    scale: int
    halo: int

    def __call__(self, pixels: Pixels, /) -> Pixels:
        side = 2 * self.halo + 1
        padded = np.pad(pixels, ((0, 0), (0, 0), (self.halo,) * 2, (self.halo,) * 2))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
        mean = windows.mean(axis=(-2, -1), dtype=np.float64).astype(np.float32)
        return NearestNeighbour(self.scale)(mean)


def sub_pixel_network(
    channels: int = 1,
    scale: int = 2,
    size: tuple[int | str, int | str] = ("height", "width"),
    batch: int | str = "batch",
    seed: int = 0,
) -> onnx.ModelProto:
    """A 3x3 convolution near nearest neighbour, and DepthToSpace: a third-party ONNX file.

    Every channel goes its own way, the same for all, and even areas stay as they are: so ranges
    of values and orders of channels make no difference to it.
    """
    random = np.random.default_rng(seed)
    phases = random.normal(0, 0.05, (scale**2, 3, 3))
    phases[:, 1, 1] += 1 - phases.sum(axis=(1, 2))
    weights = np.zeros((channels * scale**2, channels, 3, 3), np.float32)
    for channel in range(channels):
        weights[channel * scale**2 : (channel + 1) * scale**2, channel] = phases
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["deep"], pads=[1, 1, 1, 1]),
            helper.make_node("DepthToSpace", ["deep"], ["y"], blocksize=scale, mode="CRD"),
        ],
        "stranger",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, channels, *size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def classifier() -> onnx.ModelProto:
    """A network that is no super-resolution network: a picture in, ten numbers out."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["y"]),
        ],
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w_"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.ones((3, 10), np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
