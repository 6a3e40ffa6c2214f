"""Selecting one of a checkpoint's sets of weights: averaged ones take precedence.

Trainers store a network's weights together with their moving average, with those of other networks
(a discriminator, a loss), and with the state of the optimizer.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import Tensor

from subpixel.errors import CheckpointError
from subpixel.nets.checkpoints.keys import Tensors, clean_keys

MAX_NESTING = 8
"""The maximum depth of nested dictionaries."""

MAX_AXIS_LENGTH = 1 << 24
"""The maximum length of a tensor's axis: with another axis of length 0, a longer one would take no
data."""

AVERAGED = re.compile(
    r"(.*[_.-])?(ema|swa|averaged?|averaged_model|shadow)(\d*|[_.-].*)|n_averaged|swa_?model"
)
"""Names of averages of weights: EMA and SWA."""

USUAL = (
    *("params", "model_state_dict", "state_dict", "model", "net_g", "netg", "generator", "g"),
    *("gen", "net", "network", "sr", "weights", "module"),
)
"""Names under which trainers store the weights of the network itself, in order of preference."""

OTHER_NETWORKS = re.compile(
    r"(.*[_.-])?(discriminator|disc|critic|net_?d|d|optim\w*|\w*optimizer|\w*scheduler|\w*loss"
    r"|vgg\w*|lpips|perceptual|metrics?)([_.-].*)?"
)
"""Names of other networks, and of other things."""

BESIDE = re.compile(
    r"\w*(loss|vgg|lpips|perceptual)\w*|\w*discriminator|net_?d|critic|criterion"
    r"|(train|val|valid|test)?_?(metrics?|psnr|ssim|fid)"
)
"""First parts of the keys of other networks in a training module."""


@dataclass(frozen=True, eq=False)
class Selection:
    """One of the sets of weights in a file."""

    key: str
    """Its path, keys joined by dots; empty where the file holds nothing else."""
    weights: Tensors
    averaged: bool
    others: tuple[str, ...] = ()
    """The keys of the sets that were not selected."""

    def __str__(self) -> str:
        """A note on the selection; empty where there was no choice."""
        kind = ", averaged" if self.averaged else ""
        rest = f" (also there: {', '.join(self.others)})" if self.others else ""
        return f"{f'weights {self.key}'.rstrip()}{kind}{rest}" if kind or rest else ""


def select_weights(content: object, key: str | None = None) -> Selection:
    """The set of weights named ``key``, else an averaged one, else the network's own.

    Raises :class:`CheckpointError` for content without weights, for averages that can't be assigned
    to layers, and where several sets are equally likely.
    """
    if not isinstance(content, Mapping):
        raise CheckpointError(f"holds a {type(content).__name__}, not a dictionary of weights")
    sets = [one for one in _sets(content) if not _is_negligible(one)] or [*_sets(content)]
    if not sets:
        raise CheckpointError(_why_none(content))
    if key is not None:
        return _among(_select_named(sets, key), sets)
    candidates = [one for one in sets if not _of_another(one)]
    if not candidates:
        raise CheckpointError(_why_only_others(content, sets))
    largest = max(map(_count_numbers, candidates))
    best = min(candidates, key=lambda one: _rank(one, largest))
    if not best.averaged and (nameless := _nameless_average(content)):
        raise CheckpointError(
            f"holds averaged weights without names ({nameless}), which can't be assigned to "
            f"layers; to use the plain ones, name them: --weights {best.key or '.'}"
        )
    equals = [one for one in candidates if _rank(one, largest) == _rank(best, largest)]
    if len(equals) > 1:
        names = ", ".join(one.key for one in equals)
        raise CheckpointError(
            f"holds several sets of weights: {names}; choose one: --weights {equals[0].key}"
        )
    return _among(best, sets)


def _among(one: Selection, sets: list[Selection]) -> Selection:
    others = tuple(other.key for other in sets if other is not one and not _of_another(other))
    return Selection(one.key, one.weights, one.averaged, others)


def _sets(content: Mapping[object, object], path: tuple[str, ...] = ()) -> Iterator[Selection]:
    """Every dictionary of tensors, except the state of optimizers."""
    if len(path) > MAX_NESTING:
        raise CheckpointError(
            f"holds dictionaries inside dictionaries, more than {MAX_NESTING} deep"
        )
    if "param_groups" in content:
        return
    tensors = {printable(key): value for key, value in content.items() if is_weight(value)}
    if tensors:
        yield from _flat_sets(tensors, path)
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _sets(value, (*path, printable(key)))


def _flat_sets(weights: Tensors, path: tuple[str, ...]) -> Iterator[Selection]:
    """One state dict; or, where it contains the weights and their average, these two.

    ``ema_model.`` and ``online_model.`` (ema_pytorch), ``model_ema.`` and ``model.``.
    """
    averaged = any(AVERAGED.fullmatch(part.lower()) for part in path) or "n_averaged" in weights
    groups = {
        name: group for name, group in _group_by_first_part(weights).items() if len(group) > 1
    }
    plain = [
        n for n in groups if not (AVERAGED.fullmatch(n.lower()) or BESIDE.fullmatch(n.lower()))
    ]
    means = [
        name
        for name in groups
        if AVERAGED.fullmatch(name.lower())
        and (not plain or any(_same_names(groups[name], groups[other]) for other in plain))
    ]
    if not means:
        yield Selection(".".join(path), weights, averaged)
        return
    for name in means:
        weights_of_mean = _with_dots(groups[name], [groups[other] for other in plain])
        yield Selection(".".join((*path, name)), weights_of_mean, averaged=True)
    for name in plain:
        yield Selection(".".join((*path, name)), groups[name], averaged)


def _group_by_first_part(weights: Tensors) -> dict[str, dict[str, Tensor]]:
    """Group the weights by the first part of their keys, which is removed."""
    groups: dict[str, dict[str, Tensor]] = {}
    for key, value in weights.items():
        first, dot, rest = key.partition(".")
        if dot:
            groups.setdefault(first, {})[rest] = value
    return groups


def _same_names(averaged: Tensors, plain: Tensors) -> bool:
    """Whether an average's keys are those of a network's parameters, with or without dots
    and the parts that wrappers add."""
    names, means = ({key.replace(".", "") for key in clean_keys(one)} for one in (plain, averaged))
    return len(means & names) > len(averaged) // 2


def _with_dots(weights: Tensors, plain: list[dict[str, Tensor]]) -> Tensors:
    """Averages whose names lack dots (latent-diffusion's LitEma), renamed as the weights."""
    for group in plain:
        names = {key.replace(".", ""): key for key in group}
        renamed = {names[key]: value for key, value in weights.items() if key in names}
        if len(renamed) > 1 and not any("." in key for key in weights):
            return {**group, **renamed}
    return weights


def own_parts(weights: Tensors) -> list[tuple[str, Tensors]]:
    """The networks in a training module's state dict, by the first part of their keys.

    Losses, discriminators and metrics are left out; the first entry is everything else together.
    """
    groups = _group_by_first_part(weights)
    beside = [name for name in groups if BESIDE.fullmatch(name.lower())]
    rest = {key: w for key, w in weights.items() if key.partition(".")[0] not in beside}
    parts: list[tuple[str, Tensors]] = [
        (name, group) for name, group in groups.items() if name not in beside
    ]
    whole: list[tuple[str, Tensors]] = [("", rest)] if beside and rest else []
    return whole + (parts if len(parts) > 1 else [])


def _rank(one: Selection, largest: int) -> tuple[bool, int]:
    """The sort key: averaged sets first, then by the names that trainers use, the outermost of
    which counts.

    Tensors at the top level beside dictionaries of weights are first if they are the largest set,
    else last.
    """
    parts = [part.lower() for part in one.key.split(".")]
    places = [USUAL.index(part) for part in parts if part in USUAL]
    if not one.key:
        return not one.averaged, -1 if _count_numbers(one) == largest else len(USUAL) + 1
    return not one.averaged, places[0] if places else len(USUAL)


def _count_numbers(one: Selection) -> int:
    return sum(weight.numel() for weight in one.weights.values())


def _is_negligible(one: Selection) -> bool:
    """Whether a set has only counters and the like, which trainers store as tensors."""
    return all(value.ndim < 2 for value in one.weights.values())


def _of_another(one: Selection) -> bool:
    return any(OTHER_NETWORKS.fullmatch(part.lower()) for part in one.key.split("."))


def _select_named(sets: list[Selection], key: str) -> Selection:
    exact = [one for one in sets if (one.key or ".") == key]
    matches = exact or [one for one in sets if key in one.key.split(".")] or _select_part(sets, key)
    if len(matches) == 1:
        return matches[0]
    names = ", ".join(one.key or "." for one in matches or sets)
    what = "several sets of weights" if matches else "no weights"
    raise CheckpointError(f"holds {what} under {key!r}; it has {names}")


def _select_part(sets: list[Selection], key: str) -> list[Selection]:
    """The weights whose keys begin with ``key`` and a dot."""
    return [
        Selection(key, group, averaged=AVERAGED.fullmatch(key.lower()) is not None)
        for one in sets
        if (group := _group_by_first_part(one.weights).get(key))
    ]


def _nameless_average(content: Mapping[object, object]) -> str | None:
    """The path of a list of averaged tensors (torch_ema's ``shadow_params``)."""
    for key, value in content.items():
        if isinstance(value, list) and value and all(is_weight(one) for one in value):
            if AVERAGED.fullmatch(str(key).lower()):
                return printable(key)
        elif isinstance(value, Mapping) and (inner := _nameless_average(value)):
            return f"{printable(key)}.{inner}"
    return None


def _why_only_others(content: Mapping[object, object], sets: list[Selection]) -> str:
    names = [one.key for one in sets]
    if all(re.search("optim|scheduler", name, re.IGNORECASE) for name in names):
        return _why_none(content)
    return (
        f"holds {', '.join(names[:4])}, by the name no network for pictures; to use it anyway, "
        f"name it: --weights {names[0]}"
    )


def _why_none(content: Mapping[object, object]) -> str:
    names = [printable(key) for key in content][:4]
    more = ", …" if len(content) > 4 else ""
    if "param_groups" in content or any(re.search("optim", name, re.IGNORECASE) for name in names):
        return "holds the state of an optimizer, and no weights; name the network's own checkpoint"
    return f"holds no weights, no tensor at all; its entries are {', '.join(names) or 'none'}{more}"


def printable(key: object) -> str:
    """The key in a form that is safe to print on one line of a terminal: of what is no text or
    number its type, as PyTorch's objects warn or compute where their text is asked for."""
    name = str(key) if isinstance(key, str | int | float) else type(key).__name__
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def is_weight(value: object) -> TypeGuard[Tensor]:
    """Whether ``value`` is a dense tensor of numbers with as much data as its shape claims."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_complex())
        and max(value.shape, default=0) <= MAX_AXIS_LENGTH
        and value.untyped_storage().nbytes() >= value.numel() * value.element_size()
    )
