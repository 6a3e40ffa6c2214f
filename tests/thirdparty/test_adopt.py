"""Other people's forms of our networks: each is taken rightly, or refused with the option that
helps. The oracle is the network itself under ONNX Runtime, called directly."""

from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
from faults.hosts import host
from onnx import TensorProto

from disguises import (
    Disguise,
    Model,
    bgr,
    bgr_to_rgb,
    brighter,
    bundled,
    codes,
    cropped,
    darker,
    imagenet,
    nan_on_grey,
    nhwc,
    of_type,
    old,
    one_channel,
    resized,
    rgba,
    run,
    scaled,
    signed,
    uint8,
    unit_to_codes,
    valid,
    with_more_outputs,
    with_noise_level,
    with_several_pictures,
    ycbcr,
)
from rounding import dot_bound, likely_bound
from subpixel.convention import (
    BYTE_RANGE,
    IMAGENET_RANGE,
    SIGNED_RANGE,
    UNIT_RANGE,
    UNKNOWN_CONVENTION,
    Convention,
    ValueRange,
    parse_range,
)
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.check import check_model
from subpixel.graph.metadata import read_spec
from subpixel.thirdparty.adopt import adopt_model

RGB = Convention(input_order="rgb")
BGR = Convention(input_order="bgr")


def chain(*disguises: Disguise) -> Disguise:
    def disguise(model: Model) -> Model:
        for one in disguises:
            model = one(model)
        return model

    return disguise


@dataclass(frozen=True)
class Form:
    """One form: what it needs to be told, and how near it then is to the network itself."""

    disguise: Disguise
    told: Convention = RGB
    asks: str | None = None
    """What its refusal says, told no more than ``told``; None: it is taken."""
    atol: float = 1e-5
    """Thrice what rounding moves fast-x2 by (`rounding.likely_bound`): pixels are rounded, too."""
    clipped: bool = False
    own: bool = False
    """Whether what the disguise makes is a network of its own, in our form."""
    remark: str = ""
    precision: str = "fp32"


SET = replace(RGB, inputs=(("sigma", 0.0),))

