"""Networks whose graphs reckon sizes: Shape, Gather, Concat, Reshape, Resize, Pad and Slice."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from specimens import OPSET, give_pictures, spandrel_network
from subpixel.graph.metadata import with_spec
from subpixel.nets.exporters import BATCH, HEIGHT, WIDTH, run_exporter
from subpixel.spec import Exporter, ModelSpec


class Hourglass(nn.Module):
    """Down by a stride, and up to the size of what was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, 1, 1)
        self.down = nn.Conv2d(8, 8, 3, 2, 1)
        self.middle = nn.Conv2d(8, 8, 3, 1, 1)
        self.tail = nn.Conv2d(16, 3, 3, 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.head(pixels).relu()
        deep = self.middle(self.down(features).relu()).relu()
        size = features.shape[-2:]
        larger = functional.interpolate(deep, size=size, mode="bilinear")
        result: Tensor = pixels + 0.2 * self.tail(torch.cat([larger, features], 1))
        return result


class Pyramid(nn.Module):
    """Levels of a half, a third and a fourth of the size, each enlarged to the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 6, 3, 1, 1)
        self.levels = nn.ModuleList(nn.Conv2d(6, 6, 3, 1, 1) for _ in range(3))
        self.tail = nn.Conv2d(24, 12, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.head(pixels)
        height, width = features.shape[-2:]
        parts = [features]
        for part, level in zip((2, 3, 4), self.levels, strict=True):
            size = (height + part - 1) // part, (width + part - 1) // part
            small = functional.interpolate(features, size=size, mode="nearest")
            parts.append(
                functional.interpolate(level(small).relu(), size=(height, width), mode="bilinear")
            )
        return functional.pixel_shuffle(self.tail(torch.cat(parts, 1)), 2)


class Windows(nn.Module):
    """Pads to windows of 4, mixes the pixels of each, puts them together again and crops."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 6, 3, 1, 1)
        self.mix = nn.Linear(16, 16)
        self.tail = nn.Conv2d(6, 3, 3, 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        batch, _, height, width = pixels.shape
        below, beside = -height % 4, -width % 4
        padded = functional.pad(self.head(pixels), (0, beside, 0, below), mode="replicate")
        rows, columns = (height + below) // 4, (width + beside) // 4
        windows = padded.view(batch, 6, rows, 4, columns, 4).permute(0, 2, 4, 1, 3, 5)
        mixed = self.mix(windows.reshape(batch, rows * columns, 6, 16)).relu()
        whole = mixed.view(batch, rows, columns, 6, 4, 4).permute(0, 3, 1, 4, 2, 5)
        features = whole.reshape(batch, 6, rows * 4, columns * 4)[..., :height, :width]
        result: Tensor = self.tail(features)
        return result


def _safmn() -> nn.Module:
    settings = {"dim": 8, "n_blocks": 2, "ffn_scale": 2.0, "upscaling_factor": 2}
    return spandrel_network("SAFMN", "SAFMN", **settings)


@dataclass(frozen=True)
class Sized:
    """How a network of these is made, and what it takes."""

    build: Callable[[], nn.Module]
    scale: int
    exporter: Exporter = "dynamo"
    multiple: int = 1


SIZED: Mapping[str, Sized] = {
    "hourglass": Sized(Hourglass, 1),
    "hourglass, traced": Sized(Hourglass, 1, "trace"),
    "pyramid": Sized(Pyramid, 2),
    "pyramid, traced": Sized(Pyramid, 2, "trace"),
    "windows": Sized(Windows, 1),
    "windows, traced": Sized(Windows, 1, "trace"),
    "safmn": Sized(_safmn, 2, multiple=8),
}


@functools.cache
def sized_network(name: str) -> onnx.ModelProto:
    """The graph of one of :data:`SIZED`; every node has a name of its own."""
    kind = SIZED[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = kind.build().eval().requires_grad_(False)
        give_pictures(module, torch.rand(1, 3, 56, 72))
        example = torch.rand(2, 3, 56, 72) if kind.multiple > 1 else torch.rand(2, 3, 51, 67)
    free = {BATCH: 1, HEIGHT: kind.multiple, WIDTH: kind.multiple}
    model = run_exporter(kind.exporter, module, example, OPSET, free, symbolic=True)
    return with_spec(
        model,
        ModelSpec(
            name,
            kind.scale,
            "rgb",
            "rgb",
            size_multiple=kind.multiple,
            size_minimum=kind.multiple,
        ),
    )
