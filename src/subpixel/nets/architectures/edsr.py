"""EDSR: residual blocks without normalisation, and sub-pixel convolutions."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    KeyLayout,
    Layer,
    NetworkSetting,
    expect_choice,
    fill_module,
    find_layers,
    list_numbered,
    parse_positive,
)
from subpixel.nets.architectures.variants import RANGES
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.spec import ModelSpec

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""The mean colour of the training set, which the published networks subtract from their input."""

BYTES = 255.0
"""The range of the published networks; others train them on 0 … 1."""

MEANS = {"div2k": DIV2K_MEAN, "none": (0.0, 0.0, 0.0)}
"""The mean colours that may be subtracted, by name."""

RESIDUAL_SCALE = {256: 0.1}
"""The factor of a block's branch, by width (section 3.3 of the paper): the published networks of
256 channels have 0.1, those of 64 none. The weights don't reveal it."""

RESIDUAL_SCALES = ("1", "0.1", "0.2", "0.3", "0.5")
"""Its usual values."""


class ColourShift(nn.Module):
    """``(N, 3, H, W)`` → each pixel's colour times a ``(3, 3)`` matrix, plus ``(3,)`` offsets."""

    matrix: Tensor
    offset: Tensor

    def __init__(self, matrix: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix.reshape(3, 3, 1, 1), persistent=False)
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, picture: Tensor) -> Tensor:
        return functional.conv2d(picture, self.matrix, self.offset)


