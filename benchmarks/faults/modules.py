"""Networks in PyTorch whose own code branches on sizes and contents: the exporter makes the fault.

What is published of them must be right for every picture that it says it takes; it may be refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faults.fault import Random

Branch = Callable[[Tensor], bool]
"""A question that Python's ``if`` asks of the picture."""


class Small(nn.Module):
    """A residual network of two convolutions: the part that is the same in all of them."""

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.tail = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        result: Tensor = pixels + 0.3 * self.tail(functional.relu(self.head(pixels)))
        return result


class Branching(nn.Module):
    """Other weights where the question is answered by yes."""

    def __init__(self, question: Branch) -> None:
        super().__init__()
        self.usual, self.other, self.question = Small(), Small(), question

    def forward(self, pixels: Tensor) -> Tensor:
        chosen = self.other if self.question(pixels) else self.usual
        result: Tensor = chosen(pixels)
        return result


class Padding(nn.Module):
    """``if h % m: pad``, as HRNet and many others have it; works on blocks of m by m."""

    def __init__(self, multiple: int, mode: str) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 12, multiple, multiple)
        self.up = nn.ConvTranspose2d(12, 3, multiple, multiple)
        self.last = nn.Conv2d(3, 3, 3, padding=1)
        self.multiple, self.mode = multiple, mode

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        padded = pixels
        if height % self.multiple:
            padded = self._padded(padded, (0, 0, 0, self.multiple - height % self.multiple))
        if width % self.multiple:
            padded = self._padded(padded, (0, self.multiple - width % self.multiple, 0, 0))
        deep = padded + 0.3 * self.last(self.up(functional.relu(self.down(padded))))
        return deep[..., :height, :width]

    def _padded(self, pixels: Tensor, widths: tuple[int, int, int, int]) -> Tensor:
        return functional.pad(pixels, widths, self.mode)


class Detour(nn.Module):
    """Through another size and back, the size being a factor's or a number's."""

    def __init__(self, factor: float, *, by_size: bool) -> None:
        super().__init__()
        self.body, self.factor, self.by_size = Small(), factor, by_size

    def forward(self, pixels: Tensor) -> Tensor:
        size = pixels.shape[-2:]
        if self.by_size:
            other = [int(side * self.factor) for side in size]
            there = functional.interpolate(pixels, size=other, mode="bilinear")
        else:
            there = functional.interpolate(pixels, scale_factor=self.factor, mode="bilinear")
        back = functional.interpolate(self.body(there), size=size, mode="bilinear")
        return pixels + 0.5 * (back - pixels)


