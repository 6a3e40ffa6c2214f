"""Real networks as ONNX graphs, small enough to be quick: what faults are injected into.

Weights are real where a small network with real ones exists, else drawn from a fixed seed and
scaled so that the network gives a picture: what leaves 0 … 1 is clipped, and would hide faults.
"""

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.graph.metadata import with_spec
from subpixel.nets.checkpoint import load_checkpoint
from subpixel.nets.exporters import BATCH, HEIGHT, WIDTH, run_exporter
from subpixel.nets.luma import RgbFromLuma
from subpixel.nets.spandrel_module import imported
from subpixel.spec import Colour, Exporter, ModelSpec

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared" / "data"
BUNDLED = REPOSITORY / "weights" / "fast-x3.safetensors"
EXAMPLE = (51, 67)
OPSET = 18
SEED = 3

Convolution = nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True, eq=False)
class Specimen:
    """A network, what it is, and its graph; every node of the graph has a name of its own."""

    name: str
    module: nn.Module
    spec: ModelSpec
    model: onnx.ModelProto


@dataclass(frozen=True)
class Kind:
    """How a specimen is made."""

    build: Callable[[], nn.Module]
    scale: int
    channels: int = 3
    exporter: Exporter = "dynamo"
    free_batch: bool = True
    size_minimum: int = 1
    """Reflection needs more pixels than it adds."""
    slow: bool = False
    needs: str | None = None
    """A file of the shared data folder."""
    file: Path | None = None
    """The graph as it was published, else it is exported."""
    drawn: bool = True
    """Whether the weights are drawn, else they are a trained network's."""


@functools.cache
def specimen(name: str) -> Specimen:
    """The specimen of that name; made once. Skips the test where its weights are missing."""
    kind = KINDS[name]
    if kind.needs and not (SHARED / kind.needs).is_file():
        pytest.skip(f"needs {kind.needs} of the data folder ../shared/data beside the repository")
    colour: Colour = "luma" if kind.channels == 1 else "rgb"
    spec = ModelSpec(
        name,
        kind.scale,
        colour,
        colour,
        size_minimum=kind.size_minimum,
        fixed_batch=None if kind.free_batch else 1,
    )
    module, example = network(name), torch.rand(1, kind.channels, *EXAMPLE)
    free = {BATCH: 1, HEIGHT: 1, WIDTH: 1}
    if not kind.free_batch:
        del free[BATCH]
    model = (
        onnx.load(kind.file)
        if kind.file
        else run_exporter(kind.exporter, module, example, OPSET, free)
    )
    return Specimen(name, module, spec, with_spec(model, spec))


def network(name: str) -> nn.Module:
    """The specimen's network alone; one of drawn weights gives pictures."""
    kind = KINDS[name]
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        module = kind.build().eval().requires_grad_(False)
        if kind.drawn:
            give_pictures(module, torch.rand(1, kind.channels, *EXAMPLE))
    return module


def give_pictures(module: nn.Module, example: Tensor) -> None:
    """Draw the layers so that signals keep their strength (He et al., arXiv 1502.01852).

    The last, and any other that makes a picture, is scaled so that the network's values lie
    around 0.5, mostly in 0 … 1.
    """
    for parameter in module.parameters():
        if not parameter.any():  # what training starts from nought would hide what is behind it
            parameter.normal_(std=0.1)
    for layer in module.modules():
        if isinstance(layer, Convolution | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    ran: list[tuple[Convolution, Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, result: ran.append((layer, result)))
        for layer in module.modules()
        if isinstance(layer, Convolution)
    ]
    module(example)
    for hook in hooks:
        hook.remove()
    last, _ = ran[-1]
    for layer, result in ran:
        if layer is last or result.shape[1] == example.shape[1]:
            layer.weight *= 0.2 / result.std()
    last.bias += 0.5 - module(example).mean()


class Edsr(nn.Module):
    """EDSR (Lim et al., arXiv 1707.02921): mean shift, scaled residual blocks, PixelShuffle."""

    mean: Tensor

    def __init__(self, scale: int, channels: int = 12, blocks: int = 2) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1))
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.tail = nn.Conv2d(channels, 3 * scale**2, 3, padding=1)
        self.scale = scale

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.head(pixels - self.mean)
        deep = features
        for block in self.body:
            deep = deep + 0.5 * block(deep)
        return functional.pixel_shuffle(self.tail(deep + features), self.scale) + self.mean


class Fsrcnn(nn.Module):
    """FSRCNN (Dong et al., arXiv 1608.00367): shrink, map, expand, a transposed convolution."""

    def __init__(self, scale: int, channels: int = 16, shrunk: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 5, padding=2),
            nn.PReLU(channels),
            nn.Conv2d(channels, shrunk, 1),
            nn.PReLU(shrunk),
            nn.Conv2d(shrunk, shrunk, 3, padding=1),
            nn.PReLU(shrunk),
            nn.Conv2d(shrunk, channels, 1),
            nn.PReLU(channels),
            nn.ConvTranspose2d(channels, 1, 9, scale, padding=4, output_padding=scale - 1),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        result: Tensor = self.layers(pixels)
        return result


