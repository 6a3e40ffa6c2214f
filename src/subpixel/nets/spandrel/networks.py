"""Third-party networks, which spandrel recognises by their weights and builds.

Only spandrel's detectors and modules are used. Files are read by
:mod:`subpixel.nets.checkpoints.state_dict`, which is stricter, and pictures are passed to the
modules directly, without spandrel's padding and clipping: those become part of the exported file.
"""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from subpixel.errors import CheckpointError, one_line
from subpixel.nets.architectures.architecture import Architecture, Checkpoint, colour_of_channels
from subpixel.nets.architectures.span import fold_conv3xc
from subpixel.nets.checkpoints.state_dict import Weights, first_few
from subpixel.nets.spandrel.module import (
    Call,
    SpandrelModule,
    building,
    import_spandrel,
    plain_call,
)
from subpixel.nets.spandrel.settings import settings_of
from subpixel.spec import ModelSpec, Purpose

if TYPE_CHECKING:
    from spandrel import Architecture as SpandrelArchitecture
    from spandrel import ArchRegistry, ImageModelDescriptor
    from spandrel.util import KeyCondition

PURPOSES: Mapping[str, Purpose] = {
    "SR": "super-resolution",
    "FaceSR": "face",
    "Restoration": "restoration",
}

NOISE_LEVEL = 15 / 255
"""The standard deviation of the noise that DRUNet and FDnCNN are to remove, as in spandrel."""

FIXED_SIDES: Mapping[str, int] = {"GFPGAN": 512, "CodeFormer": 512}
"""Networks that end in a fully connected layer or have positional embeddings, and so accept one
size only."""

SIZE_MAXIMA: Mapping[str, int] = {"RGT": 1023, "RetinexFormer": 2999}
"""Networks that compute differently beyond this side: they count levels, or cut the picture."""

ALL_AT_ONCE = 2**31 - 1

UNREPEATABLE = frozenset({"AuraSR"})
"""Networks that draw random numbers at every run, without an option to disable it."""


def main_architectures() -> list[Architecture]:
    """The architectures of spandrel, in the order in which to try them."""
    return _architectures(import_spandrel("spandrel").MAIN_REGISTRY)


def extra_architectures() -> list[Architecture]:
    """Those of spandrel_extra_arches, some of which are under non-commercial licences."""
    return _architectures(import_spandrel("spandrel_extra_arches").EXTRA_REGISTRY)


def _architectures(registry: "ArchRegistry") -> list[Architecture]:
    found_in_registry = (entry.architecture for entry in registry.architectures("detection"))
    return [
        Architecture(a.id, tuple(_alternatives(a._detect)), partial(_load_spandrel, a))
        for a in found_in_registry
    ]


def _alternatives(condition: "str | KeyCondition") -> list[frozenset[str]]:
    """The sets of keys each of which satisfies spandrel's condition, a tree of all and any."""
    if isinstance(condition, str):
        return [frozenset({condition})]
    parts = [_alternatives(key) for key in condition._keys]
    if condition._kind == "any":
        return [keys for part in parts for keys in part]
    return [frozenset().union(*choice) for choice in itertools.product(*parts)]


def _load_spandrel(
    architecture: "SpandrelArchitecture[nn.Module]",
    weights: Weights,
    scale: int | None,  # noqa: ARG001 - the file says it
) -> Checkpoint:
    name = str(architecture.id)
    if name in UNREPEATABLE:
        raise CheckpointError("it draws random numbers at every run, so no two runs are equal")
    descriptor = _load_descriptor(architecture, weights)
    fold_conv3xc(descriptor.model)
    call = CALLS.get(name, descriptor._call_fn)
    module = SpandrelModule(descriptor.model, call).eval()
    return Checkpoint(module, _spandrel_spec(name, descriptor), settings=settings_of(name, module))


def _load_descriptor(
    architecture: "SpandrelArchitecture[nn.Module]", weights: Weights
) -> "ImageModelDescriptor[nn.Module]":
    try:
        with building(weights):
            descriptor = architecture.load(dict(weights))
    except CheckpointError:
        raise
    except Exception as error:  # its code assumes that the weights are what it expects
        raise CheckpointError(_misfit(error)) from error
    if not isinstance(descriptor, import_spandrel("spandrel").ImageModelDescriptor):
        raise CheckpointError(
            "it fills masked areas (inpainting); subpixel runs networks whose only input is a "
            "picture"
        )
    return descriptor


