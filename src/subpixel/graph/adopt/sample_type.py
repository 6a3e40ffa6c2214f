"""Input and output become float32, whatever type they have."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from onnx.helper import make_attribute

from subpixel.errors import NetworkError
from subpixel.graph.adopt.frame import Chain, framed, picture_input

FLOAT_TYPES = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.BFLOAT16,
)
SAMPLE_TYPES = (*FLOAT_TYPES, TensorProto.UINT8)
"""What pictures may be held in."""


def with_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` that takes and gives float32.

    The numbers stay what they are: of an input or output in uint8 they are 0 … 255, and what
    goes in is clipped and rounded half up. Raises :class:`NetworkError` for other types.
    """
    given, result = picture_input(model), model.graph.output[0]
    kinds = [end.type.tensor_type.elem_type for end in (given, result)]
    if not set(kinds) <= set(SAMPLE_TYPES):
        named = [TensorProto.DataType.Name(kind).lower() for kind in kinds]
        raise NetworkError(
            f"its input is {named[0]} and its output {named[1]}; pictures are floats or uint8"
        )
    before = None if kinds[0] == TensorProto.FLOAT else lambda chain: _narrow(chain, kinds[0])
    after = None if kinds[1] == TensorProto.FLOAT else _widen
    made = framed(model, "type", before, after)
    for end in (picture_input(made), made.graph.output[0]):
        end.type.tensor_type.elem_type = TensorProto.FLOAT
    return made


def _narrow(chain: Chain, kind: int) -> None:
    if kind == TensorProto.UINT8:
        chain.add("Add", chain.constant(_float(0.5)))
        chain.add("Floor")
        chain.add("Clip", chain.constant(_float(0.0)), chain.constant(_float(255.0)))
    chain.add("Cast", attributes=[make_attribute("to", kind)])


def _widen(chain: Chain) -> None:
    chain.add("Cast", attributes=[make_attribute("to", TensorProto.FLOAT)])


def _float(number: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(number, np.float32)
