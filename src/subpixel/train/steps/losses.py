"""Losses by name; each takes ``(N, 1, H, W)`` float32 results and targets."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from subpixel.train.presets import LossName

LossFunction = Callable[[Tensor, Tensor], Tensor]

DETAIL_WEIGHT = 0.1
"""How much the second term of a sum counts, of errors in an orthonormal transform."""

CHARBONNIER_EPSILON = 1e-3


def charbonnier_loss(result: Tensor, target: Tensor) -> Tensor:
    """L1 with a rounded tip (Charbonnier et al., ICIP 1994)."""
    return ((result - target).square() + CHARBONNIER_EPSILON**2).sqrt().mean()


def fourier_loss(result: Tensor, target: Tensor) -> Tensor:
    """The mean amplitude of the error's frequencies (as in Cho et al., ICCV 2021)."""
    amplitudes: Tensor = torch.fft.rfft2(result - target, norm="ortho").abs()
    return amplitudes.mean()


def haar_loss(result: Tensor, target: Tensor) -> Tensor:
    """L1 of the error's Haar details, of one level; sides are even, or lose their last pixel."""
    error = result - target
    height, width = (side // 2 * 2 for side in error.shape[2:])
    quads = functional.pixel_unshuffle(error[..., :height, :width], 2)
    first, second, third, fourth = quads.unbind(1)
    across = first - second + third - fourth
    down = first + second - third - fourth
    diagonal = first - second - third + fourth
    return torch.stack([across, down, diagonal]).abs().mean() / 2


def _with_detail(detail: LossFunction) -> LossFunction:
    def total(result: Tensor, target: Tensor) -> Tensor:
        return functional.l1_loss(result, target) + DETAIL_WEIGHT * detail(result, target)

    return total


LOSSES: Mapping[LossName, LossFunction] = {
    "l1": functional.l1_loss,
    "l2": functional.mse_loss,
    "charbonnier": charbonnier_loss,
    "l1+fourier": _with_detail(fourier_loss),
    "l1+haar": _with_detail(haar_loss),
}
