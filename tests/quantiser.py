"""ONNX Runtime's quantiser, which writes other forms of int8 files than ours."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization

Form = Literal["QDQ", "QOperator", "dynamic"]


def quantised(
    model: onnx.ModelProto, form: Form, pictures: Sequence[NDArray[np.float32]]
) -> onnx.ModelProto:
    """``model`` in 8 bits, calibrated on ``pictures``; the dynamic form needs none."""
    with tempfile.TemporaryDirectory() as folder, _silenced():
        source, result = Path(folder) / "source.onnx", Path(folder) / "result.onnx"
        onnx.save(model, source)
        if form == "dynamic":
            kind = quantization.QuantType.QUInt8
            quantization.quantize_dynamic(source, result, weight_type=kind)
        else:
            feeds = _Feeds(model.graph.input[0].name, pictures)
            style = quantization.QuantFormat[form]
            quantization.quantize_static(source, result, feeds, quant_format=style)
        return onnx.load(result)


class _Feeds(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, pictures: Sequence[NDArray[np.float32]]) -> None:
        self._feeds = iter([{name: picture} for picture in pictures])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


@contextmanager
def _silenced() -> Iterator[None]:
    """The quantiser gives advice on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
