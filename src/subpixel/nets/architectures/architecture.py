"""The value of a loaded checkpoint, and the recognition of architectures by the names of weights.

subpixel's small networks are chains of layers. Every repository that publishes weights names the
layers differently, so an architecture has several layouts: the names of the layers in a repository,
in the order of subpixel's module.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.checkpoints.state_dict import Weights, first_few
from subpixel.nets.torch_op import TorchOp
from subpixel.network.probe import EarlyResult
from subpixel.spec import Colour, ModelSpec


@dataclass(frozen=True)
class NetworkSetting:
    """A choice in a network's code that its weights don't reveal."""

    name: str
    values: tuple[str, ...]
    """Its usual values, the architecture's default first."""
    apply: Callable[[nn.Module, str], nn.Module]
    """Returns the network with another value, which need not be a usual one; the network may be
    modified in place. Raises :class:`~subpixel.errors.UsageError` for an invalid value."""
    closed: bool = True
    """Whether there are no values other than the usual ones."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network with its weights: ``module`` on the CPU in eval mode, ``spec`` its facts."""

    module: nn.Module
    spec: ModelSpec
    notes: tuple[str, ...] = ()
    """Notes on how it was loaded: which weights, in which settings."""
    settings: tuple[NetworkSetting, ...] = field(default=(), repr=False)
    """The undetermined settings, each at its first value."""
    conventional: bool = False
    """Whether the first values are the convention, so that others need clear evidence."""
    plain_keys: bool = False
    """Whether other networks are likely to use the same names for their weights."""
    early: tuple[EarlyResult, ...] = field(default=(), repr=False)
    """What users' code computed when it was new, where that was noted."""
    must_gain: bool = False
    """Whether an identity network would be as good as bicubic interpolation, so that it must be
    better."""

    def expect_unchanged(self) -> None:
        """Raise :class:`~subpixel.errors.NetworkError` where the module computes something else
        than at first."""
        for early in self.early:
            early.expect_again(TorchOp(self.module))


@dataclass(frozen=True)
class Architecture:
    """Recognises the weights of one kind of network, and builds the network."""

    name: str
    signatures: tuple[frozenset[str], ...]
    """Sets of state-dict keys, each of which identifies the architecture."""
    load: Callable[[Weights, int | None], Checkpoint]
    """Weights, and the scale if the caller states one → the network, named after the architecture.
    Raises :class:`CheckpointError` for weights that don't fit."""

    def detects(self, weights: Weights) -> bool:
        """Whether the weights look like this architecture's."""
        return any(signature <= weights.keys() for signature in self.signatures)


@dataclass(frozen=True)
class KeyLayout:
    """The names of an architecture's layers in the state dicts of one repository."""

    signature: frozenset[str]
    layers: Callable[[Weights], Sequence[str]]
    """Weights → the names of the layers, in the module's order."""


def make_layout(*layers: str) -> KeyLayout:
    """The layout of a repository that always has these layers, whatever the weights."""
    return KeyLayout(frozenset(f"{layer}.weight" for layer in layers), lambda weights: layers)


@dataclass(frozen=True)
class Layer:
    """A layer as a state dict shows it: its name, its weight's shape, whether it has a bias."""

    name: str
    shape: tuple[int, ...]
    bias: bool

    @property
    def outputs(self) -> int:
        return self._convolution()[0]

    @property
    def inputs(self) -> int:
        return self._convolution()[1]

    @property
    def kernel(self) -> int:
        return self._convolution()[2]

    def _convolution(self) -> tuple[int, ...]:
        if len(self.shape) != 4 or 0 in self.shape:
            raise CheckpointError(
                f"{self.name}.weight has the shape {self.shape}; the weights of a convolution "
                "have four sizes"
            )
        return self.shape


def find_layers(weights: Weights, layouts: Sequence[KeyLayout]) -> list[Layer]:
    """The layers by the first of ``layouts`` whose signature matches."""
    layout = next(layout for layout in layouts if layout.signature <= weights.keys())
    return [_find_layer(weights, name) for name in layout.layers(weights)]


