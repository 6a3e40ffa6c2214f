"""A luma network on RGB pictures, in PyTorch: the reference for exported files."""

import numpy as np
import torch
from torch import Tensor, nn

from subpixel.imaging.colour import CHROMA_TO_RGB, LUMA_WEIGHTS, RGB_TO_CHROMA
from subpixel.imaging.resample import bicubic_matrix


class RgbFromLuma(nn.Module):
    """``(N, 3, H, W)`` RGB in 0 … 1 → ``(N, 3, H * scale, W * scale)``, by a network for luma.

    The luma (BT.601, full range) goes through ``net`` and is clipped to 0 … 1; Cb and Cr are
    enlarged bicubically; the result may leave 0 … 1. The upscaling is two products with dense
    matrices in float64, deliberately different from the polyphase convolution of the ONNX files:
    each verifies the other.
    """

    def __init__(self, net: nn.Module, scale: int) -> None:
        super().__init__()
        self.net = net
        self.scale = scale

    def forward(self, rgb: Tensor) -> Tensor:
        luma: Tensor = self.net(_mix(np.array([LUMA_WEIGHTS]), rgb).to(rgb.dtype)).clamp(0.0, 1.0)
        chroma = self._enlarge(_mix(RGB_TO_CHROMA, rgb))
        return (luma + _mix(CHROMA_TO_RGB, chroma)).to(rgb.dtype)

    def _enlarge(self, planes: Tensor) -> Tensor:
        rows, columns = (
            torch.from_numpy(bicubic_matrix(size, self.scale)) for size in planes.shape[-2:]
        )
        return rows @ planes @ columns.T


def _mix(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]], planes: Tensor) -> Tensor:
    """Mix the channels of ``(N, C, H, W)`` by a ``(D, C)`` matrix, in float64."""
    return torch.einsum("dc,nchw->ndhw", torch.from_numpy(matrix), planes.double())
