"""Flat pictures stay flat up to their corners: the last layer of a trained network, refitted.

Networks pad with zeros, which is black. Near an edge they must tell a flat area from one in a black
frame; at a corner two edges meet, on some ten of a crop's thousands of pixels, which weigh next to
nothing in a loss. The network's result is linear in its last layer, so what is still wrong there is
taken back by least squares: of all last layers with which flat pictures stray by no more than a
bound, the one that changes photographs the least. Places weigh the more the further they stray
(after C. L. Lawson, "Contributions to the theory of linear least maximum approximation", 1961).
With it `fast` x4 strays by 1.05 code values instead of 4, and loses 0.01 dB on Set5; where all
places weighed the same, it strayed by 3.3.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

FLAT_STRAY = 1.0 / 255
"""By which flat pictures may stray in the end: not yet by half a code value more than one, so that
none is two off where it is rounded."""
START_WEIGHT = 30.0
"""How much each place of a flat picture counts against the mean change to photographs, at first."""
MAX_STEP = 5.0
"""The factor by which that may grow or shrink at once."""
MIN_WEIGHT = 1e-6
ROUNDS = 20
CORNER_SIDE = 24
"""Of the flat pictures, in low-resolution pixels."""
PLACES_APART = 7
"""Of photographs every seventh place is looked at."""
FLAT_LEVELS = tuple(range(0, 256, 15))
RIDGE = 1e-9


def settle_corners(net: nn.Module, lows: Iterable[Tensor]) -> None:
    """Refit the last convolution of ``net`` so that flat pictures stay flat, corners included.

    ``net`` takes ``(N, 1, h, w)`` float32 luma in 0 … 1, on the CPU; after its last convolution
    come sums and sub-pixels alone. ``lows`` are photographs as it gets them, which change by less
    than rounding: they need not be many, but varied.
    """
    last = _last_convolution(net)
    with torch.inference_mode():
        seen = [_products(_run_net(net, last, low)[0][:, ::PLACES_APART]) for low in lows]
        inputs, errors = _run_net(net, last, _draw_flats())
        photographs = torch.stack(seen).mean(dim=0)
        photographs += RIDGE * torch.eye(len(photographs), dtype=torch.float64)
        changes = [_fit_filter(photographs, inputs, error) for error in errors]
        _add_change(last, torch.stack(changes, dim=1))


def _fit_filter(photographs: Tensor, inputs: Tensor, error: Tensor) -> Tensor:
    """The change ``(K + 1,)`` of one filter, of which ``photographs`` ``(K + 1, K + 1)`` is the
    square on those, and that takes ``error`` ``(places,)`` from flat pictures."""
    weights = torch.full_like(error, START_WEIGHT / len(error))
    change = torch.zeros_like(inputs[:, 0])
    for _ in range(ROUNDS):
        weighted = inputs * weights
        change = -torch.linalg.solve(photographs + weighted @ inputs.T, weighted @ error)
        strays = (error + change @ inputs).abs() / FLAT_STRAY
        weights = weights * strays.clamp(1 / MAX_STEP, MAX_STEP)
        weights = weights.clamp(MIN_WEIGHT / len(error))
    return change


def _draw_flats() -> Tensor:
    levels = torch.tensor(FLAT_LEVELS, dtype=torch.float32)[:, None, None, None] / 255
    return levels.expand(-1, 1, CORNER_SIDE, CORNER_SIDE).contiguous()


def _last_convolution(net: nn.Module) -> nn.Conv2d:
    return [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)][-1]


def _run_net(net: nn.Module, last: nn.Conv2d, low: Tensor) -> tuple[Tensor, Tensor]:
    """What the last layer's filters read at each place, with a one for the bias,
    ``(K + 1, places)``; and by how much the sub-pixels there differ from ``low``,
    ``(scale², places)``. In float64."""
    features: list[Tensor] = []
    handle = last.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    try:
        result: Tensor = net(low)
    finally:
        handle.remove()
    patches = functional.unfold(features[0], last.kernel_size, padding=last.padding)  # type: ignore[arg-type]
    patches = torch.cat([patches, torch.ones_like(patches[:, :1])], dim=1)
    parts = functional.pixel_unshuffle(result, result.shape[-1] // low.shape[-1]) - low
    return _by_place(patches), _by_place(parts.flatten(2))


def _by_place(values: Tensor) -> Tensor:
    """``(N, K, places)`` → ``(K, N · places)``."""
    return values.transpose(0, 1).flatten(1).double()


def _products(inputs: Tensor) -> Tensor:
    return inputs @ inputs.T / inputs.shape[1]


def _add_change(last: nn.Conv2d, change: Tensor) -> None:
    """``change`` is ``(K + 1, outputs)``, the bias's last."""
    assert last.bias is not None
    last.weight += change[:-1].T.reshape(last.weight.shape).float()
    last.bias += change[-1].float()
