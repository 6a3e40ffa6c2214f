"""Which convention a network follows, told by what it makes of photographs.

The network is run on small photographs under each convention, and what comes out is compared with
the large ones. With its own convention a network comes nearer to them than with another; where two
conventions come equally near and the pictures differ, nothing can be told, and it is asked for.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from subpixel.convention import (
    BYTE_RANGE,
    IMAGENET_RANGE,
    RANGES,
    ChannelOrder,
    Convention,
    ValueRange,
)
from subpixel.errors import NetworkError
from subpixel.graph.adopt.border import Border
from subpixel.graph.adopt.channel_order import CHROMA_CENTRE, FROM_YCBCR, TO_YCBCR
from subpixel.thirdparty.form import Form, Raw, read_output
from subpixel.thirdparty.photographs import Photographs, photographs

MARGIN = 0.5
"""By how many dB a range must come nearer than another. Measured on eight networks of six
architectures, each under four ranges: the right one was at most 0.1 dB behind any other."""

ORDER_MARGIN = 1.0
"""The same between orders of colours: there the wrong one was up to 0.4 dB ahead."""

YCBCR_MARGIN = 0.15
"""The same between YCbCr and colours, which differ more than colours among themselves: the right
one was at least 0.19 dB ahead."""

RESEMBLES = 20.0
"""PSNR from which on a result is the photograph, enlarged; networks that brighten stay below."""

SAME_CODES = 1.0
"""Largest difference, in 8-bit code values, between readings that are one and the same."""

EDGE = 8
"""Pixels of the input at each edge that don't count."""

TINY = 1e-12

ROUNDS = 3
"""How often rows and columns are looked for in turn."""

NEAR = 50.0
"""PSNR between the pictures of two orders of channels, vivid ones too, from which on the choice
doesn't matter: what passes for the same in reduced precision."""

Planes = NDArray[np.float64]

_CENTRE = CHROMA_CENTRE.reshape(3, 1, 1)

Orders = tuple[ChannelOrder, ChannelOrder]
Ranges = tuple[ValueRange, ValueRange]


@dataclass(frozen=True, eq=False)
class Reading:
    """A network's result, as one convention reads it."""

    ranges: Ranges
    """Of input and output."""
    orders: Orders
    border: Border
    pictures: Planes
    """RGB or luma in 0 … 1, NCHW; the interior."""
    psnr: float
    """To the photographs, in dB; -inf where the result is not finite."""
    fitted: float
    """The same once contrast and brightness of each channel are brought to the photographs': what
    a network that changes them is told by."""


@dataclass(frozen=True, eq=False)
class Output:
    """What a network makes of pictures under one convention of its input."""

    values: Planes
    """Its own numbers, NCHW."""
    border: Border


