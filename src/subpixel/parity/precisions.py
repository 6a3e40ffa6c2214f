"""One network file in each precision."""

from collections.abc import Callable, Iterable
from pathlib import Path

import onnx

from subpixel.errors import NetworkError
from subpixel.graph.bfloat import to_bf16
from subpixel.graph.half import to_fp16
from subpixel.graph.integer import to_integer
from subpixel.graph.luma_chain import is_luma_chain
from subpixel.graph.quantize import to_int8
from subpixel.runtime.op import Pixels
from subpixel.spec import Precision

Variant = Path | str
"""A file, or why there is none."""


def variant(
    model: onnx.ModelProto,
    given: Precision,
    wanted: Precision,
    calibration: Callable[[], Iterable[Pixels]],
    folder: Path,
) -> Variant:
    """``model``, which is of the precision ``given``, as a file of the precision ``wanted``.

    The file is written into ``folder``. ``calibration`` is called for int8 alone: all in
    integers where that can be (:func:`~subpixel.graph.integer.to_integer`), else the inner layers
    (:func:`~subpixel.graph.quantize.to_int8`).
    """
    if given not in (wanted, "fp32"):
        return f"the file is {given} already; give the fp32 file"
    try:
        made = model if given == wanted else _converted(model, wanted, calibration)
    except NetworkError as error:
        return str(error)
    file = folder / f"{wanted}.onnx"
    file.write_bytes(made.SerializeToString())
    return file


def _converted(
    model: onnx.ModelProto, wanted: Precision, calibration: Callable[[], Iterable[Pixels]]
) -> onnx.ModelProto:
    if wanted == "int8":
        quantise = to_integer if is_luma_chain(model) else to_int8
        return quantise(model, calibration())
    return to_fp16(model) if wanted == "fp16" else to_bf16(model)
