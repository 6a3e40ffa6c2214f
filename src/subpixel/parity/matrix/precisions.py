"""One network file in each precision."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx

from subpixel.errors import NetworkError, UsageError
from subpixel.graph.int8.integer import to_integer
from subpixel.graph.int8.luma_chain import is_luma_chain
from subpixel.graph.int8.quantize import to_int8
from subpixel.graph.passes.float16 import to_fp16
from subpixel.runtime.op import Pixels
from subpixel.spec import Precision

Variant = Path | str
"""A file, or why there is none."""


@dataclass(frozen=True)
class Conversion:
    """One way to make a network one of fewer bits."""

    form: str
    """What comes of it, in a few words."""
    make: Callable[[], onnx.ModelProto]
    """Raises :class:`NetworkError` where it can't be made so."""


def variant(
    model: onnx.ModelProto,
    given: Precision,
    wanted: Precision,
    calibration: Callable[[], Iterable[Pixels]],
    folder: Path,
) -> Variant:
    """``model``, which is of the precision ``given``, as a file of the precision ``wanted``.

    The file is written into ``folder``. ``calibration`` is called for int8 alone; of
    :func:`conversions` the first is taken.
    """
    if given not in (wanted, "fp32"):
        return f"the file is {given} already; give the fp32 file"
    try:
        made = model if given == wanted else conversions(model, wanted, calibration)[0].make()
    except NetworkError as error:
        return str(error)
    file = folder / f"{wanted}.onnx"
    file.write_bytes(made.SerializeToString())
    return file


def conversions(
    model: onnx.ModelProto, wanted: Precision, calibration: Callable[[], Iterable[Pixels]]
) -> Sequence[Conversion]:
    """The ways to make ``model`` one of fewer bits, the fastest network first.

    int8 is all in integers where that can be (:func:`~subpixel.graph.int8.integer.to_integer`);
    some networks keep their pictures only with the first and the last layer left in float32
    (:func:`~subpixel.graph.int8.quantize.to_int8`). Raises :class:`UsageError` for other
    precisions: ONNX Runtime's CPU provider has no bfloat16 convolution.
    """
    given = model, calibration
    if wanted == "int8":
        whole = Conversion("integers from end to end", partial(_calibrate, to_integer, *given))
        inner = Conversion("QDQ nodes between the ends", partial(_calibrate, to_int8, *given))
        return [whole, inner] if is_luma_chain(model) else [inner]
    if wanted == "fp16":
        return [Conversion("float16", partial(to_fp16, model))]
    raise UsageError(f"precision is {wanted}; networks are converted to fp16 or int8")


def _calibrate(
    form: Callable[[onnx.ModelProto, Iterable[Pixels]], onnx.ModelProto],
    model: onnx.ModelProto,
    calibration: Callable[[], Iterable[Pixels]],
) -> onnx.ModelProto:
    return form(model, calibration())
