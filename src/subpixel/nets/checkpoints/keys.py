"""Names of weights, without the prefixes that tools add."""

from collections.abc import Mapping

from torch import Tensor

from subpixel.errors import CheckpointError

Tensors = Mapping[str, Tensor]

WRAPPERS = ("module.", "netG.")
"""The prefixes that DataParallel and GAN trainers add to every key."""

WITHIN = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""The parts that ``torch.compile``, FSDP and activation checkpointing insert into keys, at any
depth."""

COUNTERS = {"total_ops", "total_params", "n_averaged"}
"""The last parts of keys of counters beside the weights: thop's and ``AveragedModel``'s."""

MAX_PREFIXES = 8


def clean_keys(weights: Tensors) -> Tensors:
    """The weights without counters, by names without wrappers.

    Raises :class:`CheckpointError` where two weights then have the same name.
    """
    result: dict[str, Tensor] = {}
    for key, weight in weights.items():
        if key.rpartition(".")[2] not in COUNTERS:
            name = _without_wrappers(key)
            if name in result:
                raise CheckpointError(f"holds {name} twice, wrapped and as it is")
            result[name] = weight
    for wrapper in WRAPPERS:
        if result and all(key.startswith(wrapper) for key in result):
            result = {key.removeprefix(wrapper): value for key, value in result.items()}
    return result


def _without_wrappers(key: str) -> str:
    for wrapper in WITHIN:
        key = key.replace(wrapper, "")
    return key


def strip_prefixes(weights: Tensors) -> list[Tensors]:
    """The weights by their own names, and with the first part of the names removed while all share
    it.

    Trainers wrap networks under various names (``generator.``, ``model.``), but some networks have
    such a part themselves: the first candidate that is recognised counts. The last candidate is
    without any ``module.``, which DataParallel inserts around parts of a network.
    """
    candidates = [weights]
    while (first := _common_first_part(candidates[-1])) and len(candidates) < MAX_PREFIXES:
        candidates.append({k.removeprefix(first): v for k, v in candidates[-1].items()})
    inner = {key.replace(".module.", "."): value for key, value in candidates[-1].items()}
    if inner.keys() != candidates[-1].keys() and len(inner) == len(candidates[-1]):
        candidates.append(inner)
    return candidates


def _common_first_part(weights: Tensors) -> str | None:
    parts = {key.partition(".")[0] + "." for key in weights if "." in key}
    return parts.pop() if len(parts) == 1 and all("." in key for key in weights) else None