class Restorer(nn.Module):
    """The operators that the others lack: reflection, normalisation, bicubic, pooling, a clip."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1, padding_mode="reflect")
        self.norm = nn.InstanceNorm2d(channels, affine=True, eps=1e-5)
        self.wide = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, groups=2)
        self.local = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Conv2d(channels, channels, 1)
        self.tail = nn.Conv2d(channels * 2, 3, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.norm(self.head(pixels)).clamp(-1.5, 1.5)
        deep = functional.gelu(self.wide(features))
        deep = deep + functional.max_pool2d(self.local(features), 3, 1, 1)
        gate = torch.sigmoid(self.gate(deep.mean((2, 3), keepdim=True)))
        joined = torch.cat([deep * gate, features], 1)
        larger = functional.interpolate(joined, scale_factor=2, mode="bilinear")
        base = functional.interpolate(pixels, scale_factor=2, mode="bicubic")
        result: Tensor = (base + self.tail(larger)).clamp(0, 1)
        return result


def spandrel_network(architecture: str, name: str, **settings: object) -> nn.Module:
    """A network of spandrel's, drawn from the seed."""
    room = imported(f"spandrel.architectures.{architecture}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.meshgrid")  # SwinIR leaves out its indexing
        module: nn.Module = getattr(room, name)(**settings)
    return module


def _in_shared(name: str) -> nn.Module:
    return load_checkpoint(SHARED / name).module


def _swinir() -> nn.Module:
    small = {"embed_dim": 12, "depths": [2], "num_heads": [2], "mlp_ratio": 2.0, "window_size": 4}
    head = {"img_size": 16, "upscale": 2, "upsampler": "pixelshuffle"}
    return spandrel_network("SwinIR", "SwinIR", **small, **head)


def _rcan() -> nn.Module:
    size = {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 16}
    return spandrel_network("RCAN", "RCAN", scale=2, rgb_range=1, norm=False, **size)


def _esrgan(unshuffle: int | None) -> nn.Module:
    """RRDBNet, which enlarges by 4; x2 is PixelUnshuffle by 2 in front of that."""
    return spandrel_network(
        "ESRGAN.__arch.RRDB",
        "RRDBNet",
        in_nc=3 * (unshuffle or 1) ** 2,
        out_nc=3,
        num_filters=16,
        num_blocks=1,
        scale=4,
        shuffle_factor=unshuffle,
    )


KINDS: Mapping[str, Kind] = {
    "superresolution": Kind(
        lambda: _in_shared("seed/superres_epoch100-44c6958e.pth"),
        scale=3,
        channels=1,
        needs="seed/superres_epoch100-44c6958e.pth",
        drawn=False,
    ),
    "fast": Kind(lambda: load_checkpoint(BUNDLED).module, scale=3, channels=1, drawn=False),
    "fast-rgb": Kind(
        lambda: RgbFromLuma(load_checkpoint(BUNDLED).module, 3),
        scale=3,
        file=REPOSITORY / "src" / "subpixel" / "zoo" / "fast-x3.onnx",
        slow=True,
        drawn=False,
    ),
    "edsr": Kind(lambda: Edsr(2), scale=2),
    "fsrcnn": Kind(lambda: Fsrcnn(3), scale=3, channels=1),
    "restorer": Kind(Restorer, scale=2, size_minimum=2),
    "esrgan": Kind(lambda: _esrgan(None), scale=4, slow=True),
    "esrgan-x2": Kind(lambda: _esrgan(2), scale=2, size_minimum=2, slow=True),
    "rcan": Kind(_rcan, scale=2, slow=True),
    "real-cugan": Kind(
        lambda: spandrel_network("RealCUGAN", "UpCunet2x"),
        scale=2,
        free_batch=False,
        size_minimum=32,
        slow=True,
    ),
    "swinir": Kind(_swinir, scale=2, free_batch=False, size_minimum=4, slow=True),
    "nafnet": Kind(
        lambda: spandrel_network(
            "NAFNet", "NAFNet", width=8, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1]
        ),
        scale=1,
        slow=True,
    ),
    "span": Kind(
        lambda: _in_shared("community/span-x4.pth"),
        scale=4,
        slow=True,
        needs="community/span-x4.pth",
        drawn=False,
    ),
    "srvgg": Kind(
        lambda: _in_shared("community/realesr-animevideov3-x4.pth"),
        scale=4,
        exporter="trace",
        slow=True,
        needs="community/realesr-animevideov3-x4.pth",
        drawn=False,
    ),
}
