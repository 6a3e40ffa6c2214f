"""Small networks drawn from a seed: the layers that super-resolution networks are made of."""

from collections.abc import Callable, Mapping

import torch
from faults.fault import Random
from faults.hosts import Recipe, network
from torch import Tensor, nn

ACTIVATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "relu": lambda _: nn.ReLU(),
    "leaky relu": lambda _: nn.LeakyReLU(0.1),
    "prelu": lambda channels: nn.PReLU(channels),
    "gelu": lambda _: nn.GELU(),
    "silu": lambda _: nn.SiLU(),
    "mish": lambda _: nn.Mish(),
    "tanh": lambda _: nn.Tanh(),
    "hard swish": lambda _: nn.Hardswish(),
}

NORMALISATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "none": lambda _: nn.Identity(),
    "batch": lambda channels: nn.BatchNorm2d(channels),
    "channels": lambda channels: ChannelNorm(channels),
    "group": lambda channels: nn.GroupNorm(2, channels),
}

TAILS = ("shuffled", "transposed", "nearest", "bilinear")


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return result


class Gate(nn.Module):
    """Channel attention (Hu et al., arXiv 1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        return features * torch.sigmoid(self.mix(features.mean((2, 3), keepdim=True)))


class Block(nn.Module):
    """A residual block."""

    def __init__(self, channels: int, random: Random) -> None:
        super().__init__()
        kernel, dilation = int(random.choice([1, 3, 3, 5, 7])), int(random.choice([1, 1, 2]))
        padding = str(random.choice(["zeros", "zeros", "replicate"]))
        self.layers = nn.Sequential(
            _drawn(NORMALISATIONS, random)(channels),
            nn.Conv2d(
                channels,
                channels,
                kernel,
                padding=kernel // 2 * dilation,
                dilation=dilation,
                groups=int(random.choice([1, 1, 2, channels])),
                padding_mode=padding,
            ),
            _drawn(ACTIVATIONS, random)(channels),
            nn.Conv2d(channels, channels, 1),
            Gate(channels) if random.random() < 0.2 else nn.Identity(),
        )
        self.share = float(random.choice([0.2, 1.0]))

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.share * self.layers(features)
        return result


def _drawn(
    choice: Mapping[str, Callable[[int], nn.Module]], random: Random
) -> Callable[[int], nn.Module]:
    return choice[str(random.choice(list(choice)))]


class Drawn(nn.Module):
    """A head, one to three blocks, and a tail that enlarges; on an interpolated picture or not."""

    def __init__(self, scale: int, colours: int, random: Random) -> None:
        super().__init__()
        channels = int(random.choice([4, 8, 12]))
        self.head = nn.Conv2d(colours, channels, 3, padding=1)
        self.blocks = nn.Sequential(
            *(Block(channels, random) for _ in range(random.integers(1, 4)))
        )
        self.tail = _tail(str(random.choice(TAILS)), scale, channels, colours)
        self.base = nn.Upsample(scale_factor=scale, mode="bilinear")
        self.residual = bool(random.integers(2))

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.head(pixels)
        result: Tensor = self.tail(features + self.blocks(features))
        return result + self.base(pixels) if self.residual else result


def _tail(kind: str, scale: int, channels: int, colours: int) -> nn.Sequential:
    if kind == "shuffled":
        last = nn.Conv2d(channels, colours * scale**2, 3, padding=1)
        return nn.Sequential(last, nn.PixelShuffle(scale))
    if kind == "transposed":
        return nn.Sequential(nn.ConvTranspose2d(channels, colours, scale, scale))
    last = nn.Conv2d(channels, colours, 3, padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=scale, mode=kind), last)


def draw_network(random: Random) -> tuple[nn.Module, Recipe]:
    """A network that gives pictures, and how it is exported."""
    scale, colours = int(random.integers(1, 4)), int(random.choice([1, 3, 3]))
    recipe = Recipe(lambda: Drawn(scale, colours, random), scale, channels=colours)
    return network(recipe), recipe
