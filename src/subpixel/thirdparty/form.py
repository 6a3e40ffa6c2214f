"""The form of a third-party network: channels, layout, scale, border, determined by running it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from subpixel.convention import Convention, TensorLayout
from subpixel.errors import NetworkError
from subpixel.graph.adopt.layout import TO_NCHW
from subpixel.runtime.sizes import MULTIPLES, odd_multiples

HeightWidth = tuple[int, int]


class Raw(Protocol):
    """A network without conversions: values in, all outputs out; raises :class:`NetworkError`."""

    @property
    def dims(self) -> tuple[int | None, ...]:
        """The declared lengths of the input's axes, in their order; None where free."""
        ...

    @property
    def takes_codes(self) -> bool:
        """Whether the input is uint8."""
        ...

    def gives_codes(self, output: str) -> bool:
        """Whether ``output`` is uint8."""
        ...

    def __call__(
        self, values: NDArray[np.float64], layout: TensorLayout
    ) -> Mapping[str, NDArray[Any]]: ...


@dataclass(frozen=True)
class Form:
    """The shapes of a network's input and output, whatever its values mean."""

    channels: int
    input_layout: TensorLayout
    output_layout: TensorLayout
    output: str
    scale: int
    missing: HeightWidth
    """Rows and columns that are missing from the result, at any size; (0, 0): none."""
    size_multiple: int
    fixed_size: HeightWidth | None
    fixed_batch: int | None

    @property
    def probe_size(self) -> HeightWidth:
        """The size of the photographs for the network: the smallest of the tested ones."""
        return self.fixed_size or odd_multiples(self.size_multiple)[0]


@dataclass(frozen=True)
class _Trial:
    layout: TensorLayout
    channels: int
    multiple: int


def find_form(raw: Raw, convention: Convention) -> Form:
    """Determine the form by running ``raw`` at a few sizes.

    Raises :class:`NetworkError` for a network that doesn't enlarge both sides by one whole number
    and keep its channels, or with several outputs that may be the picture.
    """
    failures: list[str] = []
    for trial in _trials(raw, convention):
        try:
            return _measure_form(raw, trial, convention)
        except NetworkError as error:
            failures.append(str(error))
    raise NetworkError(failures[0])


def _trials(raw: Raw, convention: Convention) -> Iterator[_Trial]:
    """The most likely first: NCHW, RGB, any size."""
    for layout in (convention.layout,) if convention.layout else _layouts(raw.dims):
        channels = raw.dims[_channel_axis(layout)]
        for planes in (3, 1) if channels is None else (channels,):
            _expect_channels(planes, raw.dims, layout)
            fixed = _only_size(raw.dims, layout) is not None
            for multiple in MULTIPLES[:1] if fixed else MULTIPLES:
                yield _Trial(layout, planes, multiple)


def _layouts(dims: tuple[int | None, ...]) -> tuple[TensorLayout, ...]:
    """The layouts that the declared axes allow."""
    first, last = dims[1] in (1, 3), dims[3] in (1, 3)
    if first != last:
        return ("nchw",) if first else ("nhwc",)
    return ("nhwc",) if dims[3] == 4 and dims[1] != 4 else ("nchw", "nhwc")


def _channel_axis(layout: TensorLayout) -> int:
    return 1 if layout == "nchw" else 3


def _expect_channels(channels: int, dims: tuple[int | None, ...], layout: TensorLayout) -> None:
    if channels not in (1, 3):
        raise NetworkError(
            f"its input {_format_shape(dims)} has {channels} channels in {layout.upper()}; "
            "subpixel runs 1 (luma) or 3 (RGB). Four may be RGBA, CMYK or a sensor's: export it "
            "for the colours only, alpha is upscaled separately; or name the --layout"
        )


def _format_shape(dims: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if length is None else str(length) for length in dims) + ")"


def _only_size(dims: tuple[int | None, ...], layout: TensorLayout) -> HeightWidth | None:
    height, width = dims[2:] if layout == "nchw" else dims[1:3]
    return (height, width) if height is not None and width is not None else None


def _measure_form(raw: Raw, trial: _Trial, convention: Convention) -> Form:
    fixed = _only_size(raw.dims, trial.layout)
    sizes = [fixed] if fixed else odd_multiples(trial.multiple)
    results = [_measure_outputs(raw, trial, size) for size in sizes]
    output = _choose_output(results, sizes, convention)
    layout = results[0][output][0]
    result_sizes = [result[output][1] for result in results]
    scale, missing = _find_factor(sizes, result_sizes)
    form = Form(
        trial.channels,
        trial.layout,
        layout,
        output,
        scale,
        missing,
        trial.multiple,
        fixed,
        _only_batch(raw, trial, output, sizes[0], result_sizes[0]),
    )
    if any(missing):
        _expect_border(raw, trial, form)
    return form


