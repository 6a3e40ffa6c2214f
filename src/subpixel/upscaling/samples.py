"""Samples of a picture, grey, with alpha or without, through a network for RGB."""

import numpy as np

from subpixel.imaging.colour import luma
from subpixel.runtime.op import CodeOp, Codes, NetOp, Pixels, Samples
from subpixel.runtime.pixels import to_pixels, to_samples
from subpixel.upscaling.alpha import limit_alpha


def upscale_samples(op: NetOp, samples: Samples, *, opaque: bool) -> Samples:
    """Tiles through an RGB network: ``(N, h, w, C)`` → ``(N, h * scale, w * scale, C)``, one dtype.

    Grey goes in as three equal channels and comes out as their luma. Alpha, the last of two or
    four channels, goes through the network by itself; the colour under it should have gone
    through :func:`subpixel.upscaling.alpha.Survey`. With ``opaque`` alpha is known to be full, and
    stays full.
    """
    pixels = to_pixels(samples)
    if samples.shape[3] in (1, 3):
        return to_samples(_run_pixels(op, pixels), samples.dtype)
    colour, alpha = _run_pixels(op, pixels[:, :-1]), pixels[:, -1:]
    coverage = np.ones_like(colour[:, :1]) if opaque else limit_alpha(_run_pixels(op, alpha), alpha)
    return to_samples(np.concatenate([colour, coverage], axis=1), samples.dtype)


def upscale_codes(op: CodeOp, samples: Codes, *, opaque: bool) -> Codes:
    """:func:`upscale_samples` for 8-bit samples and a network that takes them as they are."""
    if samples.shape[3] in (1, 3):
        return _run_codes(op, samples)
    colour, alpha = _run_codes(op, samples[..., :-1]), samples[..., -1:]
    coverage = np.full_like(colour[..., :1], 255) if opaque else _enlarge_alpha(op, alpha)
    return np.concatenate([colour, coverage], axis=3)


def _run_pixels(op: NetOp, pixels: Pixels) -> Pixels:
    if pixels.shape[1] == 3:
        return op(pixels)
    grey = op(np.repeat(pixels, 3, axis=1))
    return np.moveaxis(luma(np.moveaxis(grey, 1, -1))[..., None], -1, 1).astype(np.float32)


def _enlarge_alpha(op: CodeOp, alpha: Codes) -> Codes:
    enlarged = _run_codes(op, alpha)
    settled = limit_alpha(enlarged.transpose(0, 3, 1, 2), alpha.transpose(0, 3, 1, 2))
    coverage: Codes = settled.transpose(0, 2, 3, 1)
    return coverage


def _run_codes(op: CodeOp, codes: Codes) -> Codes:
    if codes.shape[3] == 3:
        return op(codes)
    grey = luma(op(np.repeat(codes, 3, axis=3)))
    rounded: Codes = (grey[..., None] + np.float32(0.5)).astype(np.uint8)
    return rounded
