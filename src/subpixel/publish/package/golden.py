"""The golden picture: what a network must make of a small real photograph, on any platform.

It is computed by NumPy from the file's graph (:mod:`subpixel.graph.exact`), not by the runtime that
is to be judged by it. For a network of 8-bit integers it is exact, and a sha256 tells all; for one
of floats it comes with the bound that :mod:`subpixel.parity` holds files to.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from subpixel import __version__
from subpixel.errors import NetworkError
from subpixel.graph.exact.doubles import evaluate_doubles
from subpixel.graph.exact.integers import evaluate_integers
from subpixel.graph.exact.sums import SUMS
from subpixel.imaging.metrics import psnr_of
from subpixel.media.photograph import photograph
from subpixel.media.picture import Picture
from subpixel.media.writing import encode_picture
from subpixel.parity.compare import CODES, Tolerance, tolerance_for
from subpixel.runtime.op import Codes
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec, next_multiple

CROP = (47, 61)
"""Height and width of the golden picture's source: odd and co-prime, so that no layout or padding
that is wrong fits by chance; small, as some platforms are emulated."""

CORNERS = ((88, 150), (40, 60), (180, 220), (100, 300))
"""Top and left in the photograph: the cat's eyes, then other places."""

GOLDEN_FORMAT = 1
FACTS_FILE, PICTURE_FILE, GOLDEN_FILE, VALUES_FILE = (
    "golden.json",
    "picture.png",
    "golden.png",
    "golden.f32",
)


@dataclass(frozen=True, eq=False)
class Golden:
    """A small photograph, and the picture that the network must make of it."""

    picture: Codes
    """``(H, W, 3)``."""
    codes: Codes
    """``(H * scale, W * scale, 3)``: the result in 8 bits."""
    values: NDArray[np.float32] | None
    """``(3, H * scale, W * scale)``: the result of a network of floats; None for one of integers,
    whose ``codes`` are exact."""
    tolerance: Tolerance
    """How far other results may lie from ``values``."""

    @property
    def sha256(self) -> str:
        """Of the bytes of ``codes``, row by row, RGB."""
        return hashlib.sha256(np.ascontiguousarray(self.codes).tobytes()).hexdigest()

    def files(self) -> Mapping[str, bytes]:
        """The two pictures, and the values as little-endian float32, by name."""
        pictures = {PICTURE_FILE: self.picture, GOLDEN_FILE: self.codes}
        files = {
            name: encode_picture(Picture(codes[None]), name) for name, codes in pictures.items()
        }
        if self.values is not None:
            files[VALUES_FILE] = self.values.astype("<f4").tobytes()
        return files

    def facts(self, spec: ModelSpec, network: str) -> Mapping[str, object]:
        """What a program needs to run the network and to judge its result, for ``golden.json``;
        ``network`` is the file's path from there."""
        height, width, _ = self.codes.shape
        facts: dict[str, object] = {
            "format": GOLDEN_FORMAT,
            "subpixel": __version__,
            "network": network,
            "name": spec.name,
            "scale": spec.scale,
            "samples": spec.samples,
            "licence": spec.licence,
            "picture": PICTURE_FILE,
            "golden": GOLDEN_FILE,
            "height": height,
            "width": width,
            "sha256": self.sha256,
        }
        if self.values is None:
            return facts
        bound = {"rtol": self.tolerance.rtol, "atol": self.tolerance.atol}
        return {**facts, "values": VALUES_FILE, **bound, "max_codes": self.tolerance.max_codes}

    def expect_from(self, network: bytes) -> None:
        """Run the file ``network`` with ONNX Runtime here; raises
        :class:`~subpixel.errors.NetworkError` where it doesn't make the golden picture."""
        session = Session(network)
        if self.values is None:
            self.expect_codes(session.codes(self.picture[None])[0])
        else:
            _expect_none(self._fault_of_values(session(_to_planes(self.picture))[0]))

    def expect_codes(self, codes: Codes) -> None:
        """Raise :class:`~subpixel.errors.NetworkError` where a network's result in 8 bits isn't the
        golden picture, within a code value for a network of floats."""
        wrong = np.abs(codes.astype(int) - self.codes)
        if wrong.max() > (0 if self.values is None else self.tolerance.max_codes):
            _expect_none(
                f"{np.count_nonzero(wrong)} of {wrong.size} code values differ, by up to "
                f"{wrong.max()}"
            )

    def _fault_of_values(self, values: NDArray[np.float32]) -> str | None:
        assert self.values is not None
        tolerance, codes = self.tolerance, _to_codes(values)
        apart = int(np.abs(codes.astype(int) - self.codes).max())
        if apart > tolerance.max_codes:
            return f"code values differ by up to {apart}"
        if tolerance.rtol is not None and not np.allclose(
            values, self.values, tolerance.rtol, tolerance.atol
        ):
            return f"values differ by up to {np.abs(values - self.values).max():.2g}"
        psnr = psnr_of(codes - self.codes.astype(np.float64), CODES)
        return f"only {psnr:.1f} dB" if psnr < (tolerance.min_psnr or 0) else None


