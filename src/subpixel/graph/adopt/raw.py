"""A third-party network without conversions, under ONNX Runtime."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto

from subpixel.convention import TensorLayout
from subpixel.errors import NetworkError, one_line
from subpixel.graph.adopt.frame import picture_input
from subpixel.graph.adopt.layout import TO_NHWC
from subpixel.graph.adopt.sample_type import SAMPLE_TYPES
from subpixel.system.session_options import make_session_options

RawValues = NDArray[np.float64]
"""A network's own input or output values, NCHW."""

RAW_DTYPES: Mapping[int, type[np.generic]] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
}


class RawNetwork:
    """A graph of one input, run unchanged on the CPU.

    Raises :class:`NetworkError` where ONNX Runtime can't load it, or its input is no picture.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._input = picture_input(model)
        kind = self._input.type.tensor_type.elem_type
        if kind not in SAMPLE_TYPES or kind not in RAW_DTYPES or len(self.dims) != 4:
            declared = onnx.helper.printable_value_info(self._input).removeprefix("%")
            raise NetworkError(
                "this is no super-resolution network: its input must be a 4-D tensor of floats or "
                f"of uint8, and is {declared}"
            )
        self._dtype = RAW_DTYPES[kind]
        self._session = _start_session(model)

    @property
    def dims(self) -> tuple[int | None, ...]:
        """The declared lengths of the input's axes, in their order; None where free."""
        return tuple(dim.dim_value or None for dim in self._input.type.tensor_type.shape.dim)

    @property
    def takes_codes(self) -> bool:
        """Whether the input is uint8."""
        return self._dtype is np.uint8

    def gives_codes(self, output: str) -> bool:
        """Whether ``output`` is declared as uint8."""
        kinds = {end.name: end.type.tensor_type.elem_type for end in self._model.graph.output}
        return bool(kinds[output] == TensorProto.UINT8)

    def __call__(self, values: RawValues, layout: TensorLayout) -> Mapping[str, NDArray[Any]]:
        """Run on NCHW values, converted to the input's ``layout`` and type; return all outputs
        unchanged."""
        if self.takes_codes:
            values = np.floor(np.clip(values, 0, 255) + 0.5)
        inputs = values if layout == "nchw" else values.transpose(TO_NHWC)
        feeds = {self._input.name: np.ascontiguousarray(inputs.astype(self._dtype))}
        try:
            results = self._session.run(None, feeds)
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            raise NetworkError(
                f"it fails at the shape {inputs.shape}: {one_line(error)}"
            ) from error
        names = [end.name for end in self._session.get_outputs()]
        return dict(zip(names, map(np.asarray, results), strict=True))


def _start_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), make_session_options(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base of their own
        raise NetworkError(f"ONNX Runtime can't load it: {one_line(error)}") from error