def _find_layer(weights: Weights, name: str) -> Layer:
    weight = weights.get(f"{name}.weight")
    if weight is None:
        raise CheckpointError(f"{name}.weight is missing")
    return Layer(name, tuple(weight.shape), f"{name}.bias" in weights)


def list_numbered(weights: Weights, pattern: str, start: int = 0, step: int = 1) -> list[str]:
    """``pattern`` formatted with ``start``, ``start + step`` … up to the highest number in use."""
    before, _, behind = pattern.partition("{}")
    form = re.compile(re.escape(before) + r"(\d+)" + re.escape(behind + "."))
    used = [int(match[1]) for key in weights if (match := form.match(key))]
    return [pattern.format(number) for number in range(start, max(used, default=-1) + 1, step)]


def colour_of_channels(channels: int) -> Colour:
    """The colours of a network with so many channels; raises :class:`CheckpointError` for other
    numbers."""
    if channels in (1, 3):
        return "luma" if channels == 1 else "rgb"
    raise CheckpointError(f"it has {channels} input channels; subpixel runs 1 (luma) and 3 (RGB)")


def sub_pixel_scale(last: Layer, channels: int) -> int:
    """The scale r of a last layer with ``channels`` · r² outputs."""
    scale = math.isqrt(last.outputs // channels)
    if scale < 1 or channels * scale * scale != last.outputs:
        raise CheckpointError(
            f"{last.name}.weight has {last.outputs} outputs; the last layer of a network of "
            f"{channels} channel{'s' * (channels > 1)} has {channels} · scale²"
        )
    return scale


def fill_module(module: nn.Module, weights: Weights, layers: Sequence[Layer]) -> None:
    """Load ``weights`` into ``module``, built on the meta device; keys and shapes must match
    exactly.

    ``layers`` are its layers by their names in the file, in the module's order.
    """
    ours = dict.fromkeys(key.rpartition(".")[0] for key in module.state_dict())
    names = {own: layer.name for own, layer in zip(ours, layers, strict=True)}
    own_keys = {
        f"{names[k.rpartition('.')[0]]}.{k.rpartition('.')[2]}": k for k in module.state_dict()
    }
    shapes = {theirs: module.state_dict()[own].shape for theirs, own in own_keys.items()}
    faults = [f"{key} is missing" for key in shapes if key not in weights]
    faults += [f"{key} is not known" for key in weights if key not in shapes]
    faults += [
        f"{key} has the shape {tuple(weights[key].shape)} instead of {tuple(shape)}"
        for key, shape in shapes.items()
        if key in weights and weights[key].shape != shape
    ]
    if faults:
        raise CheckpointError(first_few(faults))
    module.load_state_dict({own: weights[key] for key, own in own_keys.items()}, assign=True)
    module.eval()


def parse_positive(text: str, name: str) -> float:
    """A setting's number above 0; raises :class:`UsageError` for anything else."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UsageError(f"{name} is {text!r}; it is a number above 0")
    return number


def expect_choice(text: str, name: str, allowed: Iterable[str]) -> str:
    """A setting's value, one of ``allowed``; raises :class:`UsageError` for any other."""
    if text not in (words := list(allowed)):
        raise UsageError(f"{name} is {text!r}; it is one of {', '.join(words)}")
    return text


def chain_architecture(
    name: str, layout: KeyLayout, build: Callable[[int, int, int], nn.Module]
) -> Architecture:
    """The architecture of a luma network that is one chain of convolutions, determined by its
    weights.

    ``build`` makes it from the scale, the channels, and the number of layers between the first and
    the last.
    """

    def load(weights: Weights, scale: int | None) -> Checkpoint:  # noqa: ARG001 - the file says it
        layers = find_layers(weights, (layout,))
        enlargement = sub_pixel_scale(layers[-1], channels=1)
        with torch.device(
            "meta"
        ):  # shapes only: no random numbers, and no size can fill the memory
            module = build(enlargement, layers[0].outputs, len(layers) - 2)
        fill_module(module, weights, layers)
        return Checkpoint(module, ModelSpec(name, enlargement, "luma", "luma", name))

    return Architecture(name, (layout.signature,), load)
