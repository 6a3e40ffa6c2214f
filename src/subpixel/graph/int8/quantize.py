"""Networks in 8-bit integers: static quantisation by ONNX Runtime's quantiser."""

import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from subpixel.errors import NetworkError, one_line
from subpixel.graph.geometry.propagate import picture_inputs
from subpixel.graph.int8.calibrate import PictureBatch
from subpixel.graph.int8.grid import diffuse_rounding
from subpixel.graph.metadata import with_precision
from subpixel.graph.passes.opset import at_opset
from subpixel.graph.passes.wrap import RGB_PREFIX

QDQ_OPSET = 13
"""The first opset with scales per channel, which weights need."""

MAX_STEPS = 64
"""Weights range from minus to plus this: 7 of 8 bits."""

LAYER_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
FUSED_ACTIVATIONS = ("Relu",)
"""Fused into the layer before them: the 256 steps then cover only the range after the
activation."""


@dataclass(frozen=True)
class LayerCount:
    """How many of a network's layers (convolutions, matrix products) compute in 8 bits."""

    in_8_bits: int
    total: int

    def __str__(self) -> str:
        return f"{self.in_8_bits} of {self.total} layers in 8 bits"


def count_layers(model: onnx.ModelProto) -> LayerCount:
    """The layers of a network in QDQ form, without those for colour around a luma network."""
    codes = {n.output[0] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    layers = [node for node in model.graph.node if _is_quantisable(node)]
    # A layer in float32 after one in 8 bits takes codes, but its weights are none.
    return LayerCount(sum(codes.issuperset(node.input[:2]) for node in layers), len(layers))


def to_int8(model: onnx.ModelProto, calibration: Iterable[PictureBatch]) -> onnx.ModelProto:
    """A copy of a float32 network whose inner layers compute in 8-bit integers.

    Weights get one scale per output channel, activations the range that they take on the pictures
    of ``calibration``; the same pictures give the same file. Input and output stay float32, and so
    do the parts on which the quality depends: the first and the last layer, sums, and colour where
    subpixel wrapped a luma network. The facts in the file say ``int8``. The graph is in QDQ form,
    at opset 13 or later.

    Weights use 7 of the 8 bits. x86 processors without VNNI add two products of 8-bit numbers in 16
    bits, with saturation; with 7 bits they can't saturate (ONNX Runtime, "Quantize ONNX models",
    "When to use reduce-range and per-channel quantization?"). A convolution's weights are rounded
    by :func:`~subpixel.graph.int8.grid.diffuse_rounding`, which keeps what a filter does to flat
    areas.

    Raises :class:`~subpixel.errors.NetworkError` when the network has no layer between its first
    and last, has several inputs, or can't be quantised.
    """
    copy = _name_nodes(at_opset(model, QDQ_OPSET, "int8"))
    layers = [node.name for node in copy.graph.node if _is_quantisable(node)]
    if len(layers) < 3:
        raise NetworkError(
            f"the network has {len(layers)} layers; between the first and the last, which stay in "
            "float32, there is none to quantise: keep it in fp32 or fp16"
        )
    colour = [node.name for node in copy.graph.node if node.name.startswith(RGB_PREFIX)]
    in_float = [layers[0], layers[-1], *colour]
    _round_filters(copy.graph, in_float)
    reader = _PictureReader(_input_name(model), calibration)
    return with_precision(_run_quantiser(copy, in_float, reader), "int8")


def round_to_grid(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(out, in, height, width)`` weights on the grid of ``2 * MAX_STEPS + 1`` values per filter
    that the quantiser will take, so that its own rounding changes nothing."""
    exact = weights.astype(np.float64)
    largest = np.abs(exact).max(axis=(1, 2, 3))
    step = np.where(largest > 0, largest, 1.0) / MAX_STEPS
    whole = diffuse_rounding(exact, step, MAX_STEPS)
    return np.asarray(whole * step[:, None, None, None], np.float32)


def _round_filters(graph: onnx.GraphProto, in_float: Sequence[str]) -> None:
    layers = [n for n in graph.node if n.op_type == "Conv" and n.name not in in_float]
    weights = {node.input[1] for node in layers}
    for parameter in graph.initializer:
        if parameter.name in weights:
            rounded = round_to_grid(numpy_helper.to_array(parameter))
            parameter.CopyFrom(numpy_helper.from_array(rounded, parameter.name))


def _name_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give every node a name: the nodes to exclude from quantisation are listed by name."""
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    return model


def _is_quantisable(node: onnx.NodeProto) -> bool:
    return node.op_type in LAYER_OPERATORS and not node.name.startswith(RGB_PREFIX)


def _input_name(model: onnx.ModelProto) -> str:
    inputs = picture_inputs(model)
    if len(inputs) != 1:
        raise NetworkError(f"the network has {len(inputs)} inputs; it must have one")
    return inputs[0].name


class _PictureReader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Gives the quantiser the pictures one by one."""

    def __init__(self, name: str, pictures: Iterable[PictureBatch]) -> None:
        self._name, self._pictures = name, iter(pictures)

    def get_next(self) -> dict[str, PictureBatch] | None:
        picture = next(self._pictures, None)
        return None if picture is None else {self._name: picture}


def _run_quantiser(
    model: onnx.ModelProto, in_float: Sequence[str], reader: CalibrationDataReader
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder, _silence():
        file = Path(folder) / "int8.onnx"
        try:
            quantize_static(
                model,
                file,
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=[*LAYER_OPERATORS, *FUSED_ACTIVATIONS],
                nodes_to_exclude=list(in_float),
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        except Exception as error:  # it raises exceptions of many kinds
            raise NetworkError(
                f"the network can't be quantised: {one_line(error)}; keep it in fp32 or fp16"
            ) from error
        return onnx.load(file)


@contextmanager
def _silence() -> Iterator[None]:
    """The quantiser logs a recommendation to the root logger, and configures that logger for it."""
    root, level = logging.getLogger(), logging.root.manager.disable
    handlers = list(root.handlers)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
        root.handlers[:] = handlers
