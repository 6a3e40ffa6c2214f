"""Small networks as their public repositories write them: the oracles of our own detectors.

Layers, names and order are those of the repositories; widths are cut down.
"""

from collections import OrderedDict
from itertools import chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def seeded(net: nn.Module, seed: int = 0) -> nn.Module:
    """``net`` with parameters of a size at which every layer shows in the result."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            if "mean" not in key:
                spread = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    return net.eval()


class Espcn(nn.Module):
    def __init__(self, scale: int, channels: int, names: tuple[str, str]) -> None:
        super().__init__()
        self.names = names
        front = [nn.Conv2d(channels, 8, 5, padding=2), nn.Tanh()]
        front += [nn.Conv2d(8, 6, 3, padding=1), nn.Tanh()]
        back = [nn.Conv2d(6, channels * scale**2, 3, padding=1), nn.PixelShuffle(scale)]
        self.add_module(names[0], nn.Sequential(*front))
        self.add_module(names[1], nn.Sequential(*back))

    def forward(self, x: Tensor) -> Tensor:
        return self.get_submodule(self.names[1])(self.get_submodule(self.names[0])(x))


def fsrcnn_front(channels: int, wide: int, narrow: int, depth: int) -> list[list[nn.Module]]:
    sizes = [(channels, wide, 5), (wide, narrow, 1), *[(narrow, narrow, 3)] * depth]
    sizes += [(narrow, wide, 1)]
    return [[nn.Conv2d(i, o, k, padding=k // 2), nn.PReLU(o)] for i, o, k in sizes]


def deconvolution(wide: int, channels: int, scale: int) -> nn.Module:
    return nn.ConvTranspose2d(wide, channels, 9, stride=scale, padding=4, output_padding=scale - 1)


def fsrcnn_yjn870(scale: int, depth: int) -> nn.Module:
    first, *middle = fsrcnn_front(1, 8, 4, depth)
    parts = {
        "first_part": nn.Sequential(*first),
        "mid_part": nn.Sequential(*chain(*middle)),
        "last_part": deconvolution(8, 1, scale),
    }
    return nn.Sequential(OrderedDict(parts))


def fsrcnn_lornatang(scale: int, depth: int) -> nn.Module:
    first, shrink, *middle, expand = fsrcnn_front(1, 8, 4, depth)
    parts = {
        "feature_extraction": nn.Sequential(*first),
        "shrink": nn.Sequential(*shrink),
        "map": nn.Sequential(*chain(*middle)),
        "expand": nn.Sequential(*expand),
        "deconv": deconvolution(8, 1, scale),
    }
    return nn.Sequential(OrderedDict(parts))


def srcnn_yjn870(channels: int) -> nn.Module:
    parts = {
        "conv1": nn.Conv2d(channels, 8, 9, padding=4),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(8, 6, 5, padding=2),
        "relu2": nn.ReLU(),
        "conv3": nn.Conv2d(6, channels, 5, padding=2),
    }
    return nn.Sequential(OrderedDict(parts))


def srcnn_lornatang() -> nn.Module:
    parts = {
        "features": nn.Sequential(nn.Conv2d(1, 8, 9, padding=4), nn.ReLU()),
        "map": nn.Sequential(nn.Conv2d(8, 6, 1), nn.ReLU()),
        "reconstruction": nn.Conv2d(6, 1, 5, padding=2),
    }
    return nn.Sequential(OrderedDict(parts))


class ConvRelu(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv(x))


class VdsrLornatang(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.ReLU())
        self.trunk = nn.Sequential(*(ConvRelu(6) for _ in range(depth)))
        self.conv2 = nn.Conv2d(6, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.trunk(self.conv1(x))) + x


class VdsrTwtygqyy(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.residual_layer = nn.Sequential(*(ConvRelu(6) for _ in range(depth)))
        self.input = nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.output = nn.Conv2d(6, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.residual_layer(functional.relu(self.input(x)))) + x


class VdsrChain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        planes = [1, *[4] * 19, 1]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(planes):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.ReLU()]
        self.features = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x) + x


class MeanShift(nn.Conv2d):
    def __init__(self, top: float, sign: int) -> None:
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).reshape(3, 3, 1, 1)
        self.bias.data = sign * top * torch.tensor([0.4488, 0.4371, 0.4040])


class ResBlock(nn.Module):
    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        convolutions = [nn.Conv2d(width, width, 3, padding=1) for _ in range(2)]
        self.body = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1])
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) * self.scale + x


def upsampler(scale: int, width: int) -> nn.Sequential:
    steps = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    layers = [(nn.Conv2d(width, width * s * s, 3, padding=1), nn.PixelShuffle(s)) for s in steps]
    return nn.Sequential(*(layer for pair in layers for layer in pair))


class EdsrOfficial(nn.Module):
    """Takes and gives pictures in 0 … ``top``; ``top`` None has no mean shift, and takes 0 … 1."""

    def __init__(
        self, scale: int, top: float | None, width: int = 8, residual_scale: float = 1.0
    ) -> None:
        super().__init__()
        self.shifted = top is not None
        if top is not None:
            self.sub_mean, self.add_mean = MeanShift(top, -1), MeanShift(top, 1)
        blocks = [ResBlock(width, residual_scale) for _ in range(2)]
        self.head = nn.Sequential(nn.Conv2d(3, width, 3, padding=1))
        self.body = nn.Sequential(*blocks, nn.Conv2d(width, width, 3, padding=1))
        self.tail = nn.Sequential(upsampler(scale, width), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.sub_mean(x) if self.shifted else x)
        x = self.tail(self.body(x) + x)
        return self.add_mean(x) if self.shifted else x


class BasicBlock(nn.Module):
    def __init__(self, width: int, residual_scale: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.scale = residual_scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(functional.relu(self.conv1(x))) * self.scale


class EdsrBasicSr(nn.Module):
    """``mean`` None takes no mean colour off."""

    def __init__(
        self,
        scale: int,
        width: int = 8,
        top: float = 255.0,
        mean: tuple[float, ...] = (0.4488, 0.4371, 0.4040),
        residual_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*(BasicBlock(width, residual_scale) for _ in range(3)))
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        self.upsample = upsampler(scale, width)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)
        self.top, self.mean = top, mean

    def forward(self, x: Tensor) -> Tensor:
        mean = torch.tensor(self.mean).reshape(1, 3, 1, 1)
        x = self.conv_first((x - mean) * self.top)
        x = self.conv_last(self.upsample(self.conv_after_body(self.body(x)) + x))
        return x / self.top + mean
