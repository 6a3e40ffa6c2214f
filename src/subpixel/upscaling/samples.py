"""Samples of a picture, grey, with alpha or without, through a network for RGB."""

import numpy as np

from subpixel.imaging.colour import luma
from subpixel.runtime.op import CodeOp, Codes, NetOp, Pixels, Samples
from subpixel.runtime.pixels import to_pixels, to_samples
from subpixel.upscaling.alpha import limit_alpha


def upscale_samples(
    op: NetOp, samples: Samples, *, opaque: bool, colours: int | None = None
) -> Samples:
    """Tiles through an RGB network: ``(N, h, w, C)`` → ``(N, h * scale, w * scale, C)``, one dtype.

    Grey goes in as three equal channels and comes out as their luma. What follows the first
    ``colours`` channels, 1 or 3 (None: the last of two or four is alpha), goes through the network
    channel by channel; the colour under alpha should have gone through
    :func:`subpixel.upscaling.alpha.Survey`. With ``opaque`` alpha is known to be full, and stays
    full.
    """
    pixels, colours = to_pixels(samples), colours or _count_colours(samples)
    planes = [_run_pixels(op, pixels[:, :colours])]
    for channel in range(colours, pixels.shape[1]):
        extra = pixels[:, channel : channel + 1]
        full = np.ones_like(planes[0][:, :1])
        planes.append(full if opaque else limit_alpha(_run_pixels(op, extra), extra))
    return to_samples(np.concatenate(planes, axis=1) if planes[1:] else planes[0], samples.dtype)


def upscale_codes(op: CodeOp, samples: Codes, *, opaque: bool, colours: int | None = None) -> Codes:
    """:func:`upscale_samples` for 8-bit samples and a network that takes them as they are."""
    colours = colours or _count_colours(samples)
    planes = [_run_codes(op, samples[..., :colours])]
    for channel in range(colours, samples.shape[3]):
        full = np.full_like(planes[0][..., :1], 255)
        extra = samples[..., channel : channel + 1]
        planes.append(full if opaque else _enlarge_alpha(op, extra))
    return np.concatenate(planes, axis=3) if planes[1:] else planes[0]


def _count_colours(samples: Samples) -> int:
    channels = int(samples.shape[3])
    return channels - 1 if channels in (2, 4) else channels


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
