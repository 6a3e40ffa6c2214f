"""The convention of a network, determined by its results on photographs.

The network is run on small photographs under each convention, and the results are compared with the
large ones. Under its own convention they are closer than under another; where two conventions are
equally close and their results differ, the convention can't be determined, and the user must state
it.
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
from subpixel.imaging.metrics import MAX_PSNR, psnr_of
from subpixel.thirdparty.form import Form, Raw, read_output
from subpixel.thirdparty.photographs import Photographs, make_photographs

RANGE_MARGIN = 0.5
"""The dB by which a range must be better than another. Measured on eight networks of six
architectures, each under four ranges: the right one was at most 0.1 dB behind any other."""

ORDER_MARGIN = 1.0
"""The same between channel orders, where the wrong one was up to 0.4 dB ahead."""

YCBCR_MARGIN = 0.15
"""The same between YCbCr and RGB or BGR, which differ more: the right one was at least 0.19 dB
ahead."""

RESEMBLES = 20.0
"""The PSNR above which a result is the upscaled photograph; networks that brighten stay below."""

SAME_CODES = 1.0
"""The largest difference, in 8-bit code values, between readings that are equal."""

EDGE_PIXELS = 8
"""Pixels of the input at each edge that are ignored."""

TINY = 1e-12

BORDER_ROUNDS = 3
"""How often rows and columns are searched in turn."""

NEAR = 50.0
"""The PSNR between the results of two channel orders, also for vivid colours, above which the
choice doesn't matter: that of equal results in reduced precision."""

Planes = NDArray[np.float64]

_CENTRE = CHROMA_CENTRE.reshape(3, 1, 1)

OrderPair = tuple[ChannelOrder, ChannelOrder]
RangePair = tuple[ValueRange, ValueRange]


@dataclass(frozen=True, eq=False)
class Reading:
    """A network's result under one convention."""

    ranges: RangePair
    """Of input and output."""
    orders: OrderPair
    border: Border
    pictures: Planes
    """The interior of the results as RGB or luma in 0 … 1, NCHW."""
    psnr: float
    """Compared with the photographs, in dB; -inf where the result is not finite."""
    fitted: float
    """The same after contrast and brightness of each channel are fitted to the photographs', for
    networks that change them."""


@dataclass(frozen=True, eq=False)
class Output:
    """A network's results for pictures under one convention of its input."""

    values: Planes
    """Its own values, NCHW."""
    border: Border


