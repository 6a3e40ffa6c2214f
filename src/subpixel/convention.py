"""What a third-party network expects: value range, channel order, layout, further inputs."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError

PixelValues = NDArray[np.float64]

ChannelOrder = Literal["rgb", "bgr", "ycbcr"]
"""``"ycbcr"`` is BT.601's, full range, chroma around the middle of the range (JFIF)."""

TensorLayout = Literal["nchw", "nhwc"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of R, G and B in 0 … 1: torchvision's ``Normalize`` for networks trained on ImageNet."""


@dataclass(frozen=True)
class ValueRange:
    """The network's value for a pixel in 0 … 1: ``(pixel - mean) / std``, with one number for all
    channels or one per channel in the network's own order."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def from_unit(self, pixels: PixelValues) -> PixelValues:
        """NCHW in 0 … 1 → NCHW in the network's range."""
        return (pixels - _per_channel(self.mean)) / _per_channel(self.std)

    def to_unit(self, values: PixelValues) -> PixelValues:
        """The inverse of :meth:`from_unit`."""
        return values * _per_channel(self.std) + _per_channel(self.mean)

    def __str__(self) -> str:
        return self.name


def _per_channel(numbers: tuple[float, ...]) -> PixelValues:
    return np.array(numbers, np.float64).reshape(-1, 1, 1)


UNIT_RANGE = ValueRange("0..1", (0.0,), (1.0,))
BYTE_RANGE = ValueRange("0..255", (0.0,), (1 / 255,))
SIGNED_RANGE = ValueRange("-1..1", (0.5,), (0.5,))
IMAGENET_RANGE = ValueRange("mean/std", IMAGENET_MEAN, IMAGENET_STD)

RANGES = (UNIT_RANGE, BYTE_RANGE, SIGNED_RANGE, IMAGENET_RANGE)
"""The ranges to try, the most common first."""


@dataclass(frozen=True)
class Convention:
    """What is known about a third-party network; None: to be determined by running it."""

    input_range: ValueRange | None = None
    output_range: ValueRange | None = None
    input_order: ChannelOrder | None = None
    output_order: ChannelOrder | None = None
    layout: TensorLayout | None = None
    """Of input and output."""
    inputs: tuple[tuple[str, float], ...] = ()
    """Further inputs by name, each with the value of all its elements."""
    output: str | None = None
    """The output that holds the picture."""


UNKNOWN_CONVENTION = Convention()


def parse_range(text: str) -> ValueRange:
    """``0..1``, ``0..255``, ``-1..1``, ``mean/std``, or ``mean/std`` with numbers for pixels in
    0 … 1: ``mean/std=0.5,0.5,0.5/0.2,0.2,0.2``.

    Raises :class:`UsageError` for anything else.
    """
    ranges = {candidate.name: candidate for candidate in RANGES}
    if text in ranges:
        return ranges[text]
    name, equals, numbers = text.partition("=")
    if name != IMAGENET_RANGE.name or not equals:
        raise UsageError(
            f"the range is {text!r}; it is one of {', '.join(ranges)}, or with your own numbers "
            "mean/std=0.485,0.456,0.406/0.229,0.224,0.225"
        )
    mean, _, std = numbers.partition("/")
    return _validate_range(ValueRange(text, _parse_numbers(mean, text), _parse_numbers(std, text)))


def _parse_numbers(text: str, whole: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"the range is {whole!r}; mean/std= is followed by one or three numbers, a slash, and "
            "as many again"
        ) from error


def _validate_range(candidate: ValueRange) -> ValueRange:
    fits = len(candidate.mean) == len(candidate.std) and len(candidate.mean) in (1, 3)
    finite = np.isfinite((*candidate.mean, *candidate.std)).all()
    if not fits or not finite or not all(candidate.std):
        raise UsageError(
            f"the range is {candidate.name!r}; mean and std must be one or three finite "
            "numbers each, and std not 0"
        )
    return candidate


def parse_input(text: str) -> tuple[str, float]:
    """``NAME=VALUE``; raises :class:`UsageError` for anything else."""
    name, _, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        name = ""
    if not name or not np.isfinite(number):
        raise UsageError(f"the input is {text!r}; it must be NAME=VALUE with a finite number")
    return name, number
