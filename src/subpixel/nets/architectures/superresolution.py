"""The network of PyTorch's "export to ONNX" tutorial, with which this project starts."""

import torch
from torch import Tensor, nn
from torch.nn import init

from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    fill_module,
    find_layers,
    make_layout,
    sub_pixel_scale,
)
from subpixel.nets.architectures.variants import OUTPUT_SETTING, RANGE_SETTING, activation_setting
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.spec import ModelSpec


class SuperResolutionNet(nn.Module):
    """Four convolutions and a sub-pixel convolution: the efficient network of Shi et al.

    ``(N, 1, H, W)`` luma in 0 … 1 → ``(N, 1, H * r, W * r)``, r = ``upscale_factor``. Layers,
    names and initialisation are those of the reference, so its published weights fit; the
    idea is arXiv 1609.05158. The module can be traced and scripted. The halo is 5 pixels.
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor
        self.activation: nn.Module = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 64, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(64, 64, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(64, 32, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(32, upscale_factor**2, kernel_size=3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialise()

    def forward(self, luma: Tensor) -> Tensor:
        features = self.activation(self.conv1(luma))
        features = self.activation(self.conv2(features))
        features = self.activation(self.conv3(features))
        upscaled: Tensor = self.pixel_shuffle(self.conv4(features))
        return upscaled

    def _initialise(self) -> None:
        """Orthogonal weights (Saxe et al., arXiv 1312.6120), scaled for the ReLU that follows."""
        for convolution in (self.conv1, self.conv2, self.conv3):
            init.orthogonal_(convolution.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)


REFERENCE_LAYERS = ("conv1", "conv2", "conv3", "conv4")
REFERENCE_LAYOUT = make_layout(*REFERENCE_LAYERS)


def _load_reference(weights: Weights, scale: int | None) -> Checkpoint:  # noqa: ARG001 - the file says it
    layers = find_layers(weights, (REFERENCE_LAYOUT,))
    enlargement = sub_pixel_scale(layers[-1], channels=1)
    with torch.device("meta"):  # shapes only: no random numbers, and no size can fill the memory
        module = SuperResolutionNet(enlargement)
    fill_module(module, weights, layers)
    spec = ModelSpec("SuperResolutionNet", enlargement, "luma", "luma", "SuperResolutionNet")
    settings = (activation_setting("relu"), OUTPUT_SETTING, RANGE_SETTING)
    return Checkpoint(module, spec, settings=settings, conventional=True, plain_keys=True)


REFERENCE_ARCHITECTURE = Architecture(
    "SuperResolutionNet", (REFERENCE_LAYOUT.signature,), _load_reference
)
