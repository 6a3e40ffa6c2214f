"""A larger network that starts by computing the same as a trained smaller one: Net2Net.

Chen et al., arXiv 1511.05641. There new channels are copies of old ones. Here they have random
weights and no consumer yet, so no two of them learn the same.
"""

import torch
from torch import nn

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.plain import PlainNet


def grow_network(small: PlainNet, channels: int, depth: int, seed: int = 0) -> PlainNet:
    """A network of ``channels`` and ``depth``, on the CPU, that computes what ``small`` does.

    New layers are the identity, which their ReLU doesn't change: no feature is below zero. New
    channels get weights drawn from ``seed``, and no old channel reads them.

    Raises :class:`CheckpointError` where ``small`` is the larger one.
    """
    width, old = small.first.out_channels, len(small.middle)
    if channels < width or depth < old:
        raise CheckpointError(
            f"a PlainNet of {width} channels and {old} middle layers can't be grown to one of "
            f"{channels} and {depth}; name a larger preset"
        )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        large = PlainNet(small.scale, channels, depth)
        _copy_channels(small.first, large.first)
        for layer, source in zip(large.middle, small.middle, strict=False):
            _copy_channels(source, layer)
        for layer in large.middle[old:]:
            _make_identity(layer, width)
        _copy_channels(small.last, large.last)
    return large


def _copy_channels(old: nn.Module, new: nn.Module) -> None:
    """The first channels of ``new`` become those of ``old``, and read only the channels that those
    read."""
    assert isinstance(old, nn.Conv2d)
    assert isinstance(new, nn.Conv2d)
    assert old.bias is not None
    assert new.bias is not None
    outputs, inputs = old.weight.shape[:2]
    new.weight[:outputs] = 0
    new.weight[:outputs, :inputs] = old.weight
    new.bias[:outputs] = old.bias


def _make_identity(layer: nn.Module, width: int) -> None:
    """The first ``width`` channels become the identity."""
    identity = nn.Conv2d(width, width, 3)
    nn.init.dirac_(identity.weight)
    nn.init.zeros_(identity.bias)  # type: ignore[arg-type]
    _copy_channels(identity, layer)
