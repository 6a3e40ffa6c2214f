"""What a loaded checkpoint is, and how an architecture is recognised by the names of its weights.

Our own small networks are chains of layers. The repositories that publish their weights name the
layers each in their own way, so an architecture has several layouts: where each repository keeps
the layers, in the order in which our module has them.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.checkpoints.state_dict import Weights, first_few
from subpixel.spec import Colour, ModelSpec


@dataclass(frozen=True)
class NetworkSetting:
    """What a network's code chooses, and its weights don't tell."""

    name: str
    values: tuple[str, ...]
    """What it usually is, the architecture's own first."""
    apply: Callable[[nn.Module, str], nn.Module]
    """The network with another value, which need not be one of the usual; it may be changed in
    place. Raises :class:`~subpixel.errors.UsageError` for a value that can't be."""
    closed: bool = True
    """Whether the usual values are all there are."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network with its weights: ``module`` on the CPU in eval mode, ``spec`` its facts."""

    module: nn.Module
    spec: ModelSpec
    notes: tuple[str, ...] = ()
    """What is to be said of how it was taken: which weights, in which settings."""
    settings: tuple[NetworkSetting, ...] = field(default=(), repr=False)
    """What is still open, each at its first value."""
    conventional: bool = False
    """Whether everybody has the first values, so that others are asked for by good reason alone."""
    plain_keys: bool = False
    """Whether other networks may well name their weights the same."""
    must_gain: bool = False
    """Whether a network that does nothing would enlarge as well, so that it must do better."""


@dataclass(frozen=True)
class Architecture:
    """How the weights of one kind of network are recognised, and made into the network."""

    name: str
    signatures: tuple[frozenset[str], ...]
    """State-dict keys that tell it from the others; any one of these sets does."""
    load: Callable[[Weights, int | None], Checkpoint]
    """Weights, and the scale if the caller says one → the network. The checkpoint's name stands
    for the architecture's; :class:`CheckpointError` says what does not fit."""

    def detects(self, weights: Weights) -> bool:
        """Whether the weights look like this architecture's."""
        return any(signature <= weights.keys() for signature in self.signatures)


@dataclass(frozen=True)
class KeyLayout:
    """Where one repository keeps an architecture's layers in its state dicts."""

    signature: frozenset[str]
    layers: Callable[[Weights], Sequence[str]]
    """Weights → the layers' names in the module's order."""


def layout_of(*layers: str) -> KeyLayout:
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
    """The layers, by the first of ``layouts`` whose signature the weights have."""
    layout = next(layout for layout in layouts if layout.signature <= weights.keys())
    return [_find_layer(weights, name) for name in layout.layers(weights)]


def _find_layer(weights: Weights, name: str) -> Layer:
    weight = weights.get(f"{name}.weight")
    if weight is None:
        raise CheckpointError(f"{name}.weight is missing")
    return Layer(name, tuple(weight.shape), f"{name}.bias" in weights)


def list_numbered(weights: Weights, pattern: str, start: int = 0, step: int = 1) -> list[str]:
    """The names ``pattern`` gives for ``start``, ``start + step`` … up to the highest in use."""
    before, _, behind = pattern.partition("{}")
    form = re.compile(re.escape(before) + r"(\d+)" + re.escape(behind + "."))
    used = [int(match[1]) for key in weights if (match := form.match(key))]
    return [pattern.format(number) for number in range(start, max(used, default=-1) + 1, step)]


def colour_of_channels(channels: int) -> Colour:
    """What a network of so many channels looks at; :class:`CheckpointError` for other numbers."""
    if channels in (1, 3):
        return "luma" if channels == 1 else "rgb"
    raise CheckpointError(f"it takes {channels} channels; subpixel runs 1 (luma) and 3 (RGB)")


def sub_pixel_scale(last: Layer, channels: int) -> int:
    """The enlargement r of a last layer with ``channels`` · r² outputs, r² per channel."""
    scale = math.isqrt(last.outputs // channels)
    if scale < 1 or channels * scale * scale != last.outputs:
        raise CheckpointError(
            f"{last.name}.weight has {last.outputs} outputs; the last layer of a network of "
            f"{channels} channel{'s' * (channels > 1)} has {channels} · scale²"
        )
    return scale


def fill_module(module: nn.Module, weights: Weights, layers: Sequence[Layer]) -> None:
    """Give ``module``, built on the meta device, the weights, which must fit it without a rest.

    ``layers`` are the names of its layers in the file, in the module's order.
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
    """A setting's number, above 0; :class:`UsageError` for anything else."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UsageError(f"{name} is {text!r}; it is a number above 0")
    return number


def expect_choice(text: str, name: str, allowed: Iterable[str]) -> str:
    """A setting's word, one of ``allowed``; :class:`UsageError` for any other."""
    if text not in (words := list(allowed)):
        raise UsageError(f"{name} is {text!r}; it is one of {', '.join(words)}")
    return text


def chain_architecture(
    name: str, layout: KeyLayout, build: Callable[[int, int, int], nn.Module]
) -> Architecture:
    """A luma network of one chain of convolutions, whose weights show all that it takes to build.

    ``build`` makes it of the scale, the channels, and how many layers lie between the first and
    the last.
    """

    def load(weights: Weights, scale: int | None) -> Checkpoint:  # noqa: ARG001 - the file says it
        layers = find_layers(weights, (layout,))
        enlargement = sub_pixel_scale(layers[-1], channels=1)
        with torch.device("meta"):  # shapes alone: nothing is drawn, no size can fill the memory
            module = build(enlargement, layers[0].outputs, len(layers) - 2)
        fill_module(module, weights, layers)
        return Checkpoint(module, ModelSpec(name, enlargement, "luma", "luma", name))

    return Architecture(name, (layout.signature,), load)
