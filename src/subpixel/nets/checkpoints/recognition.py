"""Recognition of the architecture of weights: every known one is tried, in order."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from subpixel.errors import CheckpointError
from subpixel.nets.architectures import (
    edsr,
    espcn,
    fsrcnn,
    plain,
    span,
    srcnn,
    superresolution,
    vdsr,
)
from subpixel.nets.architectures.architecture import Architecture, Checkpoint
from subpixel.nets.checkpoints.keys import strip_prefixes
from subpixel.nets.checkpoints.normalisation import fuse_norms
from subpixel.nets.checkpoints.selection import own_parts
from subpixel.nets.checkpoints.state_dict import Weights, first_few

OWN_ARCHITECTURES = (
    superresolution.REFERENCE_ARCHITECTURE,
    plain.PLAIN_ARCHITECTURE,
    espcn.ESPCN_ARCHITECTURE,
    fsrcnn.FSRCNN_ARCHITECTURE,
    srcnn.SRCNN_ARCHITECTURE,
    vdsr.VDSR_ARCHITECTURE,
    edsr.EDSR_ARCHITECTURE,
)
"""The networks that subpixel builds itself, in the order in which they are tried."""

EXTRA_PACKAGE = "spandrel_extra_arches"


@dataclass(frozen=True)
class Misfit:
    """An architecture whose keys the weights have, and why they don't fit."""

    architecture: Architecture
    reason: str


@dataclass(frozen=True)
class Likeness:
    """How many of an architecture's signature keys the weights have."""

    architecture: Architecture
    telling: int
    missing: tuple[str, ...]
    """Those that the weights have under no number at all."""
    absent: tuple[str, ...]
    """Those that they lack as they are."""

    @property
    def share(self) -> float:
        return 1 - len(self.missing) / self.telling


def recognise(weights: Weights, scale: int | None, *, extra: bool) -> Checkpoint:
    """The network that the weights belong to, with the weights loaded.

    Detectors check only a few keys and may be wrong, so the first network counts that accepts all
    weights; weight and spectral norms are folded where the network has plain weights. Of a training
    module that contains several networks, the one that is recognised is used. ``scale`` is for
    networks whose weights don't reveal it; ``extra`` also tries the networks of
    spandrel_extra_arches. Raises :class:`CheckpointError`, which names the closest architecture and
    the differences.
    """
    asked: list[Architecture] = []
    misfits: list[Misfit] = []
    network = _try_architectures(weights, scale, extra, asked, misfits)
    if network is None and (parts := own_parts(weights)):
        network = _only_one(parts, scale, extra)
    if network is None:
        raise CheckpointError(_why_not(weights, asked, misfits, extra))
    return network


def _try_architectures(
    weights: Weights,
    scale: int | None,
    extra: bool,
    asked: list[Architecture],
    misfits: list[Misfit],
) -> Checkpoint | None:
    for family in _families(extra):
        architectures = family()
        asked += architectures
        for candidate in _forms(weights):
            network = _first_fit(candidate, architectures, scale, misfits)
            if network:
                return network
    return None


def _forms(weights: Weights) -> list[Weights]:
    """The candidates for the weights: without prefixes, with norms folded."""
    fused = fuse_norms(weights)
    plain = [] if fused.keys() == weights.keys() else strip_prefixes(fused)
    return [*strip_prefixes(weights), *plain]


def _only_one(
    parts: Sequence[tuple[str, Weights]], scale: int | None, extra: bool
) -> Checkpoint | None:
    """The only network among the parts of a training module; None where none is recognised."""
    networks = {
        name: network
        for name, part in parts
        if (network := _try_architectures(part, scale, extra, [], [])) is not None
    }
    if len(networks) > 1:
        names = ", ".join(networks)
        raise CheckpointError(
            f"holds several networks: {names}; choose one: --weights {next(iter(networks))}"
        )
    for name, network in networks.items():
        note = f"weights {name}, the network among its parts" if name else "the network alone"
        return replace(network, notes=(*network.notes, note))
    return None


