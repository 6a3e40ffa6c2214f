"""A checkpoint's bytes → its weights by name. Nothing in the file is run, nor believed unchecked.

Everything that a file may claim is bounded by what it holds: compressed archives, dictionaries
inside themselves, tensors larger than their data and layers numbered into the millions are
refused, as they would fill the memory here or in the code that builds networks from them.
"""

import io
import json
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from subpixel.errors import CheckpointError, one_line

Weights = Mapping[str, Tensor]

PICKLE_SUFFIXES = (".pth", ".pt", ".ckpt")
SAFETENSORS_SUFFIX = ".safetensors"

MOST_SHARED = 8
"""How many times its file's size a state dict may claim; entries may share their data."""

LARGEST_SIDE = 1 << 24
"""The longest axis that a tensor may have; one of length 0 beside it makes it cost nothing."""

_NESTS = (
    "params_ema",
    "params-ema",
    "ema_state_dict",
    "params",
    "model_state_dict",
    "state_dict",
    "model",
    "net",
)
"""Under which key trainers keep the weights; averaged weights come first, they are the better."""

_WRAPPERS = ("module.", "_orig_mod.", "netG.")
"""What DataParallel, ``torch.compile`` and GAN trainers put in front of every key."""

_LICENCES = ("license", "licence", "modelspec.license")

_DEEPEST = 8


@dataclass(frozen=True)
class Contents:
    """What a checkpoint file holds: dense tensors by name, and the licence it states."""

    weights: Weights
    licence: str = "unknown"


def read_contents(suffix: str, data: bytes) -> Contents:
    """Take the weights out of a file's bytes; ``suffix`` says which kind of file it is.

    Floating-point weights become float32. Raises :class:`CheckpointError` for bytes that are
    damaged, of another kind, hold no dictionary of tensors, would run code when unpickled, hold
    NaN or infinity, or claim more than they hold.
    """
    if suffix in PICKLE_SUFFIXES:
        found = _unpickle(data)
        licence = _licence(found)
    elif suffix == SAFETENSORS_SUFFIX:
        found = _safetensors(data)
        licence = _licence(_safetensors_metadata(data))
    else:
        allowed = ", ".join((*PICKLE_SUFFIXES, SAFETENSORS_SUFFIX))
        raise CheckpointError(f"ends in {suffix or 'no suffix'!r}; a checkpoint ends in {allowed}")
    weights = _state_dict(found)
    _expect_sound(weights, len(data))
    return Contents({key: _as_float32(value) for key, value in weights.items()}, licence)


def unwrapped(weights: Weights) -> list[Weights]:
    """The weights as they are, and without the first part of their keys while all share it.

    Trainers wrap networks under names of their own (``generator.``, ``model.``), but some
    networks have such a part themselves: the first of these that is recognised counts.
    """
    candidates = [weights]
    while (first := _shared_first_part(candidates[-1])) and len(candidates) < _DEEPEST:
        candidates.append({k.removeprefix(first): v for k, v in candidates[-1].items()})
    return candidates


def _shared_first_part(weights: Weights) -> str | None:
    parts = {key.partition(".")[0] + "." for key in weights if "." in key}
    return parts.pop() if len(parts) == 1 and all("." in key for key in weights) else None


def _unpickle(data: bytes) -> object:
    _expect_stored(data)
    try:
        with warnings.catch_warnings():
            # torch.load warns before it raises, of TorchScript archives for example.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make the unpickler raise almost anything
        raise CheckpointError(_why_not_unpickled(str(error))) from error


def _expect_stored(data: bytes) -> None:
    """Refuse an archive whose entries are compressed: PyTorch stores, but would inflate them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            claimed = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # no archive, or a damaged one: PyTorch's own reader says so
        return
    if claimed > len(data):
        raise CheckpointError(
            f"is a compressed archive: {len(data)} bytes that claim to become {claimed}; "
            "PyTorch does not compress checkpoints, so it was not read"
        )


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
    if "TorchScript archive" in message:
        return (
            "is a TorchScript archive, a program, and no checkpoint that PyTorch can read without "
            "running it; save the weights: torch.save(torch.jit.load(...).state_dict(), ...)"
        )
    return "is no checkpoint that PyTorch can read; it is damaged, cut off, or another kind of file"


def _safetensors(data: bytes) -> object:
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # SafetensorError, and KeyError for a dtype that torch lacks
        raise CheckpointError(f"is no readable safetensors file: {one_line(error)}") from error


def _safetensors_metadata(data: bytes) -> object:
    """The text that stands in a sound file's header: 8 bytes of length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__")


def _licence(found: object) -> str:
    stated: Any = found if isinstance(found, Mapping) else {}
    texts = [stated[key] for key in _LICENCES if isinstance(stated.get(key), str)]
    return " ".join(texts[0].split())[:100] if texts else "unknown"


def _state_dict(found: object, depth: int = 0) -> Weights:
    """The tensors by name, taken out of the dictionaries and wrappers that trainers put around."""
    if not isinstance(found, Mapping):
        raise CheckpointError(f"holds a {type(found).__name__}, not a dictionary of weights")
    if depth > _DEEPEST:
        raise CheckpointError(f"holds dictionaries inside dictionaries, more than {_DEEPEST} deep")
    for key in _NESTS:
        if isinstance(found.get(key), Mapping):
            return _state_dict(found[key], depth + 1)
    weights = {_printable(key): value for key, value in found.items() if _is_weight(value)}
    for wrapper in _WRAPPERS:
        if weights and all(key.startswith(wrapper) for key in weights):
            weights = {key.removeprefix(wrapper): value for key, value in weights.items()}
    return weights


def _printable(key: object) -> str:
    """The key as it may stand in a message, on one line of a terminal."""
    name = str(key)
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def _is_weight(value: object) -> bool:
    """Whether it is a dense tensor of numbers, with all the data that its shape claims."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_complex())
        and max(value.shape, default=0) <= LARGEST_SIDE
        and value.untyped_storage().nbytes() >= value.numel() * value.element_size()
    )


def _as_float32(weight: Tensor) -> Tensor:
    return weight.detach().float() if weight.is_floating_point() else weight.detach()


def _expect_sound(weights: Weights, size: int) -> None:
    claimed = sum(value.numel() * value.element_size() for value in weights.values())
    if claimed > MOST_SHARED * size:
        raise CheckpointError(
            f"holds {size} bytes, but its weights share their data to claim {claimed}"
        )
    most = 100 + 10 * len(weights)
    for key in weights:
        for number in re.findall(r"(?<![^.])\d+(?![^.])", key):
            if len(number) > 9 or int(number) > most:
                raise CheckpointError(
                    f"numbers a layer {number[:20]}, but holds no more than {len(weights)} weights"
                )
    broken = [key for key, value in weights.items() if not _finite(value)]
    if broken:
        raise CheckpointError(first_few([f"{key} holds NaN or infinity" for key in broken]))


def _finite(weight: Tensor) -> bool:
    return not weight.is_floating_point() or bool(torch.isfinite(weight.float()).all())


def first_few(faults: list[str]) -> str:
    """The first three of many findings, and how many more there are."""
    return "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
