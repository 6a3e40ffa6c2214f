"""Length fields of profiles that are a few bytes off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import SRGB, grey_profile
from subpixel.media.metadata.icc import find_tag, fits_colours, repair_length


def stating(length: int, profile: bytes = SRGB) -> bytes:
    return length.to_bytes(4) + profile[4:]


@given(st.binary(min_size=1, max_size=9))
def test_padding_goes(padding: bytes) -> None:
    assert repair_length(SRGB + padding) == SRGB


@pytest.mark.parametrize("off", [-4, -3, -2, -1, 1, 2, 3, 4, 400])
def test_a_length_that_is_off_is_corrected(off: int) -> None:
    assert repair_length(stating(len(SRGB) + off)) == SRGB


@pytest.mark.parametrize("profile", [SRGB, grey_profile()])
def test_a_sound_profile_stays(profile: bytes) -> None:
    assert repair_length(profile) is profile


@given(st.integers(0, len(SRGB) - 100))
def test_one_that_is_cut_off_is_no_profile(length: int) -> None:
    cut = SRGB[:length]
    assert repair_length(cut) == cut
    assert not fits_colours(cut, grey=False)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    repair_length(data)
    find_tag(data, b"cicp")
    assert not fits_colours(data, grey=True)