def _families(extra: bool) -> list[Callable[[], Sequence[Architecture]]]:
    return [lambda: OWN_ARCHITECTURES, _of_spandrel, *([_of_the_extra_package] if extra else [])]


def _of_spandrel() -> Sequence[Architecture]:
    # Importing all of spandrel's networks takes a second, which subpixel's own don't need.
    from subpixel.nets.spandrel.networks import main_architectures

    return [*main_architectures(), span.FOLDED_SPAN]


def _of_the_extra_package() -> Sequence[Architecture]:
    from subpixel.nets.spandrel.networks import extra_architectures

    return extra_architectures()


def _first_fit(
    weights: Weights,
    architectures: Sequence[Architecture],
    scale: int | None,
    misfits: list[Misfit],
) -> Checkpoint | None:
    for architecture in architectures:
        if architecture.detects(weights):
            try:
                return architecture.load(weights, scale)
            except CheckpointError as error:
                misfits.append(Misfit(architecture, str(error)))
    return None


def _why_not(
    weights: Weights, asked: Sequence[Architecture], misfits: Sequence[Misfit], extra: bool
) -> str:
    unasked = [] if extra or not find_spec(EXTRA_PACKAGE) else _of_the_extra_package()
    for architecture in unasked:
        if any(architecture.detects(candidate) for candidate in strip_prefixes(weights)):
            return (
                f"holds the network {architecture.name}, which {EXTRA_PACKAGE} knows; some "
                "licences there forbid commercial use, so its networks are loaded on request "
                "alone: --extra-architectures, or extra_architectures=True"
            )
    if misfits:
        surest = max(misfits, key=lambda misfit: max(map(len, misfit.architecture.signatures)))
        return f"looks like {surest.architecture.name}, but {surest.reason}{OWN_CODE}"
    return _describe_unknown(weights, [*asked, *unasked])


def _describe_unknown(weights: Weights, architectures: Sequence[Architecture]) -> str:
    keys = ", ".join(list(weights)[:4]) + (", …" if len(weights) > 4 else "")
    message = f"holds no network that subpixel knows; its weights: {keys or 'none'}"
    likenesses = [
        likeness(candidate, architecture)
        for candidate in strip_prefixes(weights)
        for architecture in architectures
    ]
    nearest = max(likenesses, key=lambda one: (one.share, -len(one.absent), one.telling))
    if nearest.share > 0:
        missing = nearest.missing or nearest.absent
        message += (
            f"; the nearest is {nearest.architecture.name}, of whose {nearest.telling} telling "
            f"keys they have {nearest.telling - len(missing)}, without "
            f"{first_few(list(missing))}"
        )
    return message + (_like_a_classifier(weights) or OWN_CODE)


def likeness(weights: Weights, architecture: Architecture) -> Likeness:
    """How similar the weights are to ``architecture``, by the best of its signatures.

    Numbers in keys are ignored, so depth and width make no difference.
    """
    patterns = {_pattern(key) for key in weights}
    telling = [
        Likeness(
            architecture,
            len(signature),
            tuple(sorted(key for key in signature if _pattern(key) not in patterns)),
            tuple(sorted(signature - weights.keys())),
        )
        for signature in architecture.signatures
    ]
    return max(telling, key=lambda one: (one.share, -len(one.absent), one.telling))


def _pattern(key: str) -> str:
    return re.sub(r"\d+", "#", key)


OWN_CODE = (
    "; a network of your own goes in by a function that builds it and loads these weights: "
    "--module PACKAGE.MODULE:FACTORY, or the module itself to subpixel.export"
)
"""What to do with weights of unknown code."""

_LAST_LAYER = re.compile(r"(.*\.)?(fc|classifier(\.\d+)?|head|heads\.head|logits)\.weight")


def _like_a_classifier(weights: Weights) -> str:
    for key, weight in weights.items():
        if weight.ndim == 2 and _LAST_LAYER.fullmatch(key):
            return (
                f"; a fully connected layer ({key}) computes {weight.shape[0]} outputs from the "
                "whole picture, as in a classifier"
            )
    return ""
