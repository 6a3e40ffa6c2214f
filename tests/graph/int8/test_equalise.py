"""Channels brought to ranges that share 8 bits well: the network must stay the same."""

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from graphs import traced
from subpixel.graph.int8.calibrate import (
    BINS,
    Histogram,
    PictureBatch,
    Statistics,
    collect_statistics,
)
from subpixel.graph.int8.equalise import equalise_channels
from subpixel.graph.int8.luma_chain import (
    ConvolutionStep,
    LumaChain,
    SumStep,
    read_luma_chain,
)
from subpixel.graph.int8.rounding import Moments
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet


def wrapped(net: nn.Module) -> onnx.ModelProto:
    return rgb_from_luma(traced(net, 18, torch.rand(1, 1, 8, 9)), 2)


def pictures() -> Iterator[PictureBatch]:
    random = np.random.default_rng(0)
    for _ in range(3):
        yield random.random((1, 3, 20, 24), np.float32)


def luma(picture: PictureBatch) -> Tensor:
    return torch.einsum("c,nchw->nhw", torch.tensor([0.299, 0.587, 0.114]), torch.tensor(picture))[
        :, None
    ]


def values(chain: LumaChain, luma: Tensor) -> dict[str, Tensor]:
    """All that a chain computes, in double precision."""
    found = {chain.luma: luma.double()}
    for step in chain.steps:
        if isinstance(step, ConvolutionStep):
            weights, bias = torch.from_numpy(step.weights), torch.from_numpy(step.bias)
            made = functional.conv2d(found[step.source], weights, bias, padding="same")
            found[step.result] = made.relu() if step.relu else made
        else:
            first, second = step.sources
            found[step.result] = found[first] + found[second]
    return found


def exact_statistics(chain: LumaChain) -> Statistics:
    """What is collected on the pictures, but in double precision."""
    seen = [values(chain, luma(picture)) for picture in pictures()]
    ends: dict[str, list[NDArray[np.float64]]] = {}
    for step in chain.steps:
        joined = torch.cat([v[step.result] for v in seen])
        found = joined.amin((0, 2, 3)).clamp(max=0), joined.amax((0, 2, 3)).clamp(min=0)
        ends[step.result] = [end.numpy() for end in found]
    moments = {}
    for layer in chain.layers:
        half = layer.size[0] // 2
        patches = [functional.unfold(v[layer.source], layer.size, padding=half) for v in seen]
        rows: NDArray[np.float64] = torch.cat(patches, dim=2)[0].numpy()
        moments[layer.result] = Moments(rows.shape[1], rows.sum(1), rows @ rows.T)
    low, high = ({name: pair[end] for name, pair in ends.items()} for end in (0, 1))
    return Statistics(low, high, moments, Histogram(np.zeros(2 * BINS + 1, np.int64)))


def uneven(net: nn.Module) -> onnx.ModelProto:
    """Some of its channels are a hundred times larger than others."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("weight") and len(parameter) > 4:
                parameter.mul_(10 ** torch.empty(len(parameter), 1, 1, 1).uniform_(-1, 1))
    return wrapped(net)


NETWORKS = pytest.mark.parametrize("net", [SuperResolutionNet(2), PlainNet(2, 6, 2)])


def both(model: onnx.ModelProto) -> tuple[LumaChain, Statistics, LumaChain, Statistics]:
    chain = read_luma_chain(model)
    learnt = collect_statistics(model, chain, pictures())
    return chain, learnt, *equalise_channels(chain, learnt)


@NETWORKS
def test_the_result_stays(net: nn.Module) -> None:
    chain, _, moved, _ = both(uneven(net))
    luma = torch.rand(1, 1, 15, 17)
    before, after = (values(c, luma)[c.last.result] for c in (chain, moved))
    torch.testing.assert_close(before, after, rtol=1e-9, atol=1e-12)


def test_ranges_come_nearer() -> None:
    chain, learnt, moved, relearnt = both(uneven(SuperResolutionNet(2)))
    for layer in chain.layers[:3]:
        highs = [found.high[layer.result] for found in (learnt, relearnt)]
        spreads = [np.ptp(np.log(high[high > 0])) for high in highs]
        assert spreads[1] < spreads[0] / 2
    assert moved.last.bias is chain.last.bias


@NETWORKS
def test_what_is_said_of_the_new_chain_is_what_pictures_show(net: nn.Module) -> None:
    chain = read_luma_chain(uneven(net))
    moved, relearnt = equalise_channels(chain, exact_statistics(chain))
    shown = exact_statistics(moved)
    for name in relearnt.high:
        assert np.allclose(relearnt.low[name], shown.low[name], rtol=1e-9, atol=1e-12)
        assert np.allclose(relearnt.high[name], shown.high[name], rtol=1e-9, atol=1e-12)
    for layer in moved.layers:
        said, seen = relearnt.moments[layer.result], shown.moments[layer.result]
        assert said.places == seen.places
        assert np.allclose(said.sums, seen.sums, rtol=1e-9, atol=1e-12)
        assert np.allclose(said.products, seen.products, rtol=1e-9, atol=1e-12)


def test_what_sums_join_shares_its_factors() -> None:
    """PlainNet's first features are added before its last layer."""
    chain, learnt, moved, relearnt = both(uneven(PlainNet(2, channels=6, depth=2)))
    (sum_,) = [step for step in chain.steps if isinstance(step, SumStep)]
    joined = (*sum_.sources, sum_.result)
    assert chain.first.result in joined
    ratios = [learnt.high[name] / relearnt.high[name] for name in joined]
    for ratio in ratios[1:]:
        assert np.allclose(ratio, ratios[0], rtol=1e-12, equal_nan=True)
    highs = [found.high[sum_.result] for found in (learnt, relearnt)]
    spreads = [np.ptp(np.log(high[high > 0])) for high in highs]
    assert spreads[1] < spreads[0] / 2
    assert moved.last.bias is chain.last.bias
    assert learnt.high.keys() == relearnt.high.keys() == {step.result for step in chain.steps}


def test_a_channel_that_says_nothing_stays() -> None:
    net = SuperResolutionNet(2)
    with torch.no_grad():
        net.conv1.weight[5], net.conv1.bias[5] = 0, -1
        net.conv2.weight[:, 7] = 0
    chain, _, moved, _ = both(wrapped(net))
    for channel in (5, 7):
        assert np.array_equal(chain.first.weights[channel], moved.first.weights[channel])
    assert np.isfinite(moved.first.weights).all()
