"""A third-party ONNX graph becomes an ordinary one: float32 NCHW, RGB or luma in 0 … 1."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from subpixel.convention import BYTE_RANGE, UNKNOWN_CONVENTION, ChannelOrder, Convention
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.adopt.raw import RawNetwork
from subpixel.graph.adopt.wrap import (
    Model,
    Wrapping,
    fixed_size,
    is_ordinary,
    with_one_picture,
    wrapped,
)
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.metadata import with_spec
from subpixel.graph.precision import graph_precision
from subpixel.spec import ModelSpec, Precision
from subpixel.thirdparty.form import Form, find_form
from subpixel.thirdparty.reading import (
    Planes,
    Reading,
    Trials,
    in_unit,
    inside,
    psnr,
    settle,
    trials,
)

EXACT = 80.0
"""Least PSNR in dB between an adopted fp32 network and the original under its convention."""

REDUCED = 50.0
"""The same for fewer bits, whose sums an optimiser may order anew."""


NAMES: Mapping[ChannelOrder, str] = {"rgb": "RGB", "bgr": "BGR", "ycbcr": "YCbCr"}


@dataclass(frozen=True, eq=False)
class Adopted:
    """A third-party network as an ordinary one."""

    model: Model
    """With its facts in its metadata."""
    spec: ModelSpec
    remark: str
    """What was decided, in one line."""
    unchanged: bool
    """Whether the graph is the original: nothing had to be wrapped."""


def adopt(model: Model, name: str, convention: Convention = UNKNOWN_CONVENTION) -> Adopted:
    """Find out which convention ``model`` follows, and wrap it into the graph.

    What ``convention`` states is not looked for. The result was run, and gives on photographs
    what the original gives under its convention. Raises :class:`NetworkError` for a graph that is
    no super-resolution network, whose convention photographs don't tell (the message names the
    option), or that can't be wrapped, and :class:`~subpixel.errors.UsageError` for inputs and
    outputs that aren't there.
    """
    bare = with_one_picture(model, dict(convention.inputs), convention.output)
    raw = RawNetwork(bare)
    form = find_form(raw, convention)
    _expect_fitting(convention, form, raw)
    bare = with_one_picture(bare, {}, form.output)
    trial = trials(raw, form)
    reading = settle(trial, convention)
    wrapping = wrapping_of(form, reading)
    remark = remark_on(form, reading, raw)
    if not convention.inputs and len(model.graph.output) == 1 and is_ordinary(bare, wrapping):
        spec = _spec(model, name, form)
        return Adopted(with_spec(model, spec), spec, remark, unchanged=True)
    made = wrapped(bare, wrapping)
    spec = _spec(made, name, form, origin=f"{name}, adopted: {remark}")
    _expect_same(RawNetwork(made), trial, reading, spec)
    return Adopted(with_spec(made, spec), spec, remark, unchanged=False)


def _expect_fitting(convention: Convention, form: Form, raw: RawNetwork) -> None:
    """Raise :class:`UsageError` for what can't hold of a network of this form."""
    if form.channels == 1 and (convention.input_order or convention.output_order):
        raise UsageError("it takes one channel, luma; leave out the order of channels")
    for given in (convention.input_range, convention.output_range):
        if given is not None and len(given.mean) not in (1, form.channels):
            raise UsageError(
                f"the range {given} has numbers for {len(given.mean)} channels; it takes "
                f"{form.channels}"
            )
    ends = (
        ("input", raw.takes_codes, convention.input_range),
        ("output", raw.gives_codes(form.output), convention.output_range),
    )
    for end, holds_codes, given in ends:
        if holds_codes and given not in (None, BYTE_RANGE):
            raise UsageError(f"its {end} is uint8, which holds 0..255, not {given}")


def wrapping_of(form: Form, reading: Reading) -> Wrapping:
    """What has to be put around the network."""
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


def _spec(model: Model, name: str, form: Form, origin: str = "unknown") -> ModelSpec:
    fixed = fixed_size(model)
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
    channels = _pair(*(NAMES[order] for order in reading.orders)) if form.channels == 3 else "luma"
    parts = [
        f"{_pair(*types)} {_pair(form.input_layout.upper(), form.output_layout.upper())}",
        channels,
        f"values in {_pair(*map(str, reading.ranges))}",
        f"x{form.scale}",
    ]
    if border := reading.border:
        parts.append(f"{border.height} rows and {border.width} columns of border left out")
    return ", ".join(parts)


def _pair(given: str, result: str) -> str:
    return given if given == result else f"{given} to {result}"


def _expect_same(ordinary: RawNetwork, trial: Trials, reading: Reading, spec: ModelSpec) -> None:
    """Run the wrapped graph where the original ran, and compare."""
    if reading.border and spec.fixed_size:
        return  # the wrapped graph takes smaller pictures: there is nothing to compare with
    small = trial.photos.small
    made = np.concatenate([_run(ordinary, one[None], spec) for one in small])
    given, result = trial.run(reading.ranges[0], reading.orders[0]), reading
    expected = in_unit(given.values, result.ranges[1], result.orders[1])
    if reading.border:  # near its edges the wrapped network sees what is put around
        made, expected = _middle(inside(made, reading.border)), _middle(expected)
    _expect_near(made, expected, spec.precision)


def _middle(planes: Planes) -> Planes:
    height, width = planes.shape[2] // 3, planes.shape[3] // 3
    return planes[:, :, height:-height, width:-width]


def _run(ordinary: RawNetwork, picture: Planes, spec: ModelSpec) -> Planes:
    given = np.repeat(picture, spec.fixed_batch or 1, axis=0)
    (result,) = ordinary(given, "nchw").values()
    return np.asarray(result[:1], np.float64)


def _expect_near(made: Planes, expected: Planes, precision: Precision) -> None:
    near = psnr(made, expected)
    if not near >= (EXACT if precision == "fp32" else REDUCED):
        raise NetworkError(
            f"wrapped, the network is {near:.1f} dB from what it gives by itself, on photographs; "
            "it can't be adopted"
        )