class Striped(nn.Module):
    """A loop over strips, as many as there are; each is treated by its number."""

    def __init__(self, strip: int) -> None:
        super().__init__()
        self.body, self.strip = Small(), strip

    def forward(self, pixels: Tensor) -> Tensor:
        strips = [
            self.body(pixels[..., top : top + self.strip, :]) * (1 - 0.1 * (top // self.strip % 2))
            for top in range(0, pixels.shape[-2], self.strip)
        ]
        return torch.cat(strips, -2)


class Placed(nn.Module):
    """A gain that grows across the picture, made of its size."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.body, self.share = Small(), share

    def forward(self, pixels: Tensor) -> Tensor:
        across = torch.linspace(0, 1, pixels.shape[-1])
        return self.body(pixels) * (1 - self.share * across)


class Tabled(nn.Module):
    """A learned table of positions, brought to the picture's size where it is larger."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.body, self.length = Small(), length
        self.table = nn.Parameter(0.2 * torch.rand(1, 3, length, length))

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[-2:]
        table = self.table[..., :height, :width]
        if height > self.length or width > self.length:
            table = functional.interpolate(self.table, size=(height, width), mode="bilinear")
        return self.body(pixels) + table


class Pooled(nn.Module):
    """Adaptive pooling to a share of the size."""

    def __init__(self, share: int) -> None:
        super().__init__()
        self.body, self.share = Small(), share

    def forward(self, pixels: Tensor) -> Tensor:
        size = pixels.shape[-2:]
        pooled = functional.adaptive_avg_pool2d(
            pixels, [max(1, side // self.share) for side in size]
        )
        back = functional.interpolate(self.body(pooled), size=size, mode="nearest")
        return 0.7 * pixels + 0.3 * back


def _seconds(random: Random) -> int:
    return int(random.integers(70, 480))


# --- questions


def _longest(random: Random) -> Branch:
    limit = _seconds(random)
    return lambda x: max(x.shape[-2:]) > limit


def _wide(random: Random) -> Branch:
    limit = _seconds(random)
    return lambda x: x.shape[-1] > limit


def _high(random: Random) -> Branch:
    limit = _seconds(random)
    return lambda x: x.shape[-2] >= limit


def _large(random: Random) -> Branch:
    limit = _seconds(random) ** 2
    return lambda x: x.shape[-2] * x.shape[-1] > limit


def _odd(random: Random) -> Branch:
    modulus = int(random.integers(2, 12))
    rest = int(random.integers(modulus))
    return lambda x: x.shape[-1] % modulus == rest


def _landscape(_: Random) -> Branch:
    return lambda x: x.shape[-1] > x.shape[-2]


def _many(random: Random) -> Branch:
    limit = int(random.integers(1, 4))
    return lambda x: x.shape[0] > limit


def _bright(random: Random) -> Branch:
    level = float(random.uniform(0.55, 0.8))
    return lambda x: bool(x.mean() > level)


def _dim(random: Random) -> Branch:
    level = float(random.uniform(0.3, 0.9))
    return lambda x: bool(x.max() < level)


def _grey(_: Random) -> Branch:
    return lambda x: bool((x[:, :1] - x[:, 1:]).abs().max() < 0.01)


def _plain(random: Random) -> Branch:
    level = float(random.uniform(0.04, 0.1))
    return lambda x: x.std(correction=0).item() < level


QUESTIONS: tuple[Callable[[Random], Branch], ...] = (
    _longest,
    _wide,
    _high,
    _large,
    _odd,
    _landscape,
    _many,
    _bright,
    _dim,
    _grey,
    _plain,
)


@dataclass(frozen=True, eq=False)
class Written:
    """A module, and what it is a case of."""

    kind: str
    module: nn.Module


Writer = Callable[[Random], nn.Module]


def _branching(question: Callable[[Random], Branch]) -> Writer:
    return lambda random: Branching(question(random))


WRITERS: Mapping[str, Writer] = {
    **{f"if {question.__name__[1:]}": _branching(question) for question in QUESTIONS},
    "if not a multiple: pad": lambda random: Padding(
        int(random.choice([4, 8, 16])), str(random.choice(["constant", "reflect", "replicate"]))
    ),
    "interpolate by a factor": lambda random: Detour(_factor(random), by_size=False),
    "interpolate to int(h * f)": lambda random: Detour(_factor(random), by_size=True),
    "loop over strips": lambda random: Striped(int(random.integers(16, 200))),
    "position of the size": lambda random: Placed(float(random.uniform(0.1, 0.4))),
    "table of positions": lambda random: Tabled(int(random.integers(60, 300))),
    "adaptive pooling": lambda random: Pooled(int(random.integers(2, 6))),
}


def _factor(random: Random) -> float:
    return float(random.integers(4, 19)) / 10


def write(seed: int, index: int, kinds: Sequence[str] = tuple(WRITERS)) -> Written:
    """Module number ``index`` of the campaign ``seed``, its kinds in turn."""
    random = np.random.default_rng((seed, index))
    kind = kinds[index % len(kinds)]
    with torch.random.fork_rng():
        torch.manual_seed(seed * 10000 + index)
        module = WRITERS[kind](random).eval().requires_grad_(False)
    return Written(kind, module)
