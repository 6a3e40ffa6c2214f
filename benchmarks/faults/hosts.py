"""Small honest networks of random weights, as files: what faults are put into."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.graph.geometry.receptive import halo
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.imaging.resample import BICUBIC_HALO
from subpixel.nets.architectures.espcn import ESPCN
from subpixel.nets.architectures.fsrcnn import FSRCNN
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.export.attempt import list_attempts
from subpixel.nets.export.export import export_attempt
from subpixel.nets.export.exporters import BATCH, HEIGHT, WIDTH, run_exporter
from subpixel.spec import Colour, Exporter, ModelSpec

EXAMPLE = (1, 48, 64)
"""Batch, height and width of the picture that the weights are scaled for."""

SEED = 5


@dataclass(frozen=True, eq=False)
class Host:
    """A network and its file."""

    name: str
    module: nn.Module
    spec: ModelSpec
    model: onnx.ModelProto
    checkpoint: bool
    """Whether its weights alone are recognised, as :func:`subpixel.verify` takes them."""


@dataclass(frozen=True)
class Recipe:
    """How a host is made."""

    build: Callable[[], nn.Module]
    scale: int
    channels: int = 3
    exporter: Exporter = "trace"
    opset: int = 18
    size_multiple: int = 1
    on_rgb: bool = False
    """A luma network, its file for RGB pictures."""
    bare: bool = False
    """The file does not pad: it takes multiples alone."""
    local: bool = True
    """Whether the halo of the graph holds at every size."""
    checkpoint: bool = False


class Tutorial(nn.Module):
    """The network of PyTorch's tutorial, of fewer channels."""

    def __init__(self, scale: int, channels: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )

    def forward(self, luma: Tensor) -> Tensor:
        result: Tensor = self.layers(luma)
        return result


class Unshuffled(nn.Module):
    """Residual, at half the resolution: pixel unshuffling in front, shuffling by 4 behind."""

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        self.head = nn.Conv2d(12, channels, 3, padding=1)
        self.body = nn.Conv2d(channels, channels, 3, padding=1)
        self.tail = nn.Conv2d(channels, 3 * 16, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        features = functional.leaky_relu(self.head(functional.pixel_unshuffle(pixels, 2)), 0.2)
        deep = features + functional.leaky_relu(self.body(features), 0.2)
        return functional.pixel_shuffle(self.tail(deep), 4)


class Nested(nn.Module):
    """U-shaped: strides of 2, and back to the size of the skip."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.down = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(channels, channels, 3, padding=1)
        self.tail = nn.Conv2d(2 * channels, 3, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        skip = functional.relu(self.head(pixels))
        deep = functional.relu(self.deep(functional.relu(self.down(skip))))
        up = functional.interpolate(deep, size=skip.shape[-2:], mode="bilinear")
        result: Tensor = self.tail(torch.cat([up, skip], 1))
        return result


class Windowed(nn.Module):
    """Attention inside windows of 4 by 4, without heads; sizes are multiples of 4."""

    def __init__(self, channels: int = 8, window: int = 4) -> None:
        super().__init__()
        self.window = window
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.mix = nn.Linear(channels, 3 * channels)
        self.tail = nn.Conv2d(channels, 3 * 4, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        features, side = self.head(pixels), self.window
        n, c, h, w = features.shape
        cut = features.reshape(n, c, h // side, side, w // side, side)
        tokens = cut.permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, c)
        query, key, value = self.mix(tokens).chunk(3, -1)
        mixed = (query @ key.transpose(1, 2) * c**-0.5).softmax(-1) @ value
        back = mixed.reshape(n, h // side, w // side, side, side, c).permute(0, 5, 1, 3, 2, 4)
        deep = features + back.reshape(n, c, h, w)
        return functional.pixel_shuffle(self.tail(deep), 2)


class Gated(nn.Module):
    """Channel attention: a mean over the whole picture."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.tail = nn.Conv2d(channels, 3 * 4, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        features = functional.relu(self.head(pixels))
        gate = torch.sigmoid(self.gate(features.mean((2, 3), keepdim=True)))
        return functional.pixel_shuffle(self.tail(features * gate), 2)


RECIPES: Mapping[str, Recipe] = {
    "tutorial": Recipe(lambda: Tutorial(3), 3, channels=1, opset=17),
    "espcn": Recipe(lambda: ESPCN(2, 3, 8, 8), 2, checkpoint=True),
    "plain": Recipe(lambda: PlainNet(2, 8, 2), 2, channels=1, exporter="dynamo", checkpoint=True),
    "fsrcnn": Recipe(lambda: FSRCNN(2, 3, 12, 6, 1), 2, opset=16),
    "unshuffled": Recipe(Unshuffled, 2, size_multiple=2),
    "unshuffled, bare": Recipe(Unshuffled, 2, size_multiple=2, bare=True),
    "nested": Recipe(Nested, 1, exporter="dynamo", local=False),
    "windowed": Recipe(Windowed, 2, size_multiple=4),
    "gated": Recipe(Gated, 2, opset=20),
    "luma on rgb": Recipe(lambda: Tutorial(2), 2, channels=1, on_rgb=True),
}


@functools.cache
def host(name: str) -> Host:
    """The host of that name, exported once in each process."""
    recipe = RECIPES[name]
    return export_host(name, network(recipe), recipe)


def export_host(name: str, module: nn.Module, recipe: Recipe) -> Host:
    """The module's file, as the recipe says."""
    spec = _spec(name, recipe)
    if recipe.bare:
        model = _unpadded(module, recipe)
        spec = replace(spec, halo=halo(model))
    else:
        attempt = list_attempts(spec, recipe.exporter, recipe.opset)[0]
        exported = export_attempt(module, spec, attempt, recipe.opset)
        model, spec = exported.model, exported.spec
    if not recipe.local:
        spec = replace(spec, halo=None)
    if recipe.on_rgb:
        reach = None if spec.halo is None else max(spec.halo, BICUBIC_HALO)
        spec = replace(spec, interface="rgb", halo=reach)
        model = rgb_from_luma(model, spec.scale)
    return Host(name, module, spec, with_spec(name_nodes(model), spec), recipe.checkpoint)


def _spec(name: str, recipe: Recipe) -> ModelSpec:
    colour: Colour = "luma" if recipe.channels == 1 else "rgb"
    multiple = recipe.size_multiple
    return ModelSpec(name, recipe.scale, colour, colour, size_multiple=multiple)


def _unpadded(module: nn.Module, recipe: Recipe) -> onnx.ModelProto:
    example, multiple = torch.rand(1, recipe.channels, *EXAMPLE[1:]), recipe.size_multiple
    free = {BATCH: 1, HEIGHT: multiple, WIDTH: multiple}
    return run_exporter(recipe.exporter, module, example, recipe.opset, free)


def name_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every node has a name of its own."""
    for i, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{i}"
    return model


def network(recipe: Recipe) -> nn.Module:
    """The module, its weights drawn so that it gives pictures and every layer shows in them."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        module = recipe.build().eval().requires_grad_(False)
        batch, *size = EXAMPLE
        _give_pictures(module, torch.rand(batch, recipe.channels, *size))
    return module


def _give_pictures(module: nn.Module, example: Tensor) -> None:
    """He's initialisation (arXiv 1502.01852); the last layer gives values around 0.5."""
    layers = [layer for layer in module.modules() if isinstance(layer, Layer)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight)
        nn.init.normal_(layer.bias, std=0.1)
    last = layers[-1]
    last.weight *= 0.2 / module(example).std()
    last.bias += 0.5 - module(example).mean()


Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
