"""A network's gain on photographs: how much closer to the original its result is than its input.

A network that upscales is compared with bicubic interpolation, one that restores with its input. In
the wrong range, or with the wrong activation or residual scale, a network falls far behind.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from subpixel.imaging.colour import luma
from subpixel.imaging.metrics import MAX_PSNR, psnr_of
from subpixel.imaging.resample import imresize, interpolate
from subpixel.media.jpeg_degradation import through_jpeg
from subpixel.media.photograph import mirror_positions, photograph
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec

QUICK_SIDE, FULL_SIDE = 24, 32
"""Sides of the small pictures, in pixels: for a quick comparison, and for the final one."""

CROP_PLACES = ((0.5, 0.5), (0.15, 0.2), (0.8, 0.75))
"""The positions of the crops in the photograph; the quick comparison uses the first only."""

SHAVE = 4
"""Pixels of the small picture's edge that are ignored, times the scale: every network pads."""

ENLARGED = ("enlarged by 2", "enlarged by 3", "enlarged by 4")
DAMAGES = (*ENLARGED, "noise of 15", "noise of 25", "noise of 50", "JPEG of 10", "JPEG of 40")
"""The degradations for a network that restores: noise by its standard deviation out of 255, JPEG by
its quality."""

WORST = -math.inf


@dataclass(frozen=True, eq=False)
class PhotoTrial:
    """A picture to run a network on, ``(1, C, h, w)`` float32 in 0 … 1, and the expected result."""

    damage: str
    """The degradation of the original; empty for downscaling only."""
    shown: Pixels
    original: Pixels
    scale: int
    without: float
    """PSNR of the baseline without the network, in dB."""


Gains = Mapping[str, tuple[float, ...]]
"""By degradation, a network's gain on each trial, in dB; -inf where it fails or returns NaN."""


def make_trials(
    spec: ModelSpec, *, quick: bool, damages: Sequence[str] = DAMAGES
) -> list[PhotoTrial]:
    """The pictures for a network of ``spec``'s scale, colours and sizes.

    ``damages`` apply to networks that restore; ``quick`` makes one small picture of each kind.
    """
    side = _picture_side(spec, QUICK_SIDE if quick else FULL_SIDE)
    crops = [
        _crop_photograph(place, side, spec) for place in (CROP_PLACES[:1] if quick else CROP_PLACES)
    ]
    kinds = ("",) if spec.scale > 1 else tuple(damages)
    return [_make_trial(crop, kind, spec.scale) for kind in kinds for crop in crops]


def _picture_side(spec: ModelSpec, minimum: int) -> int:
    if spec.fixed_size:
        return spec.fixed_size[0]
    multiple = spec.size_multiple
    return -(-max(minimum, spec.size_minimum) // multiple) * multiple


def _crop_photograph(place: tuple[float, float], side: int, spec: ModelSpec) -> Pixels:
    """``(H, W, C)`` of the photograph, mirrored at its edges where it is too small."""
    photo = photograph() / np.float32(255)
    planes = photo if spec.interface == "rgb" else luma(photo)[..., None]
    length = side * spec.scale
    rows, columns = (
        mirror_positions(round(share * max(full - length, 0)), length, full)
        for share, full in zip(place, planes.shape[:2], strict=True)
    )
    crop: Pixels = planes[np.ix_(rows, columns)].astype(np.float32)
    return crop


def _make_trial(original: Pixels, damage: str, scale: int) -> PhotoTrial:
    shown = _damage_picture(original, damage) if scale == 1 else _shrink_to_codes(original, scale)
    plain = shown if scale == 1 else interpolate(shown, scale)
    original_batch = _as_batch(original)
    without = _inner_psnr(_as_batch(plain), original_batch, scale)
    return PhotoTrial(damage, _as_batch(shown), original_batch, scale, without)


def _shrink_to_codes(picture: Pixels, scale: int) -> Pixels:
    """Downscaled as in the field's benchmarks: bicubically, antialiased, rounded to 8 bits."""
    small = imresize(picture, Fraction(1, scale))
    rounded: Pixels = (np.clip(np.round(small * 255), 0, 255) / 255).astype(np.float32)
    return rounded


def _damage_picture(picture: Pixels, damage: str) -> Pixels:
    kind, number = damage.split()[0], int(damage.split()[-1])
    if kind == "enlarged":
        height, width = (side - side % number for side in picture.shape[:2])
        smooth = interpolate(_shrink_to_codes(picture[:height, :width], number), number)
        edges = [(0, full - part) for full, part in zip(picture.shape, smooth.shape, strict=True)]
        return np.pad(smooth, edges, mode="edge")
    if kind == "noise":
        noise = np.random.default_rng(0).normal(0, number / 255, picture.shape)
        return np.clip(picture + noise, 0, 1).astype(np.float32)
    codes = np.round(picture * 255).astype(np.uint8)
    decoded = through_jpeg(np.repeat(codes, 3 // codes.shape[2], axis=2), number)
    return (decoded[..., : picture.shape[2]] / 255).astype(np.float32)


def _as_batch(picture: Pixels) -> Pixels:
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])


def _inner_psnr(result: NDArray[np.float32], expected: Pixels, scale: int) -> float:
    edge = SHAVE * scale
    inside = slice(edge, -edge)
    difference = (np.clip(result, 0, 1) - expected)[..., inside, inside]
    return min(psnr_of(difference, peak=1.0), MAX_PSNR)


def run_trial(module: nn.Module, trial: PhotoTrial) -> Pixels | None:
    """The result of ``module`` for a trial; None where it fails, or returns NaN or another size."""
    try:
        with torch.inference_mode():
            result: Pixels = module(torch.from_numpy(trial.shown.copy())).float().numpy()
    except Exception:  # its code may raise anything at sizes that it doesn't support
        return None
    sound = result.shape == trial.original.shape and bool(np.isfinite(result).all())
    return result if sound else None


def measure_gain(result: Pixels | None, trial: PhotoTrial) -> float:
    """The PSNR of ``result`` minus that of the baseline without the network, in dB."""
    return (
        WORST
        if result is None
        else _inner_psnr(result, trial.original, trial.scale) - trial.without
    )


def measure_gains(module: nn.Module, some: Sequence[PhotoTrial]) -> Gains:
    """The gain of ``module`` on each trial, by degradation."""
    kinds = dict.fromkeys(trial.damage for trial in some)
    each = [(trial.damage, measure_gain(run_trial(module, trial), trial)) for trial in some]
    return {kind: tuple(value for damage, value in each if damage == kind) for kind in kinds}
