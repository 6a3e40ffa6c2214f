import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.plain import PlainNet
from subpixel.train.reparam.growth import grow_network


def trained(scale: int, channels: int, depth: int, seed: int) -> PlainNet:
    """With biases that are no longer zero, and weights away from the identity."""
    torch.manual_seed(seed)
    net = PlainNet(scale, channels, depth)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


@settings(max_examples=30, deadline=None)
@given(
    scale=st.integers(2, 4),
    channels=st.integers(1, 8),
    depth=st.integers(0, 4),
    more=st.tuples(st.integers(0, 9), st.integers(0, 4)),
    seed=st.integers(0, 2**16),
)
def test_it_computes_what_the_small_one_did(
    scale: int, channels: int, depth: int, more: tuple[int, int], seed: int
) -> None:
    small = trained(scale, channels, depth, seed)
    large = grow_network(small, channels + more[0], depth + more[1], seed)
    pixels = torch.rand(2, 1, 9, 7, dtype=torch.float64)
    with torch.inference_mode():  # float64: what is added cancels but for rounding
        before, after = small.double()(pixels), large.double()(pixels)
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)
    assert (large.first.out_channels, len(large.middle)) == (channels + more[0], depth + more[1])


def test_every_new_channel_learns_within_two_steps() -> None:
    """Nobody looks at them at first, so first the looking learns, and then they do."""
    large = grow_network(trained(2, 3, 1, 0), 5, 3)
    descent = torch.optim.SGD(large.parameters(), lr=0.01)
    pixels, goal = torch.rand(4, 1, 12, 12), torch.rand(4, 1, 24, 24)
    for _ in range(2):
        descent.zero_grad()
        torch.nn.functional.mse_loss(large(pixels), goal).backward()
        descent.step()
    moved = large.middle[1].weight.grad
    assert moved is not None
    assert bool((moved[3:].abs().amax(dim=(1, 2, 3)) > 0).all()), "into new channels"
    assert bool((moved[:3, 3:].abs().amax(dim=(1, 2, 3)) > 0).all()), "from new ones into old"


def test_the_seed_decides() -> None:
    small = trained(2, 3, 1, 0)
    first, again, other = (grow_network(small, 5, 2, seed).first.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first[:3], other[:3])
    assert not torch.equal(first[3:], other[3:])


@pytest.mark.parametrize(("channels", "depth"), [(3, 2), (4, 1)])
def test_nothing_shrinks(channels: int, depth: int) -> None:
    with pytest.raises(
        CheckpointError, match="4 channels and 2 middle layers can't be grown to one of"
    ):
        grow_network(trained(2, 4, 2, 0), channels, depth)