def _measure_outputs(
    raw: Raw, trial: _Trial, size: HeightWidth, batch: int | None = None
) -> Mapping[str, tuple[TensorLayout, HeightWidth]]:
    """Layout, height and width of every output that may be a picture."""
    count = raw.dims[0] or batch or 1
    shape = (count, trial.channels, *size)
    values = np.full(shape, 128.0 if raw.takes_codes else 0.5)
    outputs = raw(values, trial.layout)
    layouts = {name: _read_layout(result.shape, shape) for name, result in outputs.items()}
    pictures = {name: picture for name, picture in layouts.items() if picture}
    if not pictures:
        shapes = ", ".join(str(result.shape) for result in outputs.values())
        raise NetworkError(
            f"this is no super-resolution network: it turns the shape {shape} into {shapes}"
        )
    return pictures


def _read_layout(
    result: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[TensorLayout, HeightWidth] | None:
    if len(result) != 4 or result[0] != shape[0]:
        return None
    if result[1] == shape[1]:
        return "nchw", (result[2], result[3])
    return ("nhwc", (result[1], result[2])) if result[3] == shape[1] else None


def _choose_output(
    results: list[Mapping[str, tuple[TensorLayout, HeightWidth]]],
    sizes: list[HeightWidth],
    convention: Convention,
) -> str:
    """The only output that may be the picture."""
    names = [name for name in results[0] if all(name in result for result in results)]
    if convention.output is not None:
        names = [name for name in names if name == convention.output]
    fitting = [name for name in names if _enlarges([r[name][1] for r in results], sizes)]
    if len(fitting) > 1:
        candidates = ", ".join(f"{name} {results[0][name][1]}" for name in fitting)
        raise NetworkError(
            f"for a picture of {sizes[0]} it has several outputs: {candidates}; choose "
            "one: --output-name NAME"
        )
    if not names:
        raise NetworkError("none of its outputs is a picture at every size")
    return (fitting or names)[0]


def _enlarges(results: list[HeightWidth], sizes: list[HeightWidth]) -> bool:
    try:
        _find_factor(sizes, results)
    except NetworkError:
        return False
    return True


def _find_factor(sizes: list[HeightWidth], results: list[HeightWidth]) -> tuple[int, HeightWidth]:
    """The whole number by which the sides are enlarged, and what is missing from the result."""
    if len(sizes) == 1:
        factors = {Fraction(m, s) for m, s in zip(results[0], sizes[0], strict=True)}
    else:
        factors = {
            Fraction(m - n, s - t)
            for m, n, s, t in zip(*results, *sizes, strict=True)  # heights, then widths
        }
    factor = factors.pop()
    if factors or factor <= 0:
        raise NetworkError(
            f"it turns pictures of {sizes[0]} into {results[0]}, by no factor that holds at "
            "every size"
        )
    if factor.denominator != 1:
        raise NetworkError(
            f"it enlarges by {float(factor):g}; subpixel runs networks that enlarge by a whole "
            "number, or restore without enlarging"
        )
    return int(factor), _missing_border(int(factor), sizes, results)


def _missing_border(
    scale: int, sizes: list[HeightWidth], results: list[HeightWidth]
) -> HeightWidth:
    missing = {
        (size[0] * scale - result[0], size[1] * scale - result[1])
        for size, result in zip(sizes, results, strict=True)
    }
    height, width = missing.pop()
    if missing or min(height, width) < 0:
        raise NetworkError(
            f"it turns pictures of {sizes[0]} into {results[0]}, which is not {scale} times "
            "as large"
        )
    return height, width


def _expect_border(raw: Raw, trial: _Trial, form: Form) -> None:
    """A border is missing at every remainder; otherwise sizes are rounded down to a multiple."""
    for step in range(1, 5):
        start = form.probe_size[0] + (2 * step - 1) * trial.multiple
        size = (start, start + trial.multiple)
        layout_and_size = _measure_outputs(raw, trial, size).get(form.output)
        expected = tuple(s * form.scale - m for s, m in zip(size, form.missing, strict=True))
        if layout_and_size is None or layout_and_size[1] != expected:
            raise NetworkError(f"it turns pictures of {size} into others than {expected}")


def _only_batch(
    raw: Raw, trial: _Trial, output: str, size: HeightWidth, expected: HeightWidth
) -> int | None:
    if raw.dims[0] is not None:
        return raw.dims[0]
    try:
        result = _measure_outputs(raw, trial, size, batch=2).get(output)
    except NetworkError:
        return 1
    return None if result is not None and result[1] == expected else 1


def read_output(result: NDArray[Any], form: Form) -> NDArray[np.float64]:
    """A raw output as NCHW values."""
    planes = result if form.output_layout == "nchw" else result.transpose(TO_NCHW)
    return np.asarray(planes, np.float64)
