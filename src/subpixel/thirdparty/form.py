"""The form of a third-party network: channels, layout, factor, border, found out by running it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from subpixel.convention import Convention, TensorLayout
from subpixel.errors import NetworkError
from subpixel.runtime.sizes import MULTIPLES, odd_multiples

Size = tuple[int, int]

TO_NCHW = (0, 3, 1, 2)


class Raw(Protocol):
    """A network as it is: numbers in, every output out; raises :class:`NetworkError`."""

    @property
    def dims(self) -> tuple[int | None, ...]:
        """Declared lengths of the input's axes, as they stand; None where free."""
        ...

    @property
    def takes_codes(self) -> bool:
        """Whether the input is of uint8."""
        ...

    def gives_codes(self, output: str) -> bool:
        """Whether that output is of uint8."""
        ...

    def __call__(
        self, values: NDArray[np.float64], layout: TensorLayout
    ) -> Mapping[str, NDArray[Any]]: ...


@dataclass(frozen=True)
class Form:
    """What a network takes and gives, whatever its numbers mean."""

    channels: int
    input_layout: TensorLayout
    output_layout: TensorLayout
    output: str
    scale: int
    missing: Size
    """Rows and columns of the result that are left out, at any size; (0, 0): none."""
    size_multiple: int
    fixed_size: Size | None
    fixed_batch: int | None

    @property
    def probe_size(self) -> Size:
        """The size on which the network is asked: the smallest of those tried."""
        return self.fixed_size or odd_multiples(self.size_multiple)[0]


@dataclass(frozen=True)
class _Trial:
    layout: TensorLayout
    channels: int
    multiple: int


def find_form(raw: Raw, convention: Convention) -> Form:
    """Run ``raw`` at a few sizes, and see.

    Raises :class:`NetworkError` for a network that doesn't enlarge both sides by one whole number
    and keep its channels, or whose picture is one of several outputs, which is then asked for.
    """
    failures: list[str] = []
    for trial in _trials(raw, convention):
        try:
            return _form(raw, trial, convention)
        except NetworkError as error:
            failures.append(str(error))
    raise NetworkError(failures[0])


def _trials(raw: Raw, convention: Convention) -> Iterator[_Trial]:
    """The likeliest first: NCHW, RGB, any size."""
    for layout in (convention.layout,) if convention.layout else _layouts(raw.dims):
        channels = raw.dims[_axis(layout)]
        for planes in (3, 1) if channels is None else (channels,):
            _expect_channels(planes, raw.dims, layout)
            fixed = _fixed_size(raw.dims, layout) is not None
            for multiple in MULTIPLES[:1] if fixed else MULTIPLES:
                yield _Trial(layout, planes, multiple)


def _layouts(dims: tuple[int | None, ...]) -> tuple[TensorLayout, ...]:
    """What the declared axes leave possible."""
    first, last = dims[1] in (1, 3), dims[3] in (1, 3)
    if first != last:
        return ("nchw",) if first else ("nhwc",)
    return ("nhwc",) if dims[3] == 4 and dims[1] != 4 else ("nchw", "nhwc")


def _axis(layout: TensorLayout) -> int:
    return 1 if layout == "nchw" else 3


def _expect_channels(channels: int, dims: tuple[int | None, ...], layout: TensorLayout) -> None:
    if channels not in (1, 3):
        raise NetworkError(
            f"its input {_shape(dims)} has {channels} channels in {layout.upper()}; subpixel runs "
            "1 (luma) or 3 (RGB). Four may be RGBA, CMYK or a sensor's: export it for the colours "
            "alone, alpha is enlarged beside them; or say --layout"
        )


def _shape(dims: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if length is None else str(length) for length in dims) + ")"


def _fixed_size(dims: tuple[int | None, ...], layout: TensorLayout) -> Size | None:
    height, width = dims[2:] if layout == "nchw" else dims[1:3]
    return (height, width) if height is not None and width is not None else None


def _form(raw: Raw, trial: _Trial, convention: Convention) -> Form:
    fixed = _fixed_size(raw.dims, trial.layout)
    sizes = [fixed] if fixed else odd_multiples(trial.multiple)
    results = [_sizes(raw, trial, size) for size in sizes]
    output = _output(results, sizes, convention)
    layout = results[0][output][0]
    made = [result[output][1] for result in results]
    scale, missing = _factor(sizes, made)
    form = Form(
        trial.channels,
        trial.layout,
        layout,
        output,
        scale,
        missing,
        trial.multiple,
        fixed,
        _fixed_batch(raw, trial, output, sizes[0], made[0]),
    )
    if any(missing):
        _expect_border(raw, trial, form)
    return form


