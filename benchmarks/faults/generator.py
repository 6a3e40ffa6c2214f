"""Faults drawn from a seed."""

from collections.abc import Sequence

import numpy as np
import onnx

from faults.fault import Edit, Fault, Kind
from faults.hosts import RECIPES, host
from faults.kinds import FAMILIES, KINDS
from faults.oracle import open_judge, witness

TRIES = 40
"""How many kinds and hosts are tried: not every host has a place for every kind."""

STRANGERS = 0.25
"""Share of the faulty files that carry no facts, as another tool would write them."""


def draw(seed: int, index: int, kinds: Sequence[Kind] = KINDS) -> Fault | None:
    """Fault number ``index`` of the campaign ``seed``; None where no host has a place for it.

    Families take turns, so that none is rare for having few kinds; kind, host and the rest are
    drawn. The same numbers give the same fault.
    """
    random = np.random.default_rng((seed, index))
    families = [family for family in FAMILIES if any(kind.family == family for kind in kinds)]
    own = [kind for kind in kinds if kind.family == families[index % len(families)]]
    for _ in range(TRIES):
        kind, name = own[random.integers(len(own))], str(random.choice(list(RECIPES)))
        edit = kind.make(host(name).model, random)
        if edit is not None and is_valid(edit.model):
            stranger = kind.family != "facts" and random.random() < STRANGERS
            return _judged(kind, (seed, index), name, edit, stranger)
    return None


def is_valid(model: onnx.ModelProto) -> bool:
    """Whether it is an ONNX file at all: faults are those that no checker finds."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError:
        return False
    return True


def _judged(kind: Kind, seed: tuple[int, int], name: str, edit: Edit, stranger: bool) -> Fault:
    reference = edit.reference or host(name).model
    faulty = onnx.ModelProto()
    faulty.CopyFrom(edit.model)
    if stranger:
        del faulty.metadata_props[:]
    found = witness(open_judge(reference, faulty), edit)
    return Fault(kind, seed, name, reference, faulty, edit.nodes, found)
