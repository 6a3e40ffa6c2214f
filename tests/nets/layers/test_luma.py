"""The RGB reference against Pillow, which resizes by its own code."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from rounding import dot_bound
from subpixel.imaging.colour import LUMA_WEIGHTS
from subpixel.nets.layers.luma import RgbFromLuma

YCBCR_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
"""As JFIF prints it (ITU-T T.871, section 7)."""

ROUNDING = dot_bound(5 * 5 * 3 + 5, 5)
"""Of chroma's filter, 5 by 5 of three channels, and of what is added; sizes of weights sum to 1 in
luma, and in chroma to at most 1 (of RGB) by 1.5 (down) by 1.5 (across) by 1.772 (to RGB)."""


class Nearest(nn.Module):
    def __init__(self, scale: int, gain: float = 1.0) -> None:
        super().__init__()
        self.scale, self.gain = scale, gain

    def forward(self, luma: Tensor) -> Tensor:
        return self.gain * nn.functional.interpolate(luma, scale_factor=self.scale, mode="nearest")


def picture(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_chroma_is_pillows_bicubic(scale: int) -> None:
    pixels, size = picture(1, 3, 19, 23), (23 * scale, 19 * scale)
    planes = pixels[0].double().permute(1, 2, 0).numpy() @ np.linalg.inv(YCBCR_TO_RGB).T
    luma, *chroma = (Image.fromarray(np.float32(planes[..., k])) for k in range(3))
    resized = [luma.resize(size, Image.Resampling.NEAREST)]
    resized += [plane.resize(size, Image.Resampling.BICUBIC) for plane in chroma]
    expected = np.stack([np.asarray(plane) for plane in resized], -1) @ YCBCR_TO_RGB.T
    result = RgbFromLuma(Nearest(scale), scale)(pixels)[0].permute(1, 2, 0).numpy()
    # At the edges Pillow weighs the samples that are there instead of repeating the last one.
    inner = slice(2 * scale, -2 * scale)
    np.testing.assert_allclose(result[inner, inner], expected[inner, inner], rtol=0, atol=ROUNDING)


def test_a_grey_picture_stays_grey() -> None:
    grey = picture(2, 1, 6, 7)
    result = RgbFromLuma(Nearest(3), 3)(grey.expand(2, 3, 6, 7))
    torch.testing.assert_close(result, Nearest(3)(grey).expand(2, 3, 18, 21), atol=ROUNDING, rtol=0)


def test_luma_is_clipped_before_chroma_is_added() -> None:
    result = RgbFromLuma(Nearest(2, gain=3.0), 2)(0.5 + 0.4 * picture(1, 3, 4, 4))
    luma = torch.einsum("c,nchw->nhw", torch.tensor(LUMA_WEIGHTS), result)
    torch.testing.assert_close(luma, torch.ones(1, 8, 8), atol=ROUNDING, rtol=0)


def test_the_dtype_is_kept() -> None:
    assert RgbFromLuma(Nearest(2), 2)(picture(1, 3, 1, 1)).dtype == torch.float32