FORMS = {
    "ordinary": Form(chain(), remark="float NCHW, RGB, values in 0..1, x2"),
    "order not said": Form(chain(), UNKNOWN_CONVENTION, "--channel-order rgb"),
    "0..255": Form(codes, remark="values in 0..255"),
    "-1..1": Form(signed, RGB, "--input-range 0..1, 0..255, -1..1 or mean/std"),
    "-1..1, said": Form(signed, replace(RGB, input_range=SIGNED_RANGE)),
    "mean/std": Form(imagenet, RGB, "--input-range 0..1, 0..255, -1..1 or mean/std"),
    "mean/std, said": Form(imagenet, replace(RGB, input_range=IMAGENET_RANGE)),
    "0..1 to 0..255": Form(unit_to_codes, remark="values in 0..1 to 0..255"),
    "bgr": Form(bgr, UNKNOWN_CONVENTION, "--channel-order rgb"),
    "bgr, said": Form(bgr, BGR, remark="BGR"),
    "bgr to rgb": Form(bgr_to_rgb, UNKNOWN_CONVENTION, "--channel-order rgb"),
    "bgr to rgb, half said": Form(bgr_to_rgb, BGR, remark="BGR to RGB"),
    "bgr to rgb, said": Form(bgr_to_rgb, replace(BGR, output_order="rgb"), remark="BGR to RGB"),
    "bgr 0..255 nhwc": Form(chain(bgr, codes, nhwc), BGR, remark="NHWC, BGR, values in 0..255"),
    # The oracle's YCbCr has six digits.
    "ycbcr": Form(ycbcr, UNKNOWN_CONVENTION, remark="YCbCr", atol=1e-4),
    "ycbcr 0..255": Form(chain(ycbcr, codes), UNKNOWN_CONVENTION, remark="YCbCr", atol=1e-4),
    "nhwc": Form(nhwc, remark="float NHWC"),
    "double": Form(of_type(TensorProto.DOUBLE)),
    # Rounding of the result to 11 bits, and of the input, which the network sharpens.
    "fp16": Form(of_type(TensorProto.FLOAT16), atol=2e-3, precision="fp16"),
    # It cuts off where we would round: up to one code value.
    "uint8 nchw": Form(uint8, remark="uint8 NCHW", atol=1 / 255, clipped=True),
    "uint8 nhwc": Form(chain(uint8, nhwc), remark="uint8 NHWC", atol=1 / 255, clipped=True),
    "rgba": Form(rgba, RGB, "4 channels .* export it for the colours only"),
    "more outputs": Form(with_more_outputs),
    "several pictures": Form(with_several_pictures, RGB, "--output-name NAME"),
    "several pictures, said": Form(with_several_pictures, replace(RGB, output="output")),
    "noise level": Form(with_noise_level([1]), RGB, "--set-input sigma=VALUE"),
    "noise level, set": Form(with_noise_level([1]), SET),
    "noise level per picture": Form(with_noise_level(["n"]), SET),
    "noise level of 1x1x1x1": Form(with_noise_level([1, 1, 1, 1]), SET),
    "noise map": Form(with_noise_level(["n", 1, "h", "w"]), SET),
    "scale 1.5": Form(resized(0.75), RGB, "enlarges by 1.5; .* whole number"),
    "scale 1": Form(resized(0.5), RGB, own=True, remark="x1"),
    "low light": Form(brighter, RGB, "networks that change brightness.* --input-range"),
    "low light, half said": Form(
        brighter, replace(RGB, input_range=UNIT_RANGE, output_range=UNIT_RANGE), "--output-order"
    ),
    "low light, said": Form(
        brighter,
        Convention(
            input_range=UNIT_RANGE, output_range=UNIT_RANGE, input_order="rgb", output_order="rgb"
        ),
        own=True,
    ),
    "darker": Form(darker, RGB, own=True, remark="values in 0..1"),
    "NaN on flat grey": Form(nan_on_grey),
}


def picture(height: int = 23, width: int = 31, batch: int = 2) -> np.ndarray:
    """8-bit noise in 0 … 1: exact in every type, and of every colour."""
    values = np.random.default_rng(0).integers(0, 256, (batch, 3, height, width))
    return values.astype(np.float32) / np.float32(255)


def _rounding(model: Model, pixels: np.ndarray) -> float:
    """Of the network, and of pixels that are brought to another range and back."""
    return likely_bound(model, pixels) + dot_bound(4, 1)


def oracle(form: Form, pixels: np.ndarray) -> np.ndarray:
    """The network itself; where the disguise is a network of its own, that."""
    base = bundled("fast-x2")
    return run(form.disguise(base) if form.own else base, pixels)


@pytest.mark.sample(every=11)
@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_taken_rightly_or_refused_with_the_option_that_helps(name: str) -> None:
    form = FORMS[name]
    theirs = form.disguise(bundled("fast-x2"))
    if form.asks is not None:
        with pytest.raises(NetworkError, match=form.asks):
            adopt_model(theirs, "theirs", form.told)
        return
    adopted = adopt_model(theirs, "theirs", form.told)
    assert form.remark in adopted.remark
    assert adopted.spec.precision == form.precision
    assert read_spec(adopted.model) == adopted.spec
    assert check_model(adopted.model, adopted.spec)
    for pixels in (picture(), picture(8, 40, 1)):
        made, expected = run(adopted.model, pixels), oracle(form, pixels)
        if form.clipped:
            expected = np.clip(expected, 0, 1)
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, expected, rtol=0, atol=form.atol)


