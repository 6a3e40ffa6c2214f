"""The curve from compression to strength."""

import pytest

from subpixel.media.compression.jpeg_seams import MAX_PERIOD, MIN_PERIOD, JpegSeams
from subpixel.media.compression.read import UNKNOWN_COMPRESSION, Compression
from subpixel.upscaling.choice.curve import (
    AV1_STRENGTHS,
    JPEG_STRENGTHS,
    SEAM_STRENGTHS,
    WEBP_STRENGTHS,
    strength_for,
    strength_for_seams,
)
from subpixel.zoo.family import POINTS


def test_the_better_the_picture_the_less_it_is_cleaned() -> None:
    jpegs = [strength_for(Compression(jpeg_quality=quality)) for quality in range(1, 101)]
    assert jpegs == sorted(jpegs, reverse=True)
    assert (jpegs[0], jpegs[-1]) == (1, 0)
    webps = [strength_for(Compression(webp_quantizer=index)) for index in range(128)]
    assert webps == sorted(webps)
    assert (webps[0], webps[-1]) == (0, 1)
    avifs = [strength_for(Compression(av1_quantizer=index)) for index in range(1, 256)]
    assert avifs == sorted(avifs)
    assert (avifs[0], avifs[-1]) == (0, 1)


def test_every_strength_is_a_point_s() -> None:
    strengths = {point.strength for point in POINTS}
    for steps in (JPEG_STRENGTHS, WEBP_STRENGTHS, AV1_STRENGTHS):
        assert {strength for _, strength in steps} == strengths
        assert steps[0][0] == 0


def test_what_says_nothing_is_left_as_it_is() -> None:
    assert strength_for(UNKNOWN_COMPRESSION) == 0


@pytest.mark.parametrize(("quantizer", "strength"), [(16.99, 0.25), (17.0, 0.5)])
def test_a_step_begins_where_it_says(quantizer: float, strength: float) -> None:
    assert strength_for(Compression(webp_quantizer=quantizer)) == strength


def test_the_worse_of_two_counts() -> None:
    assert strength_for(Compression(jpeg_quality=95, webp_quantizer=60)) == 1


def test_stronger_seams_and_wider_blocks_are_cleaned_more() -> None:
    assert strength_for_seams(None) == 0
    contrasts = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 1.0)
    table = [
        [strength_for_seams(JpegSeams(period, contrast)) for contrast in contrasts]
        for period in (MIN_PERIOD, 5.33, 6.0, 7.2, MAX_PERIOD)
    ]
    assert all(row == sorted(row) for row in table)
    assert sorted(map(sum, table)) == [sum(row) for row in table]
    assert {s for _, steps in SEAM_STRENGTHS for _, s in steps} <= {p.strength for p in POINTS}
