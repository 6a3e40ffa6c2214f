"""Length fields of profiles that are a few bytes off."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from samples import SRGB, grey_profile, smooth
from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.metadata.icc import find_tag, fits_colours, repair_length


def stating(length: int, profile: bytes = SRGB) -> bytes:
    return length.to_bytes(4) + profile[4:]


@given(st.binary(min_size=1, max_size=9))
def test_padding_goes(padding: bytes) -> None:
    assert repair_length(SRGB + padding) == SRGB


@pytest.mark.parametrize("off", [-4, -3, -2, -1, 1, 2, 3, 4, 400])
def test_a_length_that_is_off_is_corrected(off: int) -> None:
    assert repair_length(stating(len(SRGB) + off)) == SRGB


@pytest.mark.parametrize("profile", [SRGB, grey_profile()], ids=["rgb", "grey"])
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


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("off", [-4, -2, 0, 2, 4])
@pytest.mark.parametrize("padding", [0, 1, 2, 4])
def test_every_format_keeps_a_profile_whose_length_is_off(
    tmp_path: Path, form: str, off: int, padding: int
) -> None:
    profile = stating(len(SRGB) + off) + bytes(padding)
    image = Image.fromarray(smooth(3)[0])
    image.save(tmp_path / "a", form, icc_profile=profile)
    picture = read_picture(tmp_path / "a")
    assert picture.losses == ()
    assert picture.metadata.icc is not None
    assert fits_colours(picture.metadata.icc, grey=False)
    assert picture.metadata.icc[4 : len(SRGB)] == SRGB[4:]
    assert write_picture(picture, tmp_path / "b.png", strict=True) == ()
