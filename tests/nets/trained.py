"""Networks trained for seconds on the bundled photograph: its crops tell how to run them."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.colour import luma
from subpixel.media.photograph import photograph
from subpixel.resample import interpolated

CROP, BATCH = 16, 8


def pairs(scale: int, channels: int) -> tuple[Tensor, Tensor]:
    """The photograph, reduced as in training, and itself: ``(1, C, H, W)`` in 0 … 1."""
    photo = photograph()[: 300 // scale * scale, : 451 // scale * scale] / np.float32(255)
    planes = photo if channels == 3 else luma(photo)[..., None].astype(np.float32)
    large = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)[None]))
    small = functional.interpolate(
        large, scale_factor=1 / scale, mode="bicubic", antialias=True, align_corners=False
    )
    return small, large


def trained(
    net: nn.Module, scale: int, channels: int, steps: int = 200, rate: float = 3e-3
) -> nn.Module:
    """``net`` after some steps on random crops, by the mean absolute difference."""
    torch.manual_seed(0)
    return _trained(net, *pairs(scale, channels), scale, steps, rate)


def passing_on(net: nn.Module, *layers: nn.Conv2d) -> nn.Module:
    """``net``, whose ``layers`` begin by handing on the picture in their first channels."""
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(0.3)
            middle = layer.kernel_size[0] // 2
            each = max(layer.out_channels if layer is layers[-1] else 1, 1)
            layer.weight[:each, 0, middle, middle] = 1.0
    return net


def trained_to_restore(net: nn.Module, scale: int, steps: int = 200) -> nn.Module:
    """A network for luma that was enlarged bicubically before."""
    torch.manual_seed(0)
    small, large = pairs(scale, 1)
    plane = small[0].permute(1, 2, 0).numpy().astype(np.float32)
    smooth = torch.from_numpy(interpolated(plane, scale).transpose(2, 0, 1)[None].copy())
    return _trained(net, smooth, large, 1, steps, 3e-3)


def _trained(
    net: nn.Module, small: Tensor, large: Tensor, scale: int, steps: int, rate: float
) -> nn.Module:
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    side = CROP if scale > 1 else 2 * CROP
    for _ in range(steps):
        shown, wanted = _batch(small, large, scale, side)
        loss = (net(shown) - wanted).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval().requires_grad_(False)


def _batch(small: Tensor, large: Tensor, scale: int, side: int) -> tuple[Tensor, Tensor]:
    shown, wanted = [], []
    for _ in range(BATCH):
        row, column = (
            int(torch.randint(0, full - side, ())) for full in (small.shape[2], small.shape[3])
        )
        shown.append(small[0, :, row : row + side, column : column + side])
        top, left, length = row * scale, column * scale, side * scale
        wanted.append(large[0, :, top : top + length, left : left + length])
    return torch.stack(shown), torch.stack(wanted)