def _sizes(
    raw: Raw, trial: _Trial, size: Size, batch: int | None = None
) -> Mapping[str, tuple[TensorLayout, Size]]:
    """Layout, height and width of every output that may hold a picture."""
    count = raw.dims[0] or batch or 1
    shape = (count, trial.channels, *size)
    values = np.full(shape, 128.0 if raw.takes_codes else 0.5)
    outputs = raw(values, trial.layout)
    found = {name: _read(result.shape, shape) for name, result in outputs.items()}
    pictures = {name: picture for name, picture in found.items() if picture}
    if not pictures:
        shapes = ", ".join(str(result.shape) for result in outputs.values())
        raise NetworkError(
            f"this is no super-resolution network: it turns the shape {shape} into {shapes}"
        )
    return pictures


def _read(made: tuple[int, ...], shape: tuple[int, ...]) -> tuple[TensorLayout, Size] | None:
    if len(made) != 4 or made[0] != shape[0]:
        return None
    if made[1] == shape[1]:
        return "nchw", (made[2], made[3])
    return ("nhwc", (made[1], made[2])) if made[3] == shape[1] else None


def _output(
    results: list[Mapping[str, tuple[TensorLayout, Size]]],
    sizes: list[Size],
    convention: Convention,
) -> str:
    """The one output that may be the picture."""
    names = [name for name in results[0] if all(name in result for result in results)]
    if convention.output is not None:
        names = [name for name in names if name == convention.output]
    fitting = [name for name in names if _enlarges([r[name][1] for r in results], sizes)]
    if len(fitting) > 1:
        made = ", ".join(f"{name} {results[0][name][1]}" for name in fitting)
        raise NetworkError(
            f"of a picture of {sizes[0]} it makes several: {made}; say which: --output-name NAME"
        )
    if not names:
        raise NetworkError("none of its outputs is a picture at every size")
    return (fitting or names)[0]


def _enlarges(made: list[Size], sizes: list[Size]) -> bool:
    try:
        _factor(sizes, made)
    except NetworkError:
        return False
    return True


def _factor(sizes: list[Size], made: list[Size]) -> tuple[int, Size]:
    """The whole number by which sides grow, and what is left out of the result."""
    if len(sizes) == 1:
        factors = {Fraction(m, s) for m, s in zip(made[0], sizes[0], strict=True)}
    else:
        factors = {
            Fraction(m - n, s - t)
            for m, n, s, t in zip(*made, *sizes, strict=True)  # heights, then widths
        }
    factor = factors.pop()
    if factors or factor <= 0:
        raise NetworkError(
            f"it turns pictures of {sizes[0]} into {made[0]}, by no factor that holds at every size"
        )
    if factor.denominator != 1:
        raise NetworkError(
            f"it enlarges by {float(factor):g}; subpixel runs networks that enlarge by a whole "
            "number, or restore without enlarging"
        )
    return int(factor), _missing(int(factor), sizes, made)


def _missing(scale: int, sizes: list[Size], made: list[Size]) -> Size:
    missing = {
        (size[0] * scale - result[0], size[1] * scale - result[1])
        for size, result in zip(sizes, made, strict=True)
    }
    height, width = missing.pop()
    if missing or min(height, width) < 0:
        raise NetworkError(
            f"it turns pictures of {sizes[0]} into {made[0]}, which is not {scale} times as large"
        )
    return height, width


def _expect_border(raw: Raw, trial: _Trial, form: Form) -> None:
    """A border is one at every remainder; else sizes are rounded down to a multiple."""
    for step in range(1, 5):
        start = form.probe_size[0] + (2 * step - 1) * trial.multiple
        size = (start, start + trial.multiple)
        layout_and_size = _sizes(raw, trial, size).get(form.output)
        wanted = tuple(s * form.scale - m for s, m in zip(size, form.missing, strict=True))
        if layout_and_size is None or layout_and_size[1] != wanted:
            raise NetworkError(f"it turns pictures of {size} into others than {wanted}")


def _fixed_batch(raw: Raw, trial: _Trial, output: str, size: Size, made: Size) -> int | None:
    if raw.dims[0] is not None:
        return raw.dims[0]
    try:
        result = _sizes(raw, trial, size, batch=2).get(output)
    except NetworkError:
        return 1
    return None if result is not None and result[1] == made else 1


def read_output(result: NDArray[Any], form: Form) -> NDArray[np.float64]:
    """A raw output as NCHW numbers."""
    planes = result if form.output_layout == "nchw" else result.transpose(TO_NCHW)
    return np.asarray(planes, np.float64)