class ResidualBlock(nn.Module):
    """``x`` → ``x`` + ``scale`` · conv(relu(conv(x))), with the same channels."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        branch: Tensor = self.second(self.first(features).relu())
        return features + branch * self.scale


class EDSR(nn.Module):
    """Lim et al., arXiv 1707.02921.

    ``(N, 3, H, W)`` in 0 … 1 → ``(N, 3, H * scale, W * scale)``, scale the product of ``steps``.
    ``before`` and ``after`` convert that range to the network's, and back.
    """

    def __init__(
        self,
        steps: Sequence[int],
        before: ColourShift,
        after: ColourShift,
        width: int = 64,
        depth: int = 16,
    ) -> None:
        super().__init__()
        residual_scale = RESIDUAL_SCALE.get(width, 1.0)
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width, residual_scale) for _ in range(depth))
        self.body_end = nn.Conv2d(width, width, 3, padding=1)
        self.upsample = nn.ModuleList(
            nn.Conv2d(width, width * step**2, 3, padding=1) for step in steps
        )
        self.tail = nn.Conv2d(width, 3, 3, padding=1)
        self.before, self.after = before, after
        self.steps = tuple(steps)
        self.top = 1.0
        self.mean: tuple[float, ...] = MEANS["none"]

    def shift_colours(self, top: float, mean: tuple[float, ...]) -> None:
        """Set the range to 0 … ``top``, around the mean colour ``mean`` in 0 … 1."""
        self.top, self.mean = top, mean
        self.before, self.after = _make_shifts(top, torch.tensor(mean))

    def forward(self, picture: Tensor) -> Tensor:
        shallow = deep = self.head(self.before(picture))
        for block in self.blocks:
            deep = block(deep)
        features = self.body_end(deep) + shallow
        for layer, step in zip(self.upsample, self.steps, strict=True):
            features = functional.pixel_shuffle(layer(features), step)
        enlarged: Tensor = self.after(self.tail(features))
        return enlarged


def _official_layers(weights: Weights) -> list[str]:
    *body, end = list_numbered(weights, "body.{}")
    blocks = [f"{block}.body.{layer}" for block in body for layer in (0, 2)]
    return ["head.0", *blocks, end, *list_numbered(weights, "tail.0.{}", step=2), "tail.1"]


def _basicsr_layers(weights: Weights) -> list[str]:
    blocks = [f"{block}.conv{i}" for block in list_numbered(weights, "body.{}") for i in (1, 2)]
    upsample = list_numbered(weights, "upsample.{}", step=2)
    return ["conv_first", *blocks, "conv_after_body", *upsample, "conv_last"]


BASICSR_LAYOUT = KeyLayout(  # XPixelGroup/BasicSR
    frozenset(
        {
            "conv_first.weight",
            "body.0.conv1.weight",
            "body.0.conv2.weight",
            "conv_after_body.weight",
            "upsample.0.weight",
            "conv_last.weight",
        }
    ),
    _basicsr_layers,
)
OFFICIAL_LAYOUT = KeyLayout(  # sanghyun-son/EDSR-PyTorch
    frozenset(
        {
            "head.0.weight",
            "body.0.body.0.weight",
            "body.0.body.2.weight",
            "tail.0.0.weight",
            "tail.1.weight",
        }
    ),
    _official_layers,
)
EDSR_LAYOUTS = (OFFICIAL_LAYOUT, BASICSR_LAYOUT)

_MEAN_SHIFT = {"sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias"}


def _load_edsr(weights: Weights, scale: int | None) -> Checkpoint:  # noqa: ARG001 - the file says it
    if weights.keys() >= _MEAN_SHIFT:
        rest = {key: value for key, value in weights.items() if key not in _MEAN_SHIFT}
        module = _build_edsr(rest, *_read_shifts(weights))
        colours: tuple[NetworkSetting, ...] = ()
    else:
        basicsr = BASICSR_LAYOUT.signature <= weights.keys()
        module = _build_edsr(weights, *_make_shifts(1.0, torch.zeros(3)))
        colours = _colour_settings("div2k" if basicsr else "none")
        for setting in colours:
            setting.apply(module, setting.values[0])
    spec = ModelSpec("EDSR", math.prod(module.steps), "rgb", "rgb", "EDSR")
    return Checkpoint(module, spec, settings=(_residual_scale_setting(module), *colours))


def _residual_scale_setting(module: EDSR) -> NetworkSetting:
    usual = f"{RESIDUAL_SCALE.get(module.head.out_channels, 1):g}"
    rest = [value for value in RESIDUAL_SCALES if value != usual]
    return NetworkSetting("res_scale", (usual, *rest), _set_residual_scale, closed=False)


def _set_residual_scale(module: nn.Module, value: str) -> nn.Module:
    for part in module.modules():
        if isinstance(part, ResidualBlock):
            part.scale = parse_positive(value, "res_scale")
    return module


def _colour_settings(usual_mean: str) -> tuple[NetworkSetting, NetworkSetting]:
    means = sorted(MEANS, key=lambda name: name != usual_mean)
    return (
        NetworkSetting("range", ("255", "1"), _set_edsr_range),
        NetworkSetting("mean", tuple(means), _set_edsr_mean),
    )


def _set_edsr_range(module: nn.Module, value: str) -> nn.Module:
    assert isinstance(module, EDSR)
    module.shift_colours(RANGES[expect_choice(value, "range", RANGES)], module.mean)
    return module


def _set_edsr_mean(module: nn.Module, value: str) -> nn.Module:
    assert isinstance(module, EDSR)
    module.shift_colours(module.top, MEANS[expect_choice(value, "mean", MEANS)])
    return module


def _build_edsr(weights: Weights, before: ColourShift, after: ColourShift) -> EDSR:
    layers = find_layers(weights, EDSR_LAYOUTS)
    width, last = layers[0].outputs, layers[-1]
    if (layers[0].inputs, last.outputs) != (3, 3):
        raise CheckpointError(
            f"it has {layers[0].inputs} input and {last.outputs} output channels; EDSR has 3, RGB"
        )
    upsample = [layer for layer in layers if layer.name.startswith(("tail.0.", "upsample."))]
    steps = [_upsampling_step(layer, width) for layer in upsample]
    with torch.device("meta"):  # shapes only: no random numbers, and no size can fill the memory
        depth = (len(layers) - len(steps) - 3) // 2
        module = EDSR(steps, before, after, width, depth)
    fill_module(module, weights, layers)
    return module


def _upsampling_step(layer: Layer, width: int) -> int:
    step = math.isqrt(layer.outputs // width)
    if step < 1 or width * step**2 != layer.outputs:
        raise CheckpointError(
            f"{layer.name}.weight has {layer.outputs} outputs; upscaling {width} channels takes "
            f"{width} · step²"
        )
    return step


def _make_shifts(top: float, mean: Tensor) -> tuple[ColourShift, ColourShift]:
    """From 0 … 1 to 0 … ``top`` around the mean colour, and back."""
    unit = torch.eye(3)
    return ColourShift(unit * top, -mean * top), ColourShift(unit / top, mean)


def _read_shifts(weights: Weights) -> tuple[ColourShift, ColourShift]:
    """The same from a file that stores both shifts, for pictures in the range of its training.

    The mean colour that is added back reveals the range: in 0 … 1 it can't be above 1.
    """
    shapes = {key: tuple(weights[key].shape) for key in sorted(_MEAN_SHIFT)}
    odd = [key for key, shape in shapes.items() if math.prod(shape) != (9 if len(shape) > 1 else 3)]
    if odd:
        raise CheckpointError(f"{odd[0]} has the shape {shapes[odd[0]]}; it shifts three colours")
    back = weights["add_mean.bias"]
    top = BYTES if float(back.abs().max()) > 1.0 else 1.0
    return (
        ColourShift(weights["sub_mean.weight"] * top, weights["sub_mean.bias"]),
        ColourShift(weights["add_mean.weight"] / top, back / top),
    )


EDSR_ARCHITECTURE = Architecture(
    "EDSR", tuple(layout.signature for layout in EDSR_LAYOUTS), _load_edsr
)
