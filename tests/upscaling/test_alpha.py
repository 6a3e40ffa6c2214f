import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import BoxBlur
from subpixel import Upscaler
from subpixel.upscaling import alpha
from subpixel.upscaling.alpha import SURVEY_ROWS, Survey
from subpixel.upscaling.samples import upscale_samples

seeds = st.integers(0, 2**32 - 1)


def bleed(samples: np.ndarray) -> np.ndarray:
    """A whole picture, ``(H, W, C)``, without any colour that is hidden."""
    survey = Survey(*samples.shape[:2])
    bands = [samples[top : top + SURVEY_ROWS] for top in range(0, len(samples), SURVEY_ROWS)]
    for band in bands:
        survey.at(band)
    return np.concatenate(list(survey.bleed(bands)))


@pytest.mark.parametrize(("height", "width"), [(1, 500), (70, 129), (130, 640), (500, 1)])
@pytest.mark.parametrize("channels", [2, 4])
def test_a_wide_picture_goes_in_parts_and_comes_out_the_same(
    monkeypatch: pytest.MonkeyPatch, height: int, width: int, channels: int
) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    samples[..., -1] *= samples[..., -1] > 128
    whole = bleed(samples)
    monkeypatch.setattr(alpha, "SURVEY_COLUMNS", SURVEY_ROWS)
    assert np.array_equal(bleed(samples), whole)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 255), seeds)
def test_hidden_colour_has_no_say(height: int, width: int, hidden: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rgba = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
    rgba[..., 3] = random.choice([0, 90, 255], (height, width))
    other = rgba.copy()
    other[rgba[..., 3] == 0, :3] = hidden
    assert np.array_equal(bleed(rgba), bleed(other))


@given(st.integers(1, 20), st.integers(1, 20), seeds)
def test_opaque_pixels_and_alpha_are_left_alone(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    samples = random.integers(0, 65536, (height, width, 2), dtype=np.uint16)
    samples[..., 1] = random.choice([0, 30000, 65535], (height, width))
    result = bleed(samples)
    opaque = samples[..., 1] == 65535
    assert np.array_equal(result[..., 1], samples[..., 1])
    assert np.array_equal(result[opaque], samples[opaque])


@given(st.integers(1, 30), st.integers(1, 30), seeds)
def test_one_colour_fills_the_picture(height: int, width: int, seed: int) -> None:
    """Also from the faintest pixel, and into the farthest corner."""
    random = np.random.default_rng(seed)
    rgba = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
    rgba[..., 3] = random.choice([0, 1, 255], (height, width), p=[0.9, 0.05, 0.05])
    rgba[0, 0, 3] = 1
    rgba[rgba[..., 3] > 0, :3] = (200, 90, 30)
    assert (bleed(rgba)[..., :3] == (200, 90, 30)).all()


def test_what_is_wholly_transparent_becomes_black() -> None:
    assert not bleed(np.full((5, 6, 4), [9, 9, 9, 0], np.uint8)).any()


def test_what_is_opaque_all_around_stays_exactly_opaque() -> None:
    """One transparent corner must not make the rest of the picture 99.8 % opaque."""

    def leaky(pixels: np.ndarray) -> np.ndarray:
        return BoxBlur(2, 1)(pixels) * np.float32(0.998)

    rgba = np.full((16, 16, 4), 255, np.uint8)
    rgba[:3, :3, 3] = 0
    alpha = upscale_samples(leaky, rgba[None], opaque=False)[0, ..., 3]
    assert (alpha[10:, :] == 255).all()
    assert (alpha[:, 10:] == 255).all()
    assert (alpha[:2, :2] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("edge", ["soft", "hard"])
@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255), (0, 255, 255)])
@settings(max_examples=50)
@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_shape_of_one_colour_has_no_fringe(
    colour: tuple[int, int, int], hidden: tuple[int, int, int], edge: str
) -> None:
    """Through the real network: on any background, a disc is of its colour to its very edge."""
    y, x = np.mgrid[:32, :32]
    distance = 11 - np.hypot(y - 15.5, x - 15.5)
    alpha = np.clip(distance, 0, 1) if edge == "soft" else (distance > 0).astype(float)
    rgb = np.where((alpha > 0)[..., None], colour, hidden)
    rgba = np.dstack([rgb, np.round(alpha * 255)]).astype(np.uint8)
    # The integer network also rounds Y, Cb and Cr, so blue, Y + 1.772 Cb, by 0.5 + 0.886 + 0.5
    # beside what a network does to flat luma.
    for precision, bound in (("fp32", 1), ("int8", 2)):
        result = Upscaler("balanced", scale=3, device="cpu", precision=precision)(rgba)
        seen = result[20:-20, 20:-20]
        visible = seen[seen[..., 3] > 0][:, :3].astype(int)
        assert np.abs(visible - colour).max() <= bound


def _whole(samples: np.ndarray) -> np.ndarray:
    """Pull-push of the whole picture as the paper has it, level by level, without bands."""
    full = np.float32(np.iinfo(samples.dtype).max)
    alpha = samples[..., -1:] / full
    colour = _oracle(samples[..., :-1] / full * alpha, alpha)
    return np.dstack([np.rint(colour * full), samples[..., -1]]).astype(samples.dtype)


def _oracle(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    height, width = weight.shape[:2]
    if (height, width) == (1, 1):
        return np.divide(colour, weight, out=colour * 0, where=weight > 0)
    even = np.pad(np.dstack([colour, weight]), ((0, height % 2), (0, width % 2), (0, 0)))
    total = (even[::2, ::2] + even[::2, 1::2]) + (even[1::2, ::2] + even[1::2, 1::2])
    fits = np.minimum(total[..., -1:], 1)
    share = np.divide(fits, total[..., -1:], out=fits * 0, where=fits > 0)
    behind = _oracle(total[..., :-1] * share, total[..., -1:] * share)
    return colour + (1 - weight) * behind.repeat(2, 0).repeat(2, 1)[:height, :width]


@given(
    st.integers(1, 300),
    st.integers(1, 150),
    st.sampled_from([2, 4]),
    st.sampled_from([np.uint8, np.uint16]),
    st.floats(0, 1),
    seeds,
)
def test_bands_bleed_as_the_whole_does(
    height: int, width: int, channels: int, dtype: type, share: float, seed: int
) -> None:
    """To the bit; a picture of any height is known by one row for each 64 of its own."""
    random = np.random.default_rng(seed)
    white = np.iinfo(dtype).max
    samples = random.integers(0, white + 1, (height, width, channels)).astype(dtype)
    samples[..., -1] *= random.random((height, width)) < share
    assert np.array_equal(bleed(samples), _whole(samples))


def test_a_survey_knows_opaque_from_nearly() -> None:
    samples = np.full((130, 3, 4), 255, np.uint8)
    for coverage in (255, 254):
        samples[-1, -1, -1] = coverage
        survey = Survey(130, 3)
        for top in range(0, 130, SURVEY_ROWS):
            survey.at(samples[top : top + SURVEY_ROWS])
        assert survey.opaque == (coverage == 255)
