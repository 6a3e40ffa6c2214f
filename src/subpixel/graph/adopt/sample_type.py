"""Conversion of input and output to float32."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from onnx.helper import make_attribute

from subpixel.errors import NetworkError
from subpixel.graph.adopt.frame import Chain, frame_model, picture_input

FLOAT_TYPES = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.BFLOAT16,
)
SAMPLE_TYPES = (*FLOAT_TYPES, TensorProto.UINT8)
"""The types of pictures."""


def with_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` whose input and output are float32.

    The range stays the same: for an input or output in uint8 it is 0 … 255, and the input is
    clipped and rounded half up. Raises :class:`NetworkError` for other types.
    """
    source, result = picture_input(model), model.graph.output[0]
    kinds = [end.type.tensor_type.elem_type for end in (source, result)]
    if not set(kinds) <= set(SAMPLE_TYPES):
        names = [TensorProto.DataType.Name(kind).lower() for kind in kinds]
        raise NetworkError(
            f"its input is {names[0]} and its output {names[1]}; pictures are floats or uint8"
        )
    before = None if kinds[0] == TensorProto.FLOAT else lambda chain: _cast_to_type(chain, kinds[0])
    after = None if kinds[1] == TensorProto.FLOAT else _cast_to_float
    framed = frame_model(model, "type", before, after)
    for end in (picture_input(framed), framed.graph.output[0]):
        end.type.tensor_type.elem_type = TensorProto.FLOAT
    return framed


def _cast_to_type(chain: Chain, kind: int) -> None:
    if kind == TensorProto.UINT8:
        chain.add("Add", chain.constant(_float(0.5)))
        chain.add("Floor")
        chain.add("Clip", chain.constant(_float(0.0)), chain.constant(_float(255.0)))
    chain.add("Cast", attributes=[make_attribute("to", kind)])


def _cast_to_float(chain: Chain) -> None:
    chain.add("Cast", attributes=[make_attribute("to", TensorProto.FLOAT)])


def _float(number: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(number, np.float32)