@dataclass(frozen=True, eq=False)
class Trials:
    """A network of known form, ready to be run on photographs under any convention."""

    raw: Raw
    form: Form
    photos: Photographs

    def run(self, given: ValueRange, order: ChannelOrder) -> Output:
        """What the network makes of the small photographs, given in that range and order."""
        values = self.values(self.photos.small, given, order)
        return Output(values, _border(values, self.photos.large, self.form.missing))

    def values(self, pictures: Planes, given: ValueRange, order: ChannelOrder) -> Planes:
        """The network's own numbers for ``pictures``, RGB or luma in 0 … 1."""
        inputs = given.from_unit(in_order(pictures, order))
        return np.concatenate([self._one(picture[None]) for picture in inputs])

    def _one(self, picture: Planes) -> Planes:
        batch = self.form.fixed_batch or 1
        result = self.raw(np.repeat(picture, batch, axis=0), self.form.input_layout)
        return read_output(result[self.form.output], self.form)[:1]

    def read(self, output: Output, ranges: Ranges, orders: Orders) -> Reading:
        """What came out, as ``ranges`` and ``orders`` read it."""
        pictures = in_unit(output.values, ranges[1], orders[1])
        expected = inside(self.photos.large, output.border)
        pictures, expected = self._interior(pictures), self._interior(expected)
        near = psnr(pictures, expected)
        fitted = psnr(_fitted(pictures, expected), expected)
        return Reading(ranges, orders, output.border, pictures, near, fitted)

    def vivid(self, ranges: Ranges, orders: Orders) -> Planes:
        """What the network makes of vivid colours; the interior."""
        values = self.values(self.photos.vivid, ranges[0], orders[0])
        return self._interior(in_unit(values, ranges[1], orders[1]))

    def _interior(self, pictures: Planes) -> Planes:
        """Without the edges, where the zeros that networks pad with stand for black in one range
        and for grey in another."""
        height, width = pictures.shape[2:]
        down, across = (min(EDGE * self.form.scale, side // 4) for side in (height, width))
        return pictures[:, :, down : height - down, across : width - across]


def trials(raw: Raw, form: Form) -> Trials:
    """``raw`` with the photographs that it is asked with."""
    return Trials(raw, form, photographs(form.scale, form.channels, *form.probe_size))


def in_order(pixels: Planes, order: ChannelOrder) -> Planes:
    """RGB in 0 … 1 → the channels of ``order``; one channel stays as it is."""
    if order == "rgb" or pixels.shape[1] == 1:
        return pixels
    if order == "bgr":
        swapped: Planes = pixels[:, ::-1]
        return swapped
    mixed: Planes = np.einsum("oi,nihw->nohw", TO_YCBCR, pixels) + _CENTRE
    return mixed


def from_order(pixels: Planes, order: ChannelOrder) -> Planes:
    """The inverse of :func:`in_order`."""
    if order != "ycbcr" or pixels.shape[1] == 1:
        return in_order(pixels, order)
    colours: Planes = np.einsum("oi,nihw->nohw", FROM_YCBCR, pixels - _CENTRE)
    return colours


def in_unit(values: Planes, given: ValueRange, order: ChannelOrder) -> Planes:
    """A network's own numbers → RGB or luma in 0 … 1."""
    with np.errstate(all="ignore"):
        pictures: Planes = from_order(given.to_unit(values), order)
    return pictures


def psnr(a: Planes, b: Planes) -> float:
    """Between pictures in 0 … 1, the first clipped to that, in dB."""
    if not np.isfinite(a).all():
        return -np.inf
    error = float(np.mean((np.clip(a, 0, 1) - np.clip(b, 0, 1)) ** 2))
    return -10 * math.log10(max(error, 1e-12))


def _fitted(pictures: Planes, expected: Planes) -> Planes:
    """``pictures`` with the contrast and the brightness, channel by channel, that bring them
    nearest to ``expected``: linear regression."""
    if not np.isfinite(pictures).all():
        return pictures
    means, wanted = (p.mean(axis=(2, 3), keepdims=True) for p in (pictures, expected))
    centred = pictures - means
    power = (centred**2).sum(axis=(2, 3), keepdims=True)
    product = (centred * (expected - wanted)).sum(axis=(2, 3), keepdims=True)
    fitted: Planes = wanted + centred * product / np.maximum(power, TINY)
    return fitted


def settle(trial: Trials, convention: Convention) -> Reading:
    """The reading that is right, as far as ``convention`` leaves it open.

    Raises :class:`NetworkError`, which names the option, where photographs can't tell.
    """
    return _settled_orders(trial, _settled_ranges(trial, convention), convention)


def range_readings(trial: Trials, convention: Convention) -> list[Reading]:
    """One reading per pair of ranges that ``convention`` leaves open, the usual pair first."""
    order = convention.input_order or "rgb"
    readings: list[Reading] = []
    for given in _input_ranges(trial, convention):
        output = trial.run(given, order)
        pairs = [(given, result) for result in _output_ranges(trial, convention)]
        readings += [_as_either_order(trial, output, pair, convention) for pair in pairs]
    return readings


def _as_either_order(
    trial: Trials, output: Output, ranges: Ranges, convention: Convention
) -> Reading:
    """As RGB or BGR, whichever fits: the range is told before the order."""
    order = convention.input_order or "rgb"
    orders = _output_orders(order, trial.form, convention)
    return _best([trial.read(output, ranges, (order, result)) for result in orders])


def _output_orders(
    order: ChannelOrder, form: Form, convention: Convention
) -> Sequence[ChannelOrder]:
    """What the result may be of a network that takes ``order``: first the same."""
    if convention.output_order is not None:
        return (convention.output_order,)
    return (order,) if form.channels == 1 else tuple(dict.fromkeys((order, "rgb", "bgr")))


def _input_ranges(trial: Trials, convention: Convention) -> Sequence[ValueRange]:
    if convention.input_range is not None:
        return (convention.input_range,)
    return (BYTE_RANGE,) if trial.raw.takes_codes else _ranges(trial.form)


def _output_ranges(trial: Trials, convention: Convention) -> Sequence[ValueRange]:
    if convention.output_range is not None:
        return (convention.output_range,)
    if trial.raw.gives_codes(trial.form.output):
        return (BYTE_RANGE,)
    stated = convention.input_range
    known = _ranges(trial.form)
    return known if stated is None else tuple(dict.fromkeys((stated, *known)))


def _ranges(form: Form) -> tuple[ValueRange, ...]:
    return tuple(known for known in RANGES if form.channels == 3 or known != IMAGENET_RANGE)


def _best(readings: Iterable[Reading]) -> Reading:
    return max(readings, key=lambda reading: reading.psnr)


def _settled_ranges(trial: Trials, convention: Convention) -> Ranges:
    readings = range_readings(trial, convention)
    best = _best(readings)
    if len(readings) == 1:
        return best.ranges
    if not best.psnr >= RESEMBLES:
        raise NetworkError(
            "for no range of values that is tried does it make of a photograph what resembles it "
            f"(at best {best.psnr:.1f} dB), as networks that change brightness don't; say "
            "--input-range and --output-range: 0..1, 0..255, -1..1 or mean/std"
        )
    rivals = [r for r in readings if r is not best and _may_be_right(r, best, readings)]
    equal = [r for r in rivals if _same(r, best)]
    if len(equal) < len(rivals):
        raise NetworkError(_ask_range([best, *rivals]))
    usual = [r for r in readings if r is best or r in equal]
    return usual[0].ranges


def _may_be_right(reading: Reading, best: Reading, readings: Sequence[Reading]) -> bool:
    """Whether ``reading`` may be the right one too. What a range of the output reads differs by
    contrast and brightness alone; of the input it shows, whatever the network does to those."""
    if best.psnr - reading.psnr < MARGIN:
        return True
    given = reading.ranges[0]
    of_input = _best([other for other in readings if other.ranges[0] == given])
    other_input = given != best.ranges[0] and reading is of_input
    return other_input and reading.psnr >= RESEMBLES and best.fitted - reading.fitted < MARGIN


def _same(a: Reading, b: Reading) -> bool:
    difference = np.abs(np.clip(a.pictures, 0, 1) - np.clip(b.pictures, 0, 1))
    return float(difference.max()) * 255 <= SAME_CODES


def _ask_range(readings: Sequence[Reading]) -> str:
    ordered = sorted(readings, key=lambda reading: -reading.psnr)
    told = ", ".join(f"{_pair(r.ranges)} {r.psnr:.1f} dB" for r in ordered[:4])
    return (
        f"photographs don't tell which range of values it is for ({told} from the photographs); "
        "say it: --input-range 0..1, 0..255, -1..1 or mean/std, and --output-range where the "
        "result's is another"
    )


def _pair(ranges: Ranges) -> str:
    given, result = ranges
    return str(given) if given == result else f"{given} to {result}"


def _settled_orders(trial: Trials, ranges: Ranges, convention: Convention) -> Reading:
    readings = [
        _reading(trial, ranges, orders) for orders in _orders(trial.form, ranges, convention)
    ]
    best = _best(readings)
    rivals = [r for r in readings if best.psnr - r.psnr < _margin(r.orders, best.orders)]
    usual = rivals[0] if rivals else best
    apart = [_apart(trial, usual, rival) for rival in rivals if rival is not usual]
    if apart and min(apart) < NEAR:
        raise NetworkError(_ask_order(rivals, min(apart)))
    return usual


def _apart(trial: Trials, a: Reading, b: Reading) -> float:
    """PSNR between two readings, on the photographs and on others of vivid colours."""
    vivid = [trial.vivid(reading.ranges, reading.orders) for reading in (a, b)]
    return min(psnr(a.pictures, b.pictures), psnr(*vivid))


def _margin(a: Orders, b: Orders) -> float:
    return YCBCR_MARGIN if ("ycbcr" in a) != ("ycbcr" in b) else ORDER_MARGIN


def _reading(trial: Trials, ranges: Ranges, orders: Orders) -> Reading:
    return trial.read(trial.run(ranges[0], orders[0]), ranges, orders)


def _orders(form: Form, ranges: Ranges, convention: Convention) -> Iterator[Orders]:
    """The pairs of orders that ``convention`` leaves open, the usual one first."""
    if form.channels == 1:
        yield "rgb", "rgb"
        return
    if convention.input_order is not None:
        orders = _output_orders(convention.input_order, form, convention)
        yield from ((convention.input_order, result) for result in orders)
        return
    pairs: list[Orders] = [("rgb", "rgb"), ("bgr", "bgr"), ("rgb", "bgr"), ("bgr", "rgb")]
    if IMAGENET_RANGE not in ranges:
        pairs.append(("ycbcr", "ycbcr"))
    yield from (pair for pair in pairs if convention.output_order in (None, pair[1]))


def _ask_order(rivals: Sequence[Reading], apart: float) -> str:
    told = ", ".join(f"{_orders_said(r.orders)} {r.psnr:.1f} dB" for r in rivals)
    return (
        f"photographs don't tell the order of its channels ({told} from the photographs, and "
        f"{apart:.1f} dB from each other); say it: --channel-order rgb (most of PyTorch's "
        "networks), bgr (OpenCV's and Caffe's) or ycbcr; and --output-order where the result's is "
        "another"
    )


def _orders_said(orders: Orders) -> str:
    return orders[0] if orders[0] == orders[1] else f"{orders[0]} to {orders[1]}"


def inside(large: Planes, border: Border) -> Planes:
    """The part of ``large`` pictures that a network gives which leaves a border out."""
    height, width = large.shape[2] - border.height, large.shape[3] - border.width
    return large[:, :, border.top : border.top + height, border.left : border.left + width]


def _border(values: Planes, large: Planes, missing: tuple[int, int]) -> Border:
    """Where in the photographs the pictures lie: the place where both correlate most.

    A border that is equal on both sides is taken where it correlates as well, to a thousandth.
    """
    height, width = missing
    middle = Border(height // 2, width // 2, height, width)
    if not middle or not np.isfinite(values).all():
        return middle
    given, photo = (planes.mean(axis=1, keepdims=True) for planes in (values, large))

    def at(border: Border) -> float:
        return _correlation(given, inside(photo, border))

    best = middle
    for _ in range(ROUNDS):
        best = max((replace(best, top=top) for top in range(height + 1)), key=at)
        best = max((replace(best, left=left) for left in range(width + 1)), key=at)
    return middle if at(middle) >= at(best) - 1e-3 else best


def _correlation(a: Planes, b: Planes) -> float:
    """-1 … 1; 0 for pictures without any detail."""
    left, right = a.ravel() - a.mean(), b.ravel() - b.mean()
    norm = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / norm if norm else 0.0
