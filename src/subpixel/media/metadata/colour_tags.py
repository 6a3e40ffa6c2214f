"""Colours that a file describes by numbers rather than by a profile, as the profile they describe.

Code points name primaries and a transfer function, as in AVIF's ``nclx`` and PNG's ``cICP``; PNG
also gives chromaticities and an exponent. A profile that is built from code points carries them
in its ``cicp`` tag, so a format that holds code points gets them back, the transfer of
high dynamic range included. Sources: ITU-T H.273 (tables 2 and 3), BT.2100.
"""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from subpixel.media.metadata.icc import find_tag
from subpixel.media.metadata.profile_building import (
    Chromaticities,
    Curve,
    ParametricCurve,
    SampledCurve,
    build_grey_profile,
    build_rgb_profile,
)

_SAMPLES = 4096
"""Of a curve that has no parameters."""

_D65, _C = (0.3127, 0.3290), (0.310, 0.316)

_NTSC = Chromaticities((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)

SRGB_COLOURS = Chromaticities((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)

_PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB_COLOURS,
    4: Chromaticities((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: Chromaticities((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: _NTSC,
    7: _NTSC,
    8: Chromaticities((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: Chromaticities((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    10: Chromaticities((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3)),
    11: Chromaticities((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Chromaticities((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: Chromaticities((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_PRIMARY_NAMES = {1: "BT.709", 9: "BT.2020", 11: "DCI P3", 12: "Display P3"}

_SRGB, _UNSPECIFIED = 13, 2
_SRGB_ENCODING, _ENCODING_TOLERANCE = 0.45455, 0.005
_CHROMATICITY_TOLERANCE = 0.003
_HDR_NAMES = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class CodingPoints:
    """Numbers of H.273 for the primaries and the transfer function, 0 … 255 each."""

    primaries: int
    transfer: int

    @property
    def hdr(self) -> str | None:
        """``"PQ"`` or ``"HLG"``: a transfer of high dynamic range; None for any other."""
        return _HDR_NAMES.get(self.transfer)

    @property
    def says_srgb(self) -> bool:
        """Whether they say sRGB, or nothing, which is read as sRGB."""
        usual = self.transfer in (_SRGB, _UNSPECIFIED)
        return usual and self.primaries in (1, _UNSPECIFIED)


def describe_coding_points(points: CodingPoints, *, grey: bool) -> bytes:
    """The profile of RGB, or else grey, samples with these code points.

    Primaries that are unspecified are those of sRGB, and so is the transfer function. Raises
    :class:`ValueError` for numbers that H.273 doesn't define.
    """
    colours = _PRIMARIES.get(1 if points.primaries == _UNSPECIFIED else points.primaries)
    curve = _curve_of(_SRGB if points.transfer == _UNSPECIFIED else points.transfer)
    if colours is None or curve is None:
        raise ValueError(f"coding points {points.primaries}, {points.transfer}, not in H.273")
    data = bytes((points.primaries, points.transfer, 0, 1))
    name = f"{_PRIMARY_NAMES.get(points.primaries, 'coding points')} " + (
        points.hdr or f"{points.primaries}, {points.transfer}"
    )
    if grey:
        return build_grey_profile(name, curve, data)
    return build_rgb_profile(name, colours, curve, data)


def describe_gamma(colours: Chromaticities | None, exponent: float | None, *, grey: bool) -> bytes:
    """The profile of samples whose light is ``x ** exponent`` (None: sRGB's curve), of primaries
    ``colours`` (None: sRGB's).

    Raises :class:`ValueError` for what describes no colours.
    """
    srgb = _curve_of(_SRGB)
    assert srgb is not None
    curve = srgb if exponent is None else ParametricCurve(exponent)
    name = "sRGB curve" if exponent is None else f"gamma {exponent:.4g}"
    if grey:
        return build_grey_profile(name, curve)
    return build_rgb_profile(name, colours or SRGB_COLOURS, curve)


def describe_encoding(
    colours: Chromaticities | None, encoding: float | None, *, grey: bool
) -> bytes | None:
    """The profile of samples that are light to the power of ``encoding``, as PNG states it; None
    where that and the primaries are about those of sRGB, or aren't stated.

    Raises :class:`ValueError` for what describes no colours.
    """
    usual_encoding = not encoding or abs(encoding - _SRGB_ENCODING) <= _ENCODING_TOLERANCE
    usual_colours = grey or colours is None or _are_srgb(colours)
    if usual_encoding and usual_colours:
        return None
    exponent = 1 / encoding if encoding else None
    return describe_gamma(None if usual_colours else colours, exponent, grey=grey)


def _are_srgb(colours: Chromaticities) -> bool:
    pairs = zip(astuple(colours), astuple(SRGB_COLOURS), strict=True)
    return all(
        abs(number - usual) <= _CHROMATICITY_TOLERANCE
        for pair, usual_pair in pairs
        for number, usual in zip(pair, usual_pair, strict=True)
    )


def coding_points_in(profile: bytes | None) -> CodingPoints | None:
    """The code points that a profile carries; None where it carries none."""
    data = find_tag(profile, b"cicp") if profile is not None else None
    if data is None or len(data) < 12 or data[10:12] != b"\0\1":  # of YCbCr, or a narrow range
        return None
    return CodingPoints(data[8], data[9])


def hdr_in(profile: bytes | None) -> str | None:
    """``"PQ"`` or ``"HLG"`` where a profile's code points say so; else None."""
    points = coding_points_in(profile)
    return None if points is None else points.hdr


def _curve_of(transfer: int) -> Curve | None:
    """From samples to light. Of camera curves the inverse, as H.273 defines no other."""
    if transfer in (1, 6, 11, 12, 14, 15):
        return _invert_camera_curve(1.09929682680944, 0.018053968510807, 4.5)
    if transfer == 7:
        return _invert_camera_curve(1.111572195921731, 0.022821585529445, 4.0)
    if transfer == _SRGB:
        return ParametricCurve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    exponent = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}.get(transfer)
    if exponent is not None:
        return ParametricCurve(exponent)
    steps = np.linspace(0, 1, _SAMPLES)
    light = _sample_light(transfer, steps)
    return None if light is None else SampledCurve(tuple(light.tolist()))


def _invert_camera_curve(alpha: float, beta: float, slope: float) -> ParametricCurve:
    """Of ``alpha * light ** 0.45 - (alpha - 1)`` from ``beta`` on, ``slope * light`` below."""
    a, b = 1 / alpha, (alpha - 1) / alpha
    return ParametricCurve(1 / 0.45, a, b, 1 / slope, slope * beta)


def _sample_light(transfer: int, x: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Light of samples ``x``, relative to the most that can be said."""
    if transfer in (9, 10):
        light = 10 ** ((x - 1) * {9: 2.0, 10: 2.5}[transfer])
        return np.where(x > 0, light, 0.0)
    if transfer == 16:
        power = x ** (1 / 78.84375)
        base = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
        return np.asarray(base ** (1 / 0.1593017578125))
    if transfer == 18:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(x <= 0.5, x**2 / 3, (np.exp((x - c) / a) + b) / 12)
    return None
