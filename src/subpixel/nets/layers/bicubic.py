"""Bicubic upscaling as a module, for networks whose input is an upscaled picture."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.imaging.resample import phase_weights
from subpixel.nets.architectures.architecture import Checkpoint, NetworkSetting
from subpixel.spec import ModelSpec


class BicubicEnlargement(nn.Module):
    """``(N, C, H, W)`` → ``(N, C, H * scale, W * scale)`` by Keys' kernel, edges repeated.

    With a = -0.5, as in MATLAB and Pillow, with which such networks were trained; PyTorch's has a =
    -0.75. Equal to :func:`subpixel.imaging.resample.bicubic_matrix`, but written as one convolution
    for all sub-pixel phases, and their interleaving.
    """

    kernel: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        phases = torch.from_numpy(phase_weights(scale))
        kernel = torch.einsum("ay,bx->abyx", phases, phases).reshape(-1, 1, 5, 5)
        self.register_buffer("kernel", kernel.float(), persistent=False)
        self.scale = scale

    def forward(self, picture: Tensor) -> Tensor:
        channels = picture.shape[1]
        padded = functional.pad(picture, (2, 2, 2, 2), mode="replicate")
        phases = functional.conv2d(padded, self.kernel.repeat(channels, 1, 1, 1), groups=channels)
        return functional.pixel_shuffle(phases, self.scale)


def on_enlarged(
    module: nn.Module, spec: ModelSpec, scale: int | None, settings: Sequence[NetworkSetting] = ()
) -> Checkpoint:
    """A network that restores upscaled pictures, including the upscaling if a scale is given.

    ``settings`` are those of ``module``.
    """
    if scale is None or scale == 1:
        spec, behind = replace(spec, purpose="restoration"), tuple(settings)
    else:
        spec, behind = replace(spec, scale=scale), tuple(map(_behind_enlargement, settings))
        module = nn.Sequential(BicubicEnlargement(scale), module).eval()
    return Checkpoint(
        module, spec, settings=behind, conventional=True, plain_keys=True, must_gain=True
    )


def _behind_enlargement(setting: NetworkSetting) -> NetworkSetting:
    def apply(module: nn.Module, value: str) -> nn.Module:
        assert isinstance(module, nn.Sequential), "on_enlarged makes a sequence of the two"
        module[1] = setting.apply(module[1], value)
        return module

    return replace(setting, apply=apply)
