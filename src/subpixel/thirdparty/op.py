"""Networks without a graph to convert: files in ONNX Runtime's format and PyTorch modules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.convention import BYTE_RANGE, UNIT_RANGE, UNKNOWN_CONVENTION, Convention, TensorLayout
from subpixel.errors import NetworkError, UsageError
from subpixel.runtime.op import Probeable
from subpixel.spec import ModelSpec
from subpixel.thirdparty.form import Form, find_form
from subpixel.thirdparty.reading import (
    RANGE_MARGIN,
    RESEMBLES,
    Reading,
    make_probe,
    range_readings,
    settle_reading,
)


@dataclass(frozen=True, eq=False)
class OpNetwork:
    """An op as a :class:`~subpixel.thirdparty.form.Raw` network of one output."""

    op: Probeable

    takes_codes = False

    @property
    def dims(self) -> tuple[int | None, ...]:
        """As declared; None where free."""
        return tuple(n if isinstance(n, int) else None for n in self.op.input_shape)

    def gives_codes(self, output: str) -> bool:  # noqa: ARG002 - it has one output
        """An op gives float32."""
        return False

    def __call__(
        self, values: NDArray[np.float64], layout: TensorLayout
    ) -> Mapping[str, NDArray[Any]]:
        """For NCHW only; raises :class:`NetworkError` for another layout, or where the op fails."""
        if layout != "nchw":
            raise NetworkError(f"its input {self.op.input_shape} is no picture in NCHW")
        return {"output": self.op(values.astype(np.float32))}


def probe_ordinary(op: Probeable, name: str, convention: Convention) -> ModelSpec:
    """The facts of a network that must follow subpixel's convention, as it can't be converted.

    Raises :class:`NetworkError` where it doesn't, or where photographs don't reveal that, and
    :class:`UsageError` for inputs and outputs that ``convention`` selects.
    """
    if convention.inputs or convention.output is not None:
        raise UsageError(
            "inputs and outputs can't be chosen in a file of this format; adopt the ONNX file that "
            "it was made from (subpixel adopt)"
        )
    raw = OpNetwork(op)
    form = find_form(raw, convention)
    reading = settle_reading(make_probe(raw, form), convention)
    if not _is_ordinary(reading, form):
        ranges, orders = ("/".join(map(str, pair)) for pair in (reading.ranges, reading.orders))
        raise NetworkError(
            f"it is for values in {ranges} and channels in {orders}, and a file of this format "
            "can't be rewritten; adopt the ONNX file that it was made from (subpixel adopt)"
        )
    luma = form.channels == 1
    return ModelSpec(
        name=name,
        scale=form.scale,
        colour="luma" if luma else "rgb",
        interface="luma" if luma else "rgb",
        size_multiple=form.size_multiple,
        padding="edge" if form.fixed_size else "reflect",
        fixed_size=form.fixed_size,
        fixed_batch=form.fixed_batch,
    )


def _is_ordinary(reading: Reading, form: Form) -> bool:
    usual = reading.ranges == (UNIT_RANGE, UNIT_RANGE) and reading.orders == ("rgb", "rgb")
    return usual and not reading.border and form.output_layout == "nchw"


TRAINED = 25.0
"""The PSNR in dB that a trained network reaches in its own range (Pillow's bicubic: 30 or more); an
untrained one reached 21 in a wrong range by chance."""


def expect_unit_range(op: Probeable, spec: ModelSpec) -> None:
    """Raise :class:`NetworkError` for a network whose range is clearly another than 0 … 1.

    A network whose results don't resemble the photographs in any range (untrained, or brightening
    on purpose) is accepted.
    """
    form = Form(
        spec.channels,
        "nchw",
        "nchw",
        "output",
        spec.scale,
        (0, 0),
        spec.size_multiple,
        spec.fixed_size,
        spec.fixed_batch,
    )
    usual, *others = range_readings(make_probe(OpNetwork(op), form), UNKNOWN_CONVENTION)
    best = max(others, key=lambda reading: reading.psnr)
    # A network that changes contrast or brightness may be closer to the photograph in a wrong
    # range.
    worse = usual.psnr < RESEMBLES or best.fitted - usual.fitted >= RANGE_MARGIN
    if worse and best.psnr >= TRAINED and best.psnr - usual.psnr >= RANGE_MARGIN:
        source, result = best.ranges
        if source == UNIT_RANGE:
            how = " (divide by 255)" if result == BYTE_RANGE else ""
            raise NetworkError(
                f"on photographs it takes values in {source} and returns them in {result} "
                f"({best.psnr:.1f} dB); its results must be in 0..1, too: put that conversion "
                f"inside the network{how}"
            )
        raise NetworkError(
            f"on photographs it works for values in {source} ({best.psnr:.1f} dB, results in "
            f"{result}), not in 0..1 ({usual.psnr:.1f} dB); put that conversion inside the network"
        )
