"""What a network does to photographs: how much nearer to the original than without it.

A network that enlarges is held to bicubic enlargement, one that restores to what it is shown. In
the wrong range, with the wrong activation or residual scale a network falls far behind.
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
from subpixel.imaging.resample import imresize, interpolated
from subpixel.media.jpeg_degradation import through_jpeg
from subpixel.media.photograph import mirror_positions, photograph
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec

QUICK_SIDE, FULL_SIDE = 24, 32
"""Sides of the small pictures, in pixels: of a first look, and of the look that decides."""

PLACES = ((0.5, 0.5), (0.15, 0.2), (0.8, 0.75))
"""Where in the photograph the crops lie, the first also for the first look."""

SHAVED = 4
"""Pixels of the small picture's edge that are left out, times the scale: every network pads."""

ENLARGED = ("enlarged by 2", "enlarged by 3", "enlarged by 4")
DAMAGES = (*ENLARGED, "noise of 15", "noise of 25", "noise of 50", "JPEG of 10", "JPEG of 40")
"""What is done to a photograph for a network that restores: noise by its standard deviation of
255, JPEG by its quality."""

WORST = -math.inf


@dataclass(frozen=True, eq=False)
class Trial:
    """A picture to run a network on: ``(1, C, h, w)`` float32 in 0 … 1, and what it should give."""

    damage: str
    """What was done to the original; empty for plain reduction."""
    shown: Pixels
    original: Pixels
    scale: int
    without: float
    """PSNR of what there is without the network, in dB."""


Gains = Mapping[str, tuple[float, ...]]
"""By damage, how many dB a network gains on each trial; -inf where it fails or gives NaN."""


def trials(spec: ModelSpec, *, quick: bool, damages: Sequence[str] = DAMAGES) -> list[Trial]:
    """The pictures for a network of ``spec``'s scale, colours and sizes.

    ``damages`` are for those that restore; ``quick`` makes one small picture of each kind.
    """
    side = _side(spec, QUICK_SIDE if quick else FULL_SIDE)
    crops = [_crop(place, side, spec) for place in (PLACES[:1] if quick else PLACES)]
    kinds = ("",) if spec.scale > 1 else tuple(damages)
    return [_trial(crop, kind, spec.scale) for kind in kinds for crop in crops]


def _side(spec: ModelSpec, wanted: int) -> int:
    if spec.fixed_size:
        return spec.fixed_size[0]
    multiple = spec.size_multiple
    return -(-max(wanted, spec.size_minimum) // multiple) * multiple


def _crop(place: tuple[float, float], side: int, spec: ModelSpec) -> Pixels:
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


def _trial(original: Pixels, damage: str, scale: int) -> Trial:
    shown = _damaged(original, damage) if scale == 1 else _reduced(original, scale)
    plain = shown if scale == 1 else interpolated(shown, scale)
    wanted = _as_batch(original)
    without = _psnr(_as_batch(plain), wanted, scale)
    return Trial(damage, _as_batch(shown), wanted, scale, without)


def _reduced(picture: Pixels, scale: int) -> Pixels:
    """As super-resolution is measured: reduced bicubically, antialiased, rounded to 8 bits."""
    small = imresize(picture, Fraction(1, scale))
    rounded: Pixels = (np.clip(np.round(small * 255), 0, 255) / 255).astype(np.float32)
    return rounded


def _damaged(picture: Pixels, damage: str) -> Pixels:
    kind, number = damage.split()[0], int(damage.split()[-1])
    if kind == "enlarged":
        height, width = (side - side % number for side in picture.shape[:2])
        smooth = interpolated(_reduced(picture[:height, :width], number), number)
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


def _psnr(result: NDArray[np.float32], wanted: Pixels, scale: int) -> float:
    edge = SHAVED * scale
    inside = slice(edge, -edge)
    apart = (np.clip(result, 0, 1) - wanted)[..., inside, inside]
    error = float(np.square(apart, dtype=np.float64).mean())
    return -10 * math.log10(max(error, 1e-12))


def run(module: nn.Module, trial: Trial) -> Pixels | None:
    """What ``module`` makes of a trial; None where it fails, or gives NaN or another size."""
    try:
        with torch.inference_mode():
            result: Pixels = module(torch.from_numpy(trial.shown.copy())).float().numpy()
    except Exception:  # its code may raise anything at sizes it is not made for
        return None
    sound = result.shape == trial.original.shape and bool(np.isfinite(result).all())
    return result if sound else None


def gain(result: Pixels | None, trial: Trial) -> float:
    """How many dB nearer to the original ``result`` is than what there is without the network."""
    return WORST if result is None else _psnr(result, trial.original, trial.scale) - trial.without


def gains(module: nn.Module, some: Sequence[Trial]) -> Gains:
    """What ``module`` gains on each trial, by damage."""
    kinds = dict.fromkeys(trial.damage for trial in some)
    each = [(trial.damage, gain(run(module, trial), trial)) for trial in some]
    return {kind: tuple(value for damage, value in each if damage == kind) for kind in kinds}
