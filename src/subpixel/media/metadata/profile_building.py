"""Display profiles of ICC version 4, built from primaries, a white point and a transfer curve.

Three primaries become a matrix to XYZ under D50, by Bradford's chromatic adaptation, and the curve
goes in as parameters or as a table. Source: ICC.1:2022, 8.3, 9.2, 10.6, 10.18 and annex E.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_VERSION = 0x04400000
_DATE = (2026, 1, 1, 0, 0, 0)
"""The same profile is the same bytes, whenever it is built."""
_MAX_CONDITION = 1e4
"""Primaries that lie almost on one line span no colours that s15Fixed16 numbers can tell apart."""


@dataclass(frozen=True)
class Chromaticities:
    """CIE 1931 x and y of three primaries and of white."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]


@dataclass(frozen=True)
class ParametricCurve:
    """From samples in 0 … 1 to light: ``(a x + b) ** gamma`` from ``d`` on, ``c x`` below."""

    gamma: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0


@dataclass(frozen=True)
class SampledCurve:
    """From samples in 0 … 1 to light in 0 … 1, at equal steps."""

    light: tuple[float, ...]


Curve = ParametricCurve | SampledCurve


def build_rgb_profile(
    name: str, colours: Chromaticities, curve: Curve, coding_points: bytes | None = None
) -> bytes:
    """A profile for RGB samples; ``coding_points`` is the content of its ``cicp`` tag.

    Raises :class:`ValueError` for primaries that span no colours.
    """
    with np.errstate(all="ignore"):  # what is no number is refused when it is written
        adaptation = _adapt_to_d50(colours.white)
        primaries = adaptation @ _matrix_to_xyz(colours)
    tags = [(b"chad", _encode_numbers(b"sf32", adaptation.ravel().tolist()))]
    for letter, column in zip((b"r", b"g", b"b"), primaries.T, strict=True):
        tags.append((letter + b"XYZ", _encode_numbers(b"XYZ ", column.tolist())))
        tags.append((letter + b"TRC", _encode_curve(curve)))
    return _assemble_profile(b"RGB ", name, tags, coding_points)


def build_grey_profile(name: str, curve: Curve, coding_points: bytes | None = None) -> bytes:
    """The same for grey samples."""
    return _assemble_profile(b"GRAY", name, [(b"kTRC", _encode_curve(curve))], coding_points)


def _matrix_to_xyz(colours: Chromaticities) -> NDArray[np.float64]:
    """Linear RGB to XYZ, its white that of the primaries; SMPTE RP 177."""
    corners = np.array([_to_xyz(xy) for xy in (colours.red, colours.green, colours.blue)]).T
    if not np.linalg.cond(corners) <= _MAX_CONDITION:
        raise ValueError("primaries that lie on one line")
    amounts = np.linalg.solve(corners, np.array(_to_xyz(colours.white)) / colours.white[1])
    return np.asarray(corners * amounts)


def _to_xyz(xy: tuple[float, float]) -> tuple[float, float, float]:
    """XYZ of a chromaticity, X + Y + Z being 1."""
    x, y = xy
    return x, y, 1 - x - y


def _adapt_to_d50(white: tuple[float, float]) -> NDArray[np.float64]:
    if white[1] <= 0:
        raise ValueError("a white point without light")
    source = _BRADFORD @ (np.array(_to_xyz(white)) / white[1])
    target = _BRADFORD @ np.array(_D50)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(target / source) @ _BRADFORD)


def _encode_curve(curve: Curve) -> bytes:
    if isinstance(curve, SampledCurve):
        values = np.rint(np.clip(curve.light, 0, 1) * 65535).astype(">u2")
        return struct.pack(">4s4xI", b"curv", len(values)) + bytes(values.data)
    if (curve.a, curve.b, curve.d) == (1, 0, 0):
        return _encode_parameters(0, (curve.gamma,))
    return _encode_parameters(3, (curve.gamma, curve.a, curve.b, curve.c, curve.d))


def _encode_parameters(kind: int, numbers: Sequence[float]) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + _encode_fixed(numbers)


def _encode_numbers(kind: bytes, numbers: Sequence[float]) -> bytes:
    return kind + bytes(4) + _encode_fixed(numbers)


def _encode_fixed(numbers: Sequence[float]) -> bytes:
    """s15Fixed16 numbers; raises :class:`ValueError` for what they don't hold."""
    if not all(abs(number) < 1 << 15 for number in numbers):
        raise ValueError("colours out of a profile's range")
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def _encode_mluc(text: str) -> bytes:
    words = text.encode("utf-16-be")
    return (
        b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28) + words
    )


def _assemble_profile(
    space: bytes, name: str, tags: list[tuple[bytes, bytes]], coding_points: bytes | None
) -> bytes:
    tags = [
        (b"desc", _encode_mluc(name)),
        (b"cprt", _encode_mluc("No copyright, use freely")),
        (b"wtpt", _encode_numbers(b"XYZ ", _D50)),
        *tags,
    ]
    if coding_points is not None:
        tags.append((b"cicp", b"cicp" + bytes(4) + coding_points))
    body = _lay_out_tags(tags)
    return _build_profile_header(space, 128 + len(body)) + body


def _lay_out_tags(tags: list[tuple[bytes, bytes]]) -> bytes:
    """Table and data of tags; like data, as of three equal curves, stands there once."""
    places: dict[bytes, int] = {}
    at, table, blocks = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags:
        if data not in places:
            places[data] = at + len(blocks)
            blocks += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    return struct.pack(">I", len(tags)) + table + blocks


def _build_profile_header(space: bytes, size: int) -> bytes:
    head = struct.pack(">I4xI4s4s4s6H4s", size, _VERSION, b"mntr", space, b"XYZ ", *_DATE, b"acsp")
    return (head + bytes(28) + _encode_fixed(_D50)).ljust(128, b"\0")
