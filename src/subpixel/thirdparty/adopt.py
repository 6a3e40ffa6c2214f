"""Conversion of a third-party ONNX graph to subpixel's convention: float32 NCHW, RGB or luma in 0 …
1."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from subpixel.convention import BYTE_RANGE, UNKNOWN_CONVENTION, ChannelOrder, Convention
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.adopt.raw import RawNetwork
from subpixel.graph.adopt.wrap import (
    Model,
    Wrapping,
    is_ordinary,
    read_fixed_size,
    with_one_picture,
    wrap_model,
)
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.metadata import with_spec
from subpixel.graph.precision import graph_precision
from subpixel.spec import ModelSpec, Precision
from subpixel.thirdparty.form import Form, find_form
from subpixel.thirdparty.reading import (
    PhotoProbe,
    Planes,
    Reading,
    inside,
    make_probe,
    settle_reading,
    to_unit,
    unit_psnr,
)

MIN_FP32_PSNR = 80.0
"""Minimum PSNR in dB between an adopted fp32 network and the original under its convention."""

MIN_REDUCED_PSNR = 50.0
"""The same for reduced precision, where optimisers may reorder sums."""


ORDER_NAMES: Mapping[ChannelOrder, str] = {"rgb": "RGB", "bgr": "BGR", "ycbcr": "YCbCr"}


@dataclass(frozen=True, eq=False)
class Adoption:
    """A third-party network converted to subpixel's convention."""

    model: Model
    """With its facts in its metadata."""
    spec: ModelSpec
    remark: str
    """What was decided, in one line."""
    unchanged: bool
    """Whether the graph is the original: nothing had to be wrapped."""


def adopt_model(model: Model, name: str, convention: Convention = UNKNOWN_CONVENTION) -> Adoption:
    """Determine the convention of ``model``, and convert the graph.

    What ``convention`` states is not tested. The result is verified: on photographs it equals the
    original under its convention. Raises :class:`NetworkError` for a graph that is no
    super-resolution network, whose convention photographs don't reveal (the message names the
    option), or that can't be converted, and :class:`~subpixel.errors.UsageError` for inputs and
    outputs that don't exist.
    """
    bare = with_one_picture(model, dict(convention.inputs), convention.output)
    raw = RawNetwork(bare)
    form = find_form(raw, convention)
    _expect_fitting(convention, form, raw)
    bare = with_one_picture(bare, {}, form.output)
    probe = make_probe(raw, form)
    reading = settle_reading(probe, convention)
    wrapping = wrapping_of(form, reading)
    remark = remark_on(form, reading, raw)
    if not convention.inputs and len(model.graph.output) == 1 and is_ordinary(bare, wrapping):
        spec = _spec_of_graph(model, name, form)
        return Adoption(with_spec(model, spec), spec, remark, unchanged=True)
    ordinary = wrap_model(bare, wrapping)
    spec = _spec_of_graph(ordinary, name, form, origin=f"{name}, adopted: {remark}")
    _expect_same(RawNetwork(ordinary), probe, reading, spec)
    return Adoption(with_spec(ordinary, spec), spec, remark, unchanged=False)


def _expect_fitting(convention: Convention, form: Form, raw: RawNetwork) -> None:
    """Raise :class:`UsageError` for a convention that is impossible for a network of this form."""
    if form.channels == 1 and (convention.input_order or convention.output_order):
        raise UsageError("it has one channel, luma; leave out the channel order")
    for stated in (convention.input_range, convention.output_range):
        if stated is not None and len(stated.mean) not in (1, form.channels):
            raise UsageError(
                f"the range {stated} has numbers for {len(stated.mean)} channels; it has "
                f"{form.channels}"
            )
    ends = (
        ("input", raw.takes_codes, convention.input_range),
        ("output", raw.gives_codes(form.output), convention.output_range),
    )
    for end, holds_codes, stated in ends:
        if holds_codes and stated not in (None, BYTE_RANGE):
            raise UsageError(f"its {end} is uint8, which holds 0..255, not {stated}")


def wrapping_of(form: Form, reading: Reading) -> Wrapping:
    """The conversions that the network needs."""
    return Wrapping(
        (form.input_layout, form.output_layout),
        reading.ranges,
        reading.orders,
        reading.border,
        form.scale,
        form.channels,
        form.size_multiple,
        form.fixed_batch,
    )


def _spec_of_graph(model: Model, name: str, form: Form, origin: str = "unknown") -> ModelSpec:
    fixed = read_fixed_size(model)
    return ModelSpec(
        name=name,
        scale=form.scale,
        colour="luma" if form.channels == 1 else "rgb",
        interface="luma" if form.channels == 1 else "rgb",
        purpose="restoration" if form.scale == 1 else "super-resolution",
        halo=halo(model, form.size_multiple),
        size_multiple=form.size_multiple,
        padding="edge" if fixed else "reflect",
        fixed_size=fixed,
        fixed_batch=form.fixed_batch,
        precision=graph_precision(model),
        origin=origin,
    )


def remark_on(form: Form, reading: Reading, raw: RawNetwork) -> str:
    """What was decided, in one line."""
    types = (
        "uint8" if codes else "float" for codes in (raw.takes_codes, raw.gives_codes(form.output))
    )
    channels = (
        _format_pair(*(ORDER_NAMES[order] for order in reading.orders))
        if form.channels == 3
        else "luma"
    )
    layouts = form.input_layout.upper(), form.output_layout.upper()
    parts = [
        f"{_format_pair(*types)} {_format_pair(*layouts)}",
        channels,
        f"values in {_format_pair(*map(str, reading.ranges))}",
        f"x{form.scale}",
    ]
    if border := reading.border:
        parts.append(f"{border.height} rows and {border.width} columns of border left out")
    return ", ".join(parts)


def _format_pair(source: str, result: str) -> str:
    return source if source == result else f"{source} to {result}"


def _expect_same(
    ordinary: RawNetwork, probe: PhotoProbe, reading: Reading, spec: ModelSpec
) -> None:
    """Run the converted graph on the same photographs as the original, and compare."""
    if reading.border and spec.fixed_size:
        return  # the converted graph takes smaller pictures: there is nothing to compare with
    small = probe.photos.small
    actual = np.concatenate([_run_picture(ordinary, one[None], spec) for one in small])
    original, result = probe.run(reading.ranges[0], reading.orders[0]), reading
    expected = to_unit(original.values, result.ranges[1], result.orders[1])
    if reading.border:  # near the edges the converted network sees padding
        actual, expected = _middle_third(inside(actual, reading.border)), _middle_third(expected)
    _expect_near(actual, expected, spec.precision)


def _middle_third(planes: Planes) -> Planes:
    height, width = planes.shape[2] // 3, planes.shape[3] // 3
    return planes[:, :, height:-height, width:-width]


def _run_picture(ordinary: RawNetwork, picture: Planes, spec: ModelSpec) -> Planes:
    inputs = np.repeat(picture, spec.fixed_batch or 1, axis=0)
    (result,) = ordinary(inputs, "nchw").values()
    return np.asarray(result[:1], np.float64)


def _expect_near(actual: Planes, expected: Planes, precision: Precision) -> None:
    near = unit_psnr(actual, expected)
    if not near >= (MIN_FP32_PSNR if precision == "fp32" else MIN_REDUCED_PSNR):
        raise NetworkError(
            f"converted, the network's results on photographs are {near:.1f} dB from its own; "
            "it can't be adopted"
        )
