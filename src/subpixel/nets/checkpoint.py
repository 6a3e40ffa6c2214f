"""A checkpoint file → the network it holds, and what that network is. No code in it is run."""

import hashlib
import io
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError, one_line
from subpixel.nets.compact import CompactNet
from subpixel.nets.superresolution import SuperResolutionNet
from subpixel.spec import Colour, ModelSpec

Weights = Mapping[str, Tensor]

PICKLE_SUFFIXES = (".pth", ".pt", ".ckpt")
SAFETENSORS_SUFFIX = ".safetensors"

_NESTS = ("params_ema", "params", "state_dict", "model")
"""Under which key trainers keep the weights; averaged weights come first, they are the better."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network with its weights: ``module`` on the CPU in eval mode, ``spec`` its facts."""

    module: nn.Module
    spec: ModelSpec


@dataclass(frozen=True)
class Architecture:
    """How the weights of one kind of network are recognised, and the network built for them."""

    name: str
    colour: Colour
    signature: frozenset[str]
    """State-dict keys that tell this architecture from the others."""
    build: Callable[[Weights], tuple[nn.Module, int]]
    """Weights → the network of their size, and its scale; nothing is filled in yet."""


def load_checkpoint(file: Path) -> Checkpoint:
    """Read a ``.pth``, ``.pt``, ``.ckpt`` or ``.safetensors`` file of a network we know.

    The architecture is recognised by the state-dict keys and the scale read from the last
    layer's shape. Raises :class:`CheckpointError`, in one line, for a file that is missing,
    damaged, of an unknown or misshapen network, or that would run code when unpickled.
    """
    try:
        return _checkpoint(file)
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error


def _checkpoint(file: Path) -> Checkpoint:
    data = _read(file)
    weights = _state_dict(_unpack(file.suffix.lower(), data))
    architecture = _recognise(weights)
    with torch.device("meta"):  # shapes alone: nothing is drawn, and no size can fill the memory
        module, scale = architecture.build(weights)
    _fill(module, weights, architecture.name)
    spec = ModelSpec(
        name=file.stem,
        scale=scale,
        colour=architecture.colour,
        interface=architecture.colour,
        architecture=architecture.name,
        origin=f"{file.name} (sha256 {hashlib.sha256(data).hexdigest()[:8]})",
    )
    return Checkpoint(module.eval(), spec)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"can't be read: {error.strerror}") from error


def _unpack(suffix: str, data: bytes) -> object:
    if suffix in PICKLE_SUFFIXES:
        return _unpickle(data)
    if suffix == SAFETENSORS_SUFFIX:
        return _safetensors(data)
    allowed = ", ".join((*PICKLE_SUFFIXES, SAFETENSORS_SUFFIX))
    raise CheckpointError(f"ends in {suffix or 'no suffix'!r}; a checkpoint ends in {allowed}")


def _unpickle(data: bytes) -> object:
    try:
        with warnings.catch_warnings():
            # torch.load warns before it raises, of TorchScript archives for example.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler raise almost anything
        raise CheckpointError(_why_not_unpickled(str(error))) from error


_FORBIDDEN_CALL = re.compile(
    r"GLOBAL (\S+) was not an allowed|unsupported GLOBAL (\S+) whose module"
)


def _why_not_unpickled(message: str) -> str:
    found = _FORBIDDEN_CALL.search(message)
    if found:
        return (
            f"wants to run {found[1] or found[2]} when it is read, so it was not read; weights "
            "need no code: save them with torch.save(net.state_dict(), ...) or as .safetensors"
        )
    return "is no checkpoint that PyTorch can read; it is damaged, cut off, or another kind of file"


def _safetensors(data: bytes) -> object:
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # SafetensorError, and KeyError for a dtype that torch lacks
        raise CheckpointError(f"is no readable safetensors file: {one_line(error)}") from error


def _state_dict(found: object) -> Weights:
    """The tensors by name, taken out of the dictionaries and wrappers that trainers put around."""
    if not isinstance(found, Mapping):
        raise CheckpointError(f"holds a {type(found).__name__}, not a dictionary of weights")
    for key in _NESTS:
        if isinstance(found.get(key), Mapping):
            return _state_dict(found[key])
    weights = {str(key): value for key, value in found.items() if _is_weight(value)}
    if weights and all(key.startswith("module.") for key in weights):
        weights = {key.removeprefix("module."): value for key, value in weights.items()}
    return weights


def _is_weight(value: object) -> bool:
    """Whether it is a dense tensor of floating point, with all the data that its shape claims."""
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.untyped_storage().nbytes() >= value.numel() * value.element_size()
    )


def _recognise(weights: Weights) -> Architecture:
    for architecture in ARCHITECTURES:
        if architecture.signature <= weights.keys():
            return architecture
    known = ", ".join(architecture.name for architecture in ARCHITECTURES)
    found = ", ".join(list(weights)[:4]) + (", …" if len(weights) > 4 else "")
    raise CheckpointError(
        f"holds no network that subpixel knows ({known}); its weights: {found or 'none'}"
    )


def _superresolution(weights: Weights) -> tuple[nn.Module, int]:
    scale = _scale(weights, "conv4.weight")
    return SuperResolutionNet(scale), scale


def _compact(weights: Weights) -> tuple[nn.Module, int]:
    scale = _scale(weights, "tail.weight")
    depth = sum(re.fullmatch(r"body\.\d+\.weight", key) is not None for key in weights)
    return CompactNet(scale, channels=_outputs(weights, "head.weight"), depth=depth), scale


ARCHITECTURES = (
    Architecture(
        "SuperResolutionNet",
        "luma",
        frozenset(f"conv{layer}.weight" for layer in range(1, 5)),
        _superresolution,
    ),
    Architecture(
        "CompactNet",
        "luma",
        frozenset({"head.weight", "body.0.weight", "tail.weight"}),
        _compact,
    ),
)
"""The networks that :func:`load_checkpoint` knows, in the order they are tried."""


def _scale(weights: Weights, last: str) -> int:
    """The enlargement r of a last layer with r² outputs, one per sub-pixel."""
    outputs = _outputs(weights, last)
    scale = math.isqrt(outputs)
    if scale < 1 or scale * scale != outputs:
        raise CheckpointError(
            f"{last} has {outputs} outputs; a luma network's last layer has scale²"
        )
    return scale


def _outputs(weights: Weights, key: str) -> int:
    shape = weights[key].shape
    if len(shape) != 4 or 0 in shape:
        raise CheckpointError(
            f"{key} has the shape {tuple(shape)}; the weights of a convolution have four sizes"
        )
    return int(shape[0])


def _fill(module: nn.Module, weights: Weights, architecture: str) -> None:
    wanted = module.state_dict()
    faults = [f"{key} is missing" for key in wanted if key not in weights]
    faults += [f"{key} is not known" for key in weights if key not in wanted]
    faults += [
        f"{key} has the shape {tuple(weights[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in weights and weights[key].shape != wanted[key].shape
    ]
    faults += [
        f"{key} holds NaN or infinity" for key, value in weights.items() if not _finite(value)
    ]
    if faults:
        raise CheckpointError(f"looks like {architecture}, but {_first_few(faults)}")
    module.load_state_dict({key: weight.float() for key, weight in weights.items()}, assign=True)


def _finite(weight: Tensor) -> bool:
    return bool(torch.isfinite(weight).all())


def _first_few(faults: list[str]) -> str:
    return "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
