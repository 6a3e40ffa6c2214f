"""Small networks of random weights, one for each configuration of architectures.toml.

Random weights as they come hide faults: gates start at zero, tables of positions near it, and
through layers that each shrink their input nothing deep inside can be seen in the picture. So
every parameter that starts constant is drawn, every layer is scaled to give values of size 1
(data-dependent initialisation, Mishkin and Matas, "All you need is a good init", 2015), and the
last one so that the network gives a picture.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from subpixel.nets.spandrel.module import import_spandrel

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor, MaskedImageModelDescriptor

    Descriptor: TypeAlias = ImageModelDescriptor[nn.Module] | MaskedImageModelDescriptor[nn.Module]

CONFIGURATIONS = Path(__file__).with_name("architectures.toml")

REGISTRIES = {"spandrel": "MAIN_REGISTRY", "spandrel_extra_arches": "EXTRA_REGISTRY"}
"""The packages, and what the registry of each is called."""

MEAN, CONTRAST = 0.5, 0.2
"""Mean and standard deviation of the picture that a network is scaled to give."""

SIDE = 64
"""Least side of the picture that the scaling is done on."""

NEAR_ZERO = 1e-3
"""A parameter that starts constant and smaller than this is taken to start at zero."""

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


@dataclass(frozen=True)
class Configuration:
    """One network: a class of an architecture, and what it is built with."""

    name: str
    architecture: str
    """The architecture's id and package: ``SwinIR``."""
    class_name: str
    arguments: dict[str, Any]
    rename: tuple[tuple[str, str], ...] = ()
    """Pattern and replacement, in order: state-dict keys as another trainer writes them."""
    marks: tuple[str, ...] = ()
    """Keys of value 1 that tell a variant whose weights look like another's."""


def configurations() -> tuple[Configuration, ...]:
    """All of them, in the order of the file."""
    entries = tomllib.loads(CONFIGURATIONS.read_text("utf-8"))["network"]
    return tuple(
        Configuration(
            entry["name"],
            entry["architecture"],
            entry["class"],
            entry["arguments"],
            tuple((pattern, text) for pattern, text in entry.get("rename", ())),
            tuple(entry.get("marks", ())),
        )
        for entry in entries
    )


def architectures() -> dict[str, str]:
    """Every architecture that is registered, with the package that it is in."""
    return {
        str(entry.architecture.id): package
        for package, registry in REGISTRIES.items()
        for entry in getattr(import_spandrel(package), registry).architectures()
    }


def random_weights(configuration: Configuration) -> dict[str, Tensor]:
    """The state dict of a configuration's network, the same at every call."""
    torch.manual_seed(0)
    name, package = configuration.architecture, architectures()[configuration.architecture]
    module = import_spandrel(f"{package}.architectures.{name}")
    network = getattr(module, configuration.class_name)(**configuration.arguments)
    _draw_constants(network)
    marks = {mark: torch.ones(1) for mark in configuration.marks}
    found = rebuilt({**network.state_dict(), **marks}, name)
    _calibrate(found)
    weights = {**found.model.state_dict(), **marks}
    return {_renamed(key, configuration): value.clone() for key, value in weights.items()}


def rebuilt(weights: dict[str, Tensor], architecture: str) -> "Descriptor":
    """The network as spandrel builds it from its weights, and how it is called."""
    package = architectures()[architecture]
    entry = getattr(import_spandrel(package), REGISTRIES[package])[architecture]
    descriptor: Descriptor = entry.architecture.load(weights)
    return descriptor.eval()


def _renamed(key: str, configuration: Configuration) -> str:
    for pattern, text in configuration.rename:
        key = re.sub(pattern, text, key)
    return key


def _draw_constants(network: nn.Module) -> None:
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad and parameter.numel():
                _draw(parameter.data, isinstance(module, Layer))
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0.0, 0.2)
            module.get_buffer("running_var").uniform_(0.5, 1.5)


def _draw(values: Tensor, of_layer: bool) -> None:
    """Constants vary around their value, zeros around zero; a table that starts near it grows."""
    first, spread = values.flatten()[0].item(), values.std(correction=0).item()
    if spread == 0.0:
        size = 0.3 if abs(first) < NEAR_ZERO else 0.2 * abs(first)
        values.copy_(torch.normal(first, size, values.shape))
    elif spread < 0.1 and not of_layer:
        values.mul_(0.5 / spread)


@torch.inference_mode()
def _calibrate(found: "Descriptor") -> None:
    """Scale every layer to give values of size 1, and the last one so that a picture comes out."""
    inputs = _example(found)

    def run() -> Tensor:
        result: Tensor = found._call_fn(found.model, *(value.clone() for value in inputs))
        return result

    order: list[nn.Module] = []
    with _scaling_on_first_use(found.model, order):
        run()
    if order:
        _make_picture(run, order[-1])


def _example(found: "Descriptor") -> tuple[Tensor, ...]:
    """A smooth picture of a size that the network takes; and a mask, where it wants one."""
    rule = found.size_requirements
    side = -(-max(SIDE, rule.minimum) // rule.multiple_of) * rule.multiple_of
    noise = torch.rand(1, found.input_channels, side, side)
    picture = avg_pool2d(noise, 5, 1, 2, count_include_pad=False)
    masked = not isinstance(found, import_spandrel("spandrel").ImageModelDescriptor)
    return (picture, (picture[:, :1] > MEAN).float()) if masked else (picture,)


@contextmanager
def _scaling_on_first_use(network: nn.Module, order: list[nn.Module]) -> Iterator[None]:
    """Scale each layer when it is first run; ``order`` gets them as they are scaled."""
    hooks = [
        layer.register_forward_hook(_scaler(order))
        for layer in network.modules()
        if isinstance(layer, Layer) and not _is_set(layer)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _is_set(layer: Layer) -> bool:
    """Whether its weight is not to be scaled: worked out from others, or a shift of the mean."""
    if hasattr(layer, "weight_orig") or hasattr(layer, "weight_g"):
        return True
    matrix = layer.weight.flatten(1)
    return matrix.shape[0] == matrix.shape[1] and torch.equal(matrix, matrix.diag().diag())


def _scaler(order: list[nn.Module]) -> Callable[[nn.Module, Any, Tensor], Tensor | None]:
    def scale(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor | None:
        spread = output.std(correction=0).item()
        if layer in order or not spread > 1e-6:
            return None
        order.append(layer)
        for parameter in layer.parameters(recurse=False):
            parameter.div_(spread)
        return output / spread

    return scale


def _make_picture(run: Callable[[], Tensor], last: nn.Module) -> None:
    """Give the output a picture's contrast and mean by the layer that ran last.

    What comes after that layer is taken to be linear: sums, enlargements, shifts.
    """
    output, parameters = run(), tuple(last.parameters(recurse=False))
    kept = [parameter.clone() for parameter in parameters]
    for parameter in parameters:
        parameter.zero_()
    share = (output - run()).std(correction=0).item()
    for parameter, value in zip(parameters, kept, strict=True):
        parameter.copy_(value * (CONTRAST / share) if share > 1e-6 else value)
    if isinstance(last, Layer) and last.bias is not None:
        _centre(run, last.bias)


def _centre(run: Callable[[], Tensor], bias: Tensor) -> None:
    step = 0.1
    mean = run().mean().item()
    bias.add_(step)
    gain = (run().mean().item() - mean) / step
    bias.sub_(step if abs(gain) < 1e-3 else step - (MEAN - mean) / gain)
