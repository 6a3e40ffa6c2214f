"""FSRCNN: convolutions at low resolution, and a deconvolution at the end."""

import math

import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    KeyLayout,
    Layer,
    colour_of_channels,
    fill_module,
    find_layers,
    list_numbered,
)
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.nets.layers.grey import grey_levels
from subpixel.spec import ModelSpec

MAX_STRIDE = 8
GAIN_TOLERANCE = 0.1


class FSRCNN(nn.Module):
    """Dong, Loy and Tang, arXiv 1608.00367: FSRCNN(d, s, m), ``wide``, ``narrow`` and ``depth``.

    ``(N, C, H, W)`` in 0 … 1 → ``(N, C, H * scale, W * scale)``: a 5×5 convolution, shrinking to
    ``narrow`` channels, ``depth`` 3×3 convolutions, expanding, each with PReLU, and a 9×9
    deconvolution whose stride is the scale.
    """

    def __init__(
        self, scale: int, channels: int = 1, wide: int = 56, narrow: int = 12, depth: int = 4
    ) -> None:
        super().__init__()
        convolutions = [
            nn.Conv2d(channels, wide, 5, padding=2),
            nn.Conv2d(wide, narrow, 1),
            *(nn.Conv2d(narrow, narrow, 3, padding=1) for _ in range(depth)),
            nn.Conv2d(narrow, wide, 1),
        ]
        layers = [(convolution, nn.PReLU(convolution.out_channels)) for convolution in convolutions]
        self.features = nn.Sequential(*(layer for pair in layers for layer in pair))
        self.deconvolution = nn.ConvTranspose2d(
            wide, channels, 9, stride=scale, padding=4, output_padding=scale - 1
        )

    def forward(self, picture: Tensor) -> Tensor:
        enlarged: Tensor = self.deconvolution(self.features(picture))
        return enlarged


def _fsrcnn_lornatang(weights: Weights) -> list[str]:
    front = ["feature_extraction.0", "feature_extraction.1", "shrink.0", "shrink.1"]
    return [*front, *list_numbered(weights, "map.{}"), "expand.0", "expand.1", "deconv"]


def _fsrcnn_yjn870(weights: Weights) -> list[str]:
    return ["first_part.0", "first_part.1", *list_numbered(weights, "mid_part.{}"), "last_part"]


def _fsrcnn_own(weights: Weights) -> list[str]:
    return [*list_numbered(weights, "features.{}"), "deconvolution"]


FSRCNN_LAYOUTS = (
    KeyLayout(  # Lornatang/FSRCNN-PyTorch
        frozenset({"feature_extraction.0.weight", "shrink.0.weight", "deconv.weight"}),
        _fsrcnn_lornatang,
    ),
    KeyLayout(  # yjn870/FSRCNN-pytorch
        frozenset({"first_part.0.weight", "mid_part.0.weight", "last_part.weight"}), _fsrcnn_yjn870
    ),
    KeyLayout(
        frozenset({"features.0.weight", "deconvolution.weight"}), _fsrcnn_own
    ),  # this module's own
)


def _load_fsrcnn(weights: Weights, scale: int | None) -> Checkpoint:
    layers = find_layers(weights, FSRCNN_LAYOUTS)
    channels = layers[0].inputs
    colour = colour_of_channels(channels)
    if scale is None:
        scale = _measure_scale(_build_fsrcnn(1, layers, weights), channels)
    module = _build_fsrcnn(scale, layers, weights)
    spec = ModelSpec("FSRCNN", scale, colour, colour, "FSRCNN")
    return Checkpoint(module, spec, conventional=True, plain_keys=True)


def _build_fsrcnn(scale: int, layers: list[Layer], weights: Weights) -> FSRCNN:
    if len(layers) < 7:
        raise CheckpointError("its layers between the first and the last are missing")
    first, shrinking = layers[0], layers[2]
    depth = (len(layers) - 7) // 2
    with torch.device("meta"):  # shapes only: no random numbers, and no size can fill the memory
        module = FSRCNN(scale, first.inputs, first.outputs, shrinking.outputs, depth)
    fill_module(module, weights, layers)
    return module


def _measure_scale(module: FSRCNN, channels: int) -> int:
    """The scale at which grey stays grey; no shape reveals it, as the kernel is 9×9 for all scales.

    With the stride s every output pixel gets 1/s² of the kernel on average. A network that was
    trained to preserve grey therefore brightens it s²-fold at stride 1.
    """
    dark, bright = grey_levels(module, channels, 1, [0.25, 0.75])
    scale = math.sqrt(max((bright - dark) / 0.5, 0.0))
    nearest = round(scale)
    if not 2 <= nearest <= MAX_STRIDE or abs(scale - nearest) > GAIN_TOLERANCE:
        raise CheckpointError(
            f"its shapes don't reveal its scale, and its response to grey gives {scale:.3g}, "
            f"which is no scale; name the scale"
        )
    return nearest


FSRCNN_ARCHITECTURE = Architecture(
    "FSRCNN", tuple(layout.signature for layout in FSRCNN_LAYOUTS), _load_fsrcnn
)
