import numpy as np
import onnx
import pytest
import torch
from torch import nn

from graphs import Graph, traced
from subpixel.errors import NetworkError
from subpixel.graph.int8.luma_chain import ConvolutionStep, SumStep, is_luma_chain, read_luma_chain
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet


def wrapped(net: nn.Module, scale: int = 2, opset: int = 18) -> onnx.ModelProto:
    return rgb_from_luma(traced(net, opset, torch.rand(1, 1, 8, 9)), scale)


@pytest.mark.parametrize("opset", [11, 18])
def test_a_plain_net(opset: int) -> None:
    torch.manual_seed(0)
    net = PlainNet(2, channels=8, depth=2)
    chain = read_luma_chain(wrapped(net, opset=opset))
    assert (chain.scale, chain.residual, chain.picture) == (2, True, "input")
    kinds = [(type(step), isinstance(step, ConvolutionStep) and step.relu) for step in chain.steps]
    assert kinds == [(ConvolutionStep, True)] * 3 + [(SumStep, False), (ConvolutionStep, False)]
    assert np.allclose(chain.first.weights, net.first.weight.detach())
    assert np.allclose(chain.last.bias, net.last.bias.detach())  # type: ignore[arg-type]


def test_the_tutorials_network() -> None:
    chain = read_luma_chain(wrapped(SuperResolutionNet(3), 3))
    assert (chain.scale, chain.residual, len(chain.steps)) == (3, False, 4)
    assert chain.last.weights.shape == (9, 32, 3, 3)


def test_a_bare_luma_network_is_refused() -> None:
    with pytest.raises(NetworkError, match="no luma network that subpixel has wrapped"):
        read_luma_chain(traced(PlainNet(2), 18, torch.rand(1, 1, 8, 9)))


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (nn.LeakyReLU(), "the operator LeakyRelu"),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2), "strides, is grouped or shrinks"),
        (nn.Conv2d(4, 4, 3, padding=1, groups=2), "strides, is grouped or shrinks"),
        (nn.Conv2d(4, 4, (3, 4), padding=(1, 2)), "strides, is grouped or shrinks"),
    ],
)
def test_what_is_no_chain_of_plain_convolutions(inner: nn.Module, message: str) -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), inner, nn.Conv2d(4, 4, 3, padding=1), nn.PixelShuffle(2)
    )
    model = wrapped(net)
    assert not is_luma_chain(model)
    with pytest.raises(NetworkError, match=f"can't be converted to 8-bit integers.*{message}"):
        read_luma_chain(model)


def test_a_network_without_sub_pixel_convolution() -> None:
    graph = Graph()
    model = graph.model(graph.conv("input", 1, pads=[1] * 4))
    with pytest.raises(NetworkError, match="doesn't end in sub-pixel convolution"):
        read_luma_chain(rgb_from_luma(model, 1))


def test_luma_may_be_added_at_the_end_alone() -> None:
    class Twice(PlainNet):
        def forward(self, luma: torch.Tensor) -> torch.Tensor:
            deep = torch.relu(self.first(luma)) + luma
            return nn.functional.pixel_shuffle(self.last(deep), self.scale)

    with pytest.raises(NetworkError, match="more than its first layer and its last sum"):
        read_luma_chain(wrapped(Twice(2, channels=4, depth=0)))