@pytest.mark.parametrize(
    ("border", "missing"),
    [((16, 16, 16, 16), 32), ((7, 7, 7, 7), 14), ((0, 0, 8, 8), 8), ((6, 2, 2, 6), 8)],
)
def test_a_border_left_out_is_put_back_in_its_place(
    border: tuple[int, int, int, int], missing: int
) -> None:
    base = bundled("fast-x2")
    adopted = adopt_model(cropped(*border)(base), "theirs", RGB)
    assert f"{missing} rows and {missing} columns of border" in adopted.remark
    pixels = picture(40, 50)
    padded = np.pad(pixels, ((0, 0), (0, 0), (20, 20), (20, 20)), mode="edge")
    expected = run(base, padded)[:, :, 40:-40, 40:-40]
    made = run(adopted.model, pixels)
    assert made.shape == expected.shape == (2, 3, 80, 100)
    assert check_model(adopted.model, adopted.spec)
    # Where the network pads by itself it sees the wrapped one's edge less far: 7 pixels.
    np.testing.assert_allclose(
        made[:, :, 16:-16, 16:-16], expected[:, :, 16:-16, 16:-16], rtol=0, atol=1e-5
    )


def test_a_network_of_valid_convolutions_is_the_same_up_to_its_edges() -> None:
    """As waifu2x' networks are: what is padded inside is what people pad outside."""
    theirs = valid(layers=4)
    adopted = adopt_model(theirs, "theirs", RGB)
    assert adopted.spec.scale == 2
    pixels = picture(12, 9)
    padded = np.pad(pixels, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
    np.testing.assert_allclose(
        run(adopted.model, pixels), run(theirs, padded), rtol=0, atol=_rounding(theirs, padded)
    )
    assert adopted.spec.halo == 4


@pytest.mark.parametrize(
    ("given", "disguise"), [(UNIT_RANGE, chain()), (BYTE_RANGE, codes), (SIGNED_RANGE, signed)]
)
@pytest.mark.parametrize("name", ["fast-x2", "espcn-x3"])
def test_luma_networks_have_ranges_too(name: str, given: ValueRange, disguise: Disguise) -> None:
    theirs, ours = disguise(one_channel(name)), one_channel(name)
    adopted = adopt_model(theirs, "theirs", Convention(input_range=given))
    assert (adopted.spec.colour, adopted.spec.interface) == ("luma", "luma")
    pixels = picture()[:, :1]
    np.testing.assert_allclose(run(adopted.model, pixels), run(ours, pixels), rtol=0, atol=1e-5)
    try:
        guessed = adopt_model(theirs, "theirs")
    except NetworkError as error:
        assert "--input-range" in str(error)  # noqa: PT017 - either is right
    else:
        assert guessed.model.graph == adopted.model.graph


def test_numbers_of_ones_own() -> None:
    numbers = "mean/std=0.4,0.5,0.6/0.2,0.25,0.3"
    mean, std = (np.reshape(n, (1, 3, 1, 1)) for n in ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)))
    disguise = scaled(mean, std)
    told = replace(RGB, input_range=parse_range(numbers))
    adopted = adopt_model(disguise(bundled("fast-x2")), "theirs", told)
    expected = run(bundled("fast-x2"), picture())
    np.testing.assert_allclose(run(adopted.model, picture()), expected, rtol=0, atol=1e-5)


def test_a_noise_level_is_the_one_that_was_set() -> None:
    theirs = with_noise_level([1])(bundled("fast-x2"))
    adopted = adopt_model(theirs, "theirs", replace(RGB, inputs=(("sigma", 0.01),)))
    expected = run(theirs, picture(), sigma=np.float32([0.01]))
    np.testing.assert_allclose(run(adopted.model, picture()), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["sigmas", "y"])
def test_inputs_and_outputs_that_are_not_there(name: str) -> None:
    theirs = with_noise_level([1])(bundled("fast-x2"))
    with pytest.raises(UsageError, match="there is no input"):
        adopt_model(theirs, "theirs", replace(RGB, inputs=((name, 0.0),)))
    with pytest.raises(UsageError, match="there is no output"):
        adopt_model(bundled("fast-x2"), "theirs", replace(RGB, output=name))


