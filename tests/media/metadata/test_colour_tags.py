"""Profiles built from numbers, read by Little CMS."""

import io

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageCms

from samples import SRGB
from subpixel.media.metadata.colour_tags import (
    CodingPoints,
    coding_points_in,
    describe_coding_points,
    describe_gamma,
    hdr_in,
)
from subpixel.media.metadata.icc import fits_colours
from subpixel.media.metadata.profile_building import Chromaticities

D50 = np.array([0.9642, 1.0, 0.8249])
CORNERS = [0, 20000, 33000, 50000, 65535]
PATCHES = np.stack(np.meshgrid(CORNERS, CORNERS, CORNERS), -1).reshape(1, -1, 3).astype(np.uint16)

COLORANTS = {
    12: [[0.51512, 0.2412, -0.00105], [0.29198, 0.69225, 0.04189], [0.1571, 0.06657, 0.78407]],
    9: [[0.67348, 0.27904, -0.00193], [0.16566, 0.67534, 0.02998], [0.12505, 0.04561, 0.79686]],
    1: [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]],
}
"""Red, green and blue under D50 as they stand in the profiles that systems ship."""


def lab_through(profile: bytes, samples: NDArray) -> NDArray:
    """What Little CMS takes the samples for."""
    kind = "grey16" if samples.shape[-1] == 1 else "rgb16"
    image = pyvips.Image.new_from_array(samples).copy(interpretation=kind)
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image.icc_import(embedded=True, pcs="lab", intent="relative").numpy().astype(float)


def lab_of(xyz: NDArray) -> NDArray:
    """CIE 15: XYZ under D50 to L*a*b*."""
    ratio = xyz / D50
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def colours_of(profile: bytes) -> list[tuple[float, float, float]]:
    cms = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    return [cms.red_colorant[0], cms.green_colorant[0], cms.blue_colorant[0]]


def expect_colours(profile: bytes, xyz: NDArray) -> None:
    """Little CMS takes the patches for these colours, but where its own tables are coarse."""
    expected, shown = lab_of(xyz), lab_through(profile, PATCHES)
    held = (xyz >= 0).all(-1) & (expected[..., 0] > 15) & (np.abs(expected[..., 1:]) < 120).all(-1)
    assert held.sum() > 40
    error = np.sqrt(((shown - expected)[held] ** 2).sum(-1)).max()
    assert error < 0.5, error


@pytest.mark.parametrize("primaries", COLORANTS)
def test_the_colorants_are_those_of_well_known_profiles(primaries: int) -> None:
    profile = describe_coding_points(CodingPoints(primaries, 13), grey=False)
    assert fits_colours(profile, grey=False)
    np.testing.assert_allclose(colours_of(profile), COLORANTS[primaries], atol=3e-4)


def test_code_points_of_srgb_are_srgb_for_lcms() -> None:
    ours = describe_coding_points(CodingPoints(1, 13), grey=False)
    error = np.abs(lab_through(ours, PATCHES) - lab_through(SRGB, PATCHES)).max()
    assert error < 0.1


TRANSFERS = {
    1: lambda x: np.where(x < 0.081, x / 4.5, ((x + 0.0993) / 1.0993) ** (1 / 0.45)),
    4: lambda x: x**2.2,
    5: lambda x: x**2.8,
    8: lambda x: x,
    13: lambda x: np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4),
    18: lambda x: np.where(
        x <= 0.5, x * x / 3, (np.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12
    ),
}
"""To light, from the tables of H.273 and BT.2100."""


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("primaries", [1, 9, 12])
def test_the_transfer_is_what_the_standard_says(primaries: int, transfer: int) -> None:
    profile = describe_coding_points(CodingPoints(primaries, transfer), grey=False)
    light = TRANSFERS[transfer](PATCHES / 65535)
    expect_colours(profile, light @ np.array(colours_of(profile)))