def _spandrel_spec(name: str, descriptor: "ImageModelDescriptor[nn.Module]") -> ModelSpec:
    inputs, outputs = descriptor.input_channels, descriptor.output_channels
    if inputs != outputs:
        raise CheckpointError(
            f"it has {inputs} input and {outputs} output channels; subpixel runs networks with as "
            "many of both"
        )
    colour, sizes = colour_of_channels(inputs), descriptor.size_requirements
    side = FIXED_SIDES.get(name)
    return ModelSpec(
        name=name,
        scale=descriptor.scale,
        colour=colour,
        interface=colour,
        architecture=name,
        purpose=PURPOSES[descriptor.purpose],
        size_multiple=side or sizes.multiple_of,
        size_minimum=max(sizes.minimum, _min_side(name, descriptor.model)),
        size_maximum=SIZE_MAXIMA.get(name),
        square=sizes.square or side is not None,
        fixed_size=(side, side) if side else None,
    )


def _min_side(name: str, net: Any) -> int:  # noqa: ANN401 - a network and its settings
    """GRL pads by reflection up to a multiple, and differently where that fails: an exported graph
    has no such fallback."""
    return net.pad_size // 2 + 1 if name == "GRL" else 1


def _with_noise_level(net: nn.Module, pictures: Tensor) -> Tensor:
    """spandrel's own call supports the noise level map for a single picture only."""
    level = torch.full_like(pictures[:, :1], NOISE_LEVEL)
    result: Tensor = net(torch.cat([pictures, level], dim=1))
    return result


def _dncnn(net: nn.Module, pictures: Tensor) -> Tensor:
    if net.mode == "FDnCNN":
        return _with_noise_level(net, pictures)
    result: Tensor = net(pictures)
    return result


def _with_stored_noise(net: nn.Module, pictures: Tensor) -> Tensor:
    """GFPGAN with the noise that is stored in its file, instead of new noise at every run."""
    result: Tensor = net(pictures, randomize_noise=False)[0]
    return result


class StableSort(TorchFunctionMode):
    """A context in which ``torch.sort`` is always stable."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        stable = {"stable": True} if func is torch.sort else {}
        return func(*args, **{**(kwargs or {}), **stable})


def _with_stable_sort(net: nn.Module, pictures: Tensor) -> Tensor:
    """ATD sorts pixels by category with an unspecified order of equal ones, which nearly all are.

    PyTorch's order differs between versions and devices; the stable order is a valid one, and the
    same everywhere.
    """
    with StableSort():
        return plain_call(net, pictures)


def _in_one_chunk(net: Any, pictures: Tensor) -> Tensor:  # noqa: ANN401 - IPT and its settings
    """IPT with all its patches at once, not 64 at a time in a loop, whose length would become a
    constant.

    Patches are independent, so only the memory changes.
    """
    chopped = import_spandrel("spandrel.architectures.IPT.__arch.model").Model(net, ALL_AT_ONCE)
    enlarged = chopped.forward(pictures * net.rgb_range, net.scale.index(max(net.scale)))
    result: Tensor = enlarged / net.rgb_range
    return result


def _restoreformer(net: nn.Module, pictures: Tensor) -> Tensor:
    """Without torchvision's normalize, which reads values to reject a standard deviation of
    zero."""
    result: Tensor = net((pictures - 0.5) / 0.5)[0]
    return (result + 1) / 2


CALLS: Mapping[str, Call] = {
    "ATD": _with_stable_sort,
    "DRUNet": _with_noise_level,
    "DnCNN": _dncnn,
    "GFPGAN": _with_stored_noise,
    "IPT": _in_one_chunk,
    "RestoreFormer": _restoreformer,
}
"""The networks that are run differently from spandrel."""


_MISSING = re.compile(r"Missing key\(s\) in state_dict: (.+)")
_UNKNOWN = re.compile(r"Unexpected key\(s\) in state_dict: (.+)")
_SHAPE = re.compile(r"size mismatch for (\S+): .*? torch\.Size\(\[(.*?)\]\) .*?\[(.*?)\]\)")
_QUOTED = re.compile(r'"([^"]+)"')


def _misfit(error: Exception) -> str:
    """The faults of the weights in an exception from building or loading a network."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    text = str(error)
    faults = [
        f"{key} is missing" for line in _MISSING.findall(text) for key in _QUOTED.findall(line)
    ]
    faults += [
        f"{key} is not known" for line in _UNKNOWN.findall(text) for key in _QUOTED.findall(line)
    ]
    faults += [
        f"{key} has the shape ({actual}) instead of ({expected})"
        for key, actual, expected in _SHAPE.findall(text)
    ]
    return first_few(faults) or f"its weights don't fit together ({one_line(error)})"
