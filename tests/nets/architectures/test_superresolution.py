"""The reference's network, layer by layer."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.nets.checkpoints.checkpoint import load_checkpoint


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_it_enlarges_by_its_factor(scale: int) -> None:
    assert SuperResolutionNet(scale)(torch.rand(2, 1, 5, 7)).shape == (2, 1, 5 * scale, 7 * scale)


def test_its_keys_are_those_of_the_published_weights(shared_data: Path) -> None:
    file = shared_data / "seed" / "superres_epoch100-44c6958e.pth"
    published = torch.load(file, map_location="cpu", weights_only=True)
    shapes = {key: value.shape for key, value in SuperResolutionNet(3).state_dict().items()}
    assert shapes == {key: value.shape for key, value in published.items()}


def test_it_computes_what_the_layers_say(shared_data: Path) -> None:
    net = load_checkpoint(shared_data / "seed" / "superres_epoch100-44c6958e.pth").module
    weights = dict(net.named_parameters())
    luma = torch.rand(1, 1, 9, 11, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        features = luma
        for layer, padding in (("conv1", 2), ("conv2", 1), ("conv3", 1)):
            weight, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
            features = functional.conv2d(features, weight, bias, padding=padding).clamp_min(0)
        last = functional.conv2d(
            features, weights["conv4.weight"], weights["conv4.bias"], padding=1
        )
        # Sub-pixel (i, j) of each pixel is channel 3i + j.
        by_hand = last.reshape(3, 3, 9, 11).permute(2, 0, 3, 1).reshape(1, 1, 27, 33)
        torch.testing.assert_close(net(luma), by_hand)


def test_its_initial_weights_are_orthogonal() -> None:
    net = SuperResolutionNet(3)
    for layer, gain in ((net.conv2, 2.0), (net.conv3, 2.0), (net.conv4, 1.0)):
        rows = layer.weight.detach().flatten(1)
        torch.testing.assert_close(rows @ rows.T, gain * torch.eye(len(rows)), atol=1e-4, rtol=0)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_it_can_be_scripted_and_traced() -> None:
    net, luma = SuperResolutionNet(2).eval(), torch.rand(1, 1, 6, 8)
    for compiled in (torch.jit.script(net), torch.jit.trace(net, luma)):
        torch.testing.assert_close(compiled(luma), net(luma))