@pytest.mark.parametrize("transfer", [*TRANSFERS, 16])
def test_grey(transfer: int) -> None:
    profile = describe_coding_points(CodingPoints(9, transfer), grey=True)
    assert fits_colours(profile, grey=True)
    lab = lab_through(profile, np.linspace(0, 65535, 9).astype(np.uint16).reshape(1, 9, 1))
    assert lab[0, 0, 0] == pytest.approx(0, abs=0.1)
    assert lab[0, -1, 0] == pytest.approx(100, abs=0.1)
    assert (np.diff(lab[0, :, 0]) > 0).all()


@pytest.mark.slow
@given(
    primaries=st.sampled_from([1, 4, 5, 6, 7, 8, 9, 11, 12, 22]),
    transfer=st.sampled_from([1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]),
    grey=st.booleans(),
)
def test_code_points_come_back_from_the_profile(primaries: int, transfer: int, grey: bool) -> None:
    points = CodingPoints(primaries, transfer)
    profile = describe_coding_points(points, grey=grey)
    assert coding_points_in(profile) == points
    assert hdr_in(profile) == {16: "PQ", 18: "HLG"}.get(transfer)
    ImageCms.ImageCmsProfile(io.BytesIO(profile))


@pytest.mark.parametrize("numbers", [(0, 13), (3, 13), (13, 13), (1, 0), (1, 3), (1, 19), (255, 1)])
def test_numbers_that_mean_nothing(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not in H"):
        describe_coding_points(CodingPoints(*numbers), grey=False)


def is_a_colour(chromaticity: tuple[float, float]) -> bool:
    """x, y and z are parts of a whole: no light has a negative one."""
    return sum(chromaticity) <= 1


@settings(max_examples=25)
@given(
    red=st.tuples(st.floats(0.55, 0.68), st.floats(0.28, 0.32)),
    green=st.tuples(st.floats(0.10, 0.33), st.floats(0.55, 0.82)).filter(is_a_colour),
    blue=st.tuples(st.floats(0.12, 0.17), st.floats(0.02, 0.12)),
    white=st.tuples(st.floats(0.29, 0.36), st.floats(0.30, 0.37)),
    exponent=st.floats(1.0, 2.8),
)
def test_any_primaries_and_exponent(
    red: tuple[float, float],
    green: tuple[float, float],
    blue: tuple[float, float],
    white: tuple[float, float],
    exponent: float,
) -> None:
    """White is D50's, each primary has its chromaticity before adaptation, light is a power."""
    profile = describe_gamma(Chromaticities(red, green, blue, white), exponent, grey=False)
    cms = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    to_d50 = np.array(cms.chromatic_adaptation[0])
    columns = np.array(colours_of(profile)).T
    np.testing.assert_allclose(columns.sum(1), D50, atol=1e-4)
    as_seen = np.linalg.solve(to_d50, columns)
    np.testing.assert_allclose(
        (as_seen / as_seen.sum(0))[:2].T, [red, green, blue], atol=1e-3, rtol=1e-3
    )
    light = (PATCHES / 65535) ** exponent
    expect_colours(profile, light @ columns.T)


@pytest.mark.parametrize(
    "colours",
    [
        Chromaticities((0.3, 0.3), (0.4, 0.4), (0.5, 0.5), (0.3127, 0.329)),
        Chromaticities((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3, 0.0)),
    ],
)
def test_what_describes_no_colours(colours: Chromaticities) -> None:
    with pytest.raises(ValueError, match=r"line|light|range"):
        describe_gamma(colours, 2.2, grey=False)


COORDINATE = st.tuples(st.floats(0, 43000), st.floats(0, 43000))


@given(COORDINATE, COORDINATE, COORDINATE, COORDINATE, st.floats(2e-5, 1e5))
def test_any_numbers_make_a_profile_or_an_error(
    red: tuple[float, float],
    green: tuple[float, float],
    blue: tuple[float, float],
    white: tuple[float, float],
    exponent: float,
) -> None:
    try:
        profile = describe_gamma(Chromaticities(red, green, blue, white), exponent, grey=False)
    except ValueError:
        return
    ImageCms.ImageCmsProfile(io.BytesIO(profile))