def _expect_none(fault: str | None) -> None:
    if fault:
        raise NetworkError(
            f"ONNX Runtime here doesn't make the picture that the file's arithmetic does: {fault}; "
            "nothing was written"
        )


def make_golden(model: onnx.ModelProto, spec: ModelSpec) -> Golden:
    """The golden picture of ``model``, on RGB, whose facts are ``spec``.

    Raises :class:`~subpixel.errors.NetworkError` where NumPy can't evaluate it, and where it has
    integers on which processors differ at every place of the photograph.
    """
    size = _crop_size(spec)
    if spec.samples != "uint8":
        return _golden_values(model, spec, _cut_photograph(CORNERS[0], size))
    for corner in CORNERS:
        picture = _cut_photograph(corner, size)
        results = [evaluate_integers(model, picture[None], add)[0] for add in SUMS.values()]
        if all(np.array_equal(results[0], other) for other in results[1:]):
            return Golden(picture, results[0], None, tolerance_for(spec.precision))
    raise NetworkError(
        "its sums lie so near the middle between two codes that processors round them apart; "
        "quantize it again, on other photographs"
    )


def _golden_values(model: onnx.ModelProto, spec: ModelSpec, picture: Codes) -> Golden:
    values = evaluate_doubles(model, _to_planes(picture))[0]
    return Golden(
        picture, _to_codes(values), values.astype(np.float32), tolerance_for(spec.precision)
    )


def _to_planes(picture: Codes) -> NDArray[np.float32]:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None] / np.float32(255), np.float32)


def _to_codes(values: NDArray[np.float32] | NDArray[np.float64]) -> Codes:
    """``(3, H, W)`` in 0 … 1 → ``(H, W, 3)`` of 8 bits, clipped and rounded half up."""
    scaled = np.clip(values.astype(np.float64), 0, 1) * 255
    return np.floor(scaled + 0.5).astype(np.uint8).transpose(1, 2, 0)


def _crop_size(spec: ModelSpec) -> tuple[int, int]:
    """The smallest size from ``CROP`` on that the network takes."""
    if spec.fixed_size is not None:
        return spec.fixed_size
    multiple = 1 if spec.pads else spec.size_multiple
    sides = [next_multiple(max(side, spec.size_minimum), multiple) for side in CROP]
    sides = [min(side, spec.size_maximum or side) for side in sides]
    return (max(sides), max(sides)) if spec.square else (sides[0], sides[1])


def _cut_photograph(corner: tuple[int, int], size: tuple[int, int]) -> Codes:
    """A part of the photograph, repeated where it is larger than that."""
    rows, columns = (
        np.arange(start, start + side) for start, side in zip(corner, size, strict=True)
    )
    height, width, _ = photograph().shape
    return np.ascontiguousarray(photograph()[rows % height][:, columns % width])