@dataclass(frozen=True, eq=False)
class PhotoProbe:
    """A network of known form, to be run on photographs under any convention."""

    raw: Raw
    form: Form
    photos: Photographs

    def run(self, input_range: ValueRange, order: ChannelOrder) -> Output:
        """The network's results for the small photographs in this range and order."""
        values = self.values(self.photos.small, input_range, order)
        return Output(values, _border(values, self.photos.large, self.form.missing))

    def values(self, pictures: Planes, input_range: ValueRange, order: ChannelOrder) -> Planes:
        """The network's own values for ``pictures``, RGB or luma in 0 … 1."""
        inputs = input_range.from_unit(to_order(pictures, order))
        return np.concatenate([self._one(picture[None]) for picture in inputs])

    def _one(self, picture: Planes) -> Planes:
        batch = self.form.fixed_batch or 1
        result = self.raw(np.repeat(picture, batch, axis=0), self.form.input_layout)
        return read_output(result[self.form.output], self.form)[:1]

    def read(self, output: Output, ranges: RangePair, orders: OrderPair) -> Reading:
        """The output read with ``ranges`` and ``orders``."""
        pictures = to_unit(output.values, ranges[1], orders[1])
        expected = inside(self.photos.large, output.border)
        pictures, expected = self._interior(pictures), self._interior(expected)
        near = unit_psnr(pictures, expected)
        fitted = unit_psnr(_fit_contrast(pictures, expected), expected)
        return Reading(ranges, orders, output.border, pictures, near, fitted)

    def vivid(self, ranges: RangePair, orders: OrderPair) -> Planes:
        """The interior of the network's results for vivid colours."""
        values = self.values(self.photos.vivid, ranges[0], orders[0])
        return self._interior(to_unit(values, ranges[1], orders[1]))

    def _interior(self, pictures: Planes) -> Planes:
        """The pictures without their edges, where zero padding means black in one range and grey in
        another."""
        height, width = pictures.shape[2:]
        down, across = (min(EDGE_PIXELS * self.form.scale, side // 4) for side in (height, width))
        return pictures[:, :, down : height - down, across : width - across]


def make_probe(raw: Raw, form: Form) -> PhotoProbe:
    """``raw`` with photographs of its size."""
    return PhotoProbe(raw, form, make_photographs(form.scale, form.channels, *form.probe_size))


def to_order(pixels: Planes, order: ChannelOrder) -> Planes:
    """RGB in 0 … 1 → the channels of ``order``; one channel is unchanged."""
    if order == "rgb" or pixels.shape[1] == 1:
        return pixels
    if order == "bgr":
        swapped: Planes = pixels[:, ::-1]
        return swapped
    converted: Planes = np.einsum("oi,nihw->nohw", TO_YCBCR, pixels) + _CENTRE
    return converted


def from_order(pixels: Planes, order: ChannelOrder) -> Planes:
    """The inverse of :func:`to_order`."""
    if order != "ycbcr" or pixels.shape[1] == 1:
        return to_order(pixels, order)
    colours: Planes = np.einsum("oi,nihw->nohw", FROM_YCBCR, pixels - _CENTRE)
    return colours


def to_unit(values: Planes, input_range: ValueRange, order: ChannelOrder) -> Planes:
    """A network's own values → RGB or luma in 0 … 1."""
    with np.errstate(all="ignore"):
        pictures: Planes = from_order(input_range.to_unit(values), order)
    return pictures


def unit_psnr(a: Planes, b: Planes) -> float:
    """The PSNR in dB of pictures in 0 … 1, clipped to that; -inf where ``a`` is not finite."""
    if not np.isfinite(a).all():
        return -np.inf
    return min(psnr_of(np.clip(a, 0, 1) - np.clip(b, 0, 1), peak=1.0), MAX_PSNR)


def _fit_contrast(pictures: Planes, expected: Planes) -> Planes:
    """``pictures`` with contrast and brightness of each channel fitted to ``expected`` by linear
    regression."""
    if not np.isfinite(pictures).all():
        return pictures
    means, expected_means = (p.mean(axis=(2, 3), keepdims=True) for p in (pictures, expected))
    centred = pictures - means
    power = (centred**2).sum(axis=(2, 3), keepdims=True)
    product = (centred * (expected - expected_means)).sum(axis=(2, 3), keepdims=True)
    result: Planes = expected_means + centred * product / np.maximum(power, TINY)
    return result


def settle_reading(probe: PhotoProbe, convention: Convention) -> Reading:
    """The right reading among those that ``convention`` leaves open.

    Raises :class:`NetworkError`, which names the option, where photographs don't reveal it.
    """
    return _settle_orders(probe, _settle_ranges(probe, convention), convention)


def range_readings(probe: PhotoProbe, convention: Convention) -> list[Reading]:
    """One reading per pair of ranges that ``convention`` leaves open, the default pair first."""
    order = convention.input_order or "rgb"
    readings: list[Reading] = []
    for input_range in _input_ranges(probe, convention):
        output = probe.run(input_range, order)
        pairs = [(input_range, result) for result in _output_ranges(probe, convention)]
        readings += [_as_either_order(probe, output, pair, convention) for pair in pairs]
    return readings


def _as_either_order(
    probe: PhotoProbe, output: Output, ranges: RangePair, convention: Convention
) -> Reading:
    """The better reading of RGB and BGR: the range is determined before the order."""
    order = convention.input_order or "rgb"
    orders = _output_orders(order, probe.form, convention)
    return _best([probe.read(output, ranges, (order, result)) for result in orders])


def _output_orders(
    order: ChannelOrder, form: Form, convention: Convention
) -> Sequence[ChannelOrder]:
    """The possible orders of the result of a network whose input has ``order``: the same first."""
    if convention.output_order is not None:
        return (convention.output_order,)
    return (order,) if form.channels == 1 else tuple(dict.fromkeys((order, "rgb", "bgr")))


def _input_ranges(probe: PhotoProbe, convention: Convention) -> Sequence[ValueRange]:
    if convention.input_range is not None:
        return (convention.input_range,)
    return (BYTE_RANGE,) if probe.raw.takes_codes else _ranges(probe.form)


def _output_ranges(probe: PhotoProbe, convention: Convention) -> Sequence[ValueRange]:
    if convention.output_range is not None:
        return (convention.output_range,)
    if probe.raw.gives_codes(probe.form.output):
        return (BYTE_RANGE,)
    stated = convention.input_range
    ranges = _ranges(probe.form)
    return ranges if stated is None else tuple(dict.fromkeys((stated, *ranges)))


def _ranges(form: Form) -> tuple[ValueRange, ...]:
    return tuple(
        candidate for candidate in RANGES if form.channels == 3 or candidate != IMAGENET_RANGE
    )


def _best(readings: Iterable[Reading]) -> Reading:
    return max(readings, key=lambda reading: reading.psnr)


def _settle_ranges(probe: PhotoProbe, convention: Convention) -> RangePair:
    readings = range_readings(probe, convention)
    best = _best(readings)
    if len(readings) == 1:
        return best.ranges
    if not best.psnr >= RESEMBLES:
        raise NetworkError(
            "its results resemble the photographs under no range of values "
            f"(at best {best.psnr:.1f} dB), as for networks that change brightness; state "
            "--input-range and --output-range: 0..1, 0..255, -1..1 or mean/std"
        )
    rivals = [r for r in readings if r is not best and _may_be_right(r, best, readings)]
    equal = [r for r in rivals if _are_equal(r, best)]
    if len(equal) < len(rivals):
        raise NetworkError(_ask_range([best, *rivals]))
    usual = [r for r in readings if r is best or r in equal]
    return usual[0].ranges


def _may_be_right(reading: Reading, best: Reading, readings: Sequence[Reading]) -> bool:
    """Whether ``reading`` may be the right one too. Readings with different output ranges differ
    only in contrast and brightness; a wrong input range shows even after these are fitted."""
    if best.psnr - reading.psnr < RANGE_MARGIN:
        return True
    input_range = reading.ranges[0]
    of_input = _best([other for other in readings if other.ranges[0] == input_range])
    other_input = input_range != best.ranges[0] and reading is of_input
    return other_input and reading.psnr >= RESEMBLES and best.fitted - reading.fitted < RANGE_MARGIN


def _are_equal(a: Reading, b: Reading) -> bool:
    difference = np.abs(np.clip(a.pictures, 0, 1) - np.clip(b.pictures, 0, 1))
    return float(difference.max()) * 255 <= SAME_CODES


def _ask_range(readings: Sequence[Reading]) -> str:
    ordered = sorted(readings, key=lambda reading: -reading.psnr)
    summary = ", ".join(f"{_format_ranges(r.ranges)} {r.psnr:.1f} dB" for r in ordered[:4])
    return (
        f"photographs don't reveal its range of values ({summary} from the photographs); "
        "state it: --input-range 0..1, 0..255, -1..1 or mean/std, and --output-range where the "
        "result's is another"
    )


def _format_ranges(ranges: RangePair) -> str:
    input_range, result = ranges
    return str(input_range) if input_range == result else f"{input_range} to {result}"


def _settle_orders(probe: PhotoProbe, ranges: RangePair, convention: Convention) -> Reading:
    readings = [
        _reading(probe, ranges, orders) for orders in _orders(probe.form, ranges, convention)
    ]
    best = _best(readings)
    rivals = [r for r in readings if best.psnr - r.psnr < _margin(r.orders, best.orders)]
    usual = rivals[0] if rivals else best
    distances = [_distance(probe, usual, rival) for rival in rivals if rival is not usual]
    if distances and min(distances) < NEAR:
        raise NetworkError(_ask_order(rivals, min(distances)))
    return usual


def _distance(probe: PhotoProbe, a: Reading, b: Reading) -> float:
    """The PSNR between two readings, on the photographs and on vivid colours."""
    vivid = [probe.vivid(reading.ranges, reading.orders) for reading in (a, b)]
    return min(unit_psnr(a.pictures, b.pictures), unit_psnr(*vivid))


def _margin(a: OrderPair, b: OrderPair) -> float:
    return YCBCR_MARGIN if ("ycbcr" in a) != ("ycbcr" in b) else ORDER_MARGIN


def _reading(probe: PhotoProbe, ranges: RangePair, orders: OrderPair) -> Reading:
    return probe.read(probe.run(ranges[0], orders[0]), ranges, orders)


def _orders(form: Form, ranges: RangePair, convention: Convention) -> Iterator[OrderPair]:
    """The pairs of orders that ``convention`` leaves open, the default pair first."""
    if form.channels == 1:
        yield "rgb", "rgb"
        return
    if convention.input_order is not None:
        orders = _output_orders(convention.input_order, form, convention)
        yield from ((convention.input_order, result) for result in orders)
        return
    pairs: list[OrderPair] = [("rgb", "rgb"), ("bgr", "bgr"), ("rgb", "bgr"), ("bgr", "rgb")]
    if IMAGENET_RANGE not in ranges:
        pairs.append(("ycbcr", "ycbcr"))
    yield from (pair for pair in pairs if convention.output_order in (None, pair[1]))


def _ask_order(rivals: Sequence[Reading], distance: float) -> str:
    summary = ", ".join(f"{_format_orders(r.orders)} {r.psnr:.1f} dB" for r in rivals)
    return (
        f"photographs don't reveal its channel order ({summary} from the photographs, and "
        f"{distance:.1f} dB from each other); state it: --channel-order rgb (most of PyTorch's "
        "networks), bgr (OpenCV's and Caffe's) or ycbcr; and --output-order where the result's is "
        "another"
    )


def _format_orders(orders: OrderPair) -> str:
    return orders[0] if orders[0] == orders[1] else f"{orders[0]} to {orders[1]}"


def inside(large: Planes, border: Border) -> Planes:
    """The part of the ``large`` pictures that a network with a missing border returns."""
    height, width = large.shape[2] - border.height, large.shape[3] - border.width
    return large[:, :, border.top : border.top + height, border.left : border.left + width]


def _border(values: Planes, large: Planes, missing: tuple[int, int]) -> Border:
    """The position of the results in the photographs: where both correlate most.

    A symmetric border takes precedence where its correlation is equal to within a thousandth.
    """
    height, width = missing
    middle = Border(height // 2, width // 2, height, width)
    if not middle or not np.isfinite(values).all():
        return middle
    input_range, photo = (planes.mean(axis=1, keepdims=True) for planes in (values, large))

    def at(border: Border) -> float:
        return _correlation(input_range, inside(photo, border))

    best = middle
    for _ in range(BORDER_ROUNDS):
        best = max((replace(best, top=top) for top in range(height + 1)), key=at)
        best = max((replace(best, left=left) for left in range(width + 1)), key=at)
    return middle if at(middle) >= at(best) - 1e-3 else best


def _correlation(a: Planes, b: Planes) -> float:
    """-1 … 1; 0 for pictures without any detail."""
    left, right = a.ravel() - a.mean(), b.ravel() - b.mean()
    norm = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / norm if norm else 0.0