@pytest.mark.parametrize(
    ("theirs", "told", "message"),
    [
        (one_channel(), RGB, "one channel"),
        (
            one_channel(),
            Convention(input_range=IMAGENET_RANGE),
            "numbers for 3 channels; it has 1",
        ),
        (uint8(bundled("fast-x2")), replace(RGB, input_range=UNIT_RANGE), "input is uint8"),
        (uint8(bundled("fast-x2")), replace(RGB, output_range=SIGNED_RANGE), "output is uint8"),
    ],
)
def test_what_can_not_hold_is_refused(theirs: Model, told: Convention, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        adopt_model(theirs, "theirs", told)


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_old_opsets(opset: int) -> None:
    """Brought to the one that the wrapping needs; the phases are all the same here."""
    base = old(opset)
    adopted = adopt_model(nhwc(codes(base)), "theirs", Convention(input_range=BYTE_RANGE))
    assert adopted.model.opset_import[0].version == 13
    pixels = picture()[:, :1]
    within = _rounding(base, pixels)
    np.testing.assert_allclose(run(adopted.model, pixels), run(base, pixels), rtol=0, atol=within)


def test_a_border_and_a_size_multiple_together() -> None:
    theirs = valid(layers=3, multiple=4)
    adopted = adopt_model(theirs, "theirs", RGB)
    assert adopted.spec.size_multiple == 4
    pixels = picture(16, 12)
    padded = np.pad(pixels, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
    expected = run(theirs, padded)[:, :, 2:-2, 2:-2]  # 4 - 3 = 1 pixel more than needed, twice
    within = _rounding(theirs, padded)
    np.testing.assert_allclose(run(adopted.model, pixels), expected, rtol=0, atol=within)


def test_an_ordinary_graph_stays_as_it_is() -> None:
    theirs = bundled("fast-x2")
    adopted = adopt_model(theirs, "theirs", RGB)
    assert adopted.unchanged
    del adopted.model.metadata_props[:]
    assert adopted.model == theirs


def test_what_was_decided_is_a_fact() -> None:
    adopted = adopt_model(nhwc(bgr(bundled("fast-x2"))), "theirs", BGR)
    assert adopted.spec.origin == "theirs, adopted: float NHWC, BGR, values in 0..1, x2"
    assert adopted.spec.halo == adopt_model(bundled("fast-x2"), "ours", RGB).spec.halo


@pytest.mark.slow
def test_a_u_net_at_any_size_has_no_halo() -> None:
    """At odd sizes it resizes by ratios that hang on the picture's size: tiles aren't the whole."""
    theirs = onnx.ModelProto()
    theirs.CopyFrom(host("nested").model)
    del theirs.metadata_props[:]
    adopted = adopt_model(
        theirs, "theirs", replace(RGB, input_range=UNIT_RANGE, output_range=UNIT_RANGE)
    )
    assert (adopted.spec.size_multiple, adopted.spec.halo) == (1, None)


def test_a_fixed_size_and_batch_stay_fixed() -> None:
    theirs = nhwc(codes(bundled("fast-x2")))
    dims = theirs.graph.input[0].type.tensor_type.shape.dim
    for dim, length in zip(dims, (1, 40, 48, 3), strict=True):
        dim.dim_value = length
    adopted = adopt_model(theirs, "theirs", RGB)
    assert (adopted.spec.fixed_size, adopted.spec.fixed_batch) == ((40, 48), 1)
    pixels = picture(40, 48, 1)
    expected = run(bundled("fast-x2"), pixels)
    np.testing.assert_allclose(run(adopted.model, pixels), expected, rtol=0, atol=1e-5)


def test_adopting_does_not_touch_what_it_is_given() -> None:
    theirs = nhwc(codes(bundled("fast-x2")))
    before = theirs.SerializeToString()
    adopt_model(theirs, "theirs", RGB)
    assert theirs.SerializeToString() == before


def test_onnx_accepts_every_rewriting() -> None:
    theirs = chain(with_noise_level(["n"]), uint8, nhwc)(bundled("fast-x2"))
    told = replace(RGB, inputs=(("sigma", 0.0),))
    onnx.checker.check_model(adopt_model(theirs, "theirs", told).model, full_check=True)
