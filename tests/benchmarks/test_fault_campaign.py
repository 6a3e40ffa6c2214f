"""A fixed part of the attack on the proof: ``python benchmarks/fault_campaign.py`` is the whole."""

from pathlib import Path

import pytest
from fault_campaign import saved, verified
from faults.fault import Fault, Kind
from faults.generator import draw
from faults.hosts import RECIPES, host
from faults.kinds import FAMILIES, KINDS
from faults.oracle import open_judge
from faults.sights import search

SEED = 1

QUICK = (
    "side above",
    "remainder",
    "bright not white",
    "length in single precision",
    "beyond",
    "later pictures",
    "cut at a length",
    "dropout",
    "small halo",
    "half precision over a gain",
)
"""One of each sort that has passed once."""


def kind_of(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def drawn(name: str) -> Fault:
    """The first harmful fault of the kind."""
    faults = (draw(SEED, index, [kind_of(name)]) for index in range(12))
    return next(fault for fault in faults if fault and fault.witness)


def expect_caught(fault: Fault, folder: Path) -> None:
    caught, verdict = verified(*saved(fault, folder, checkpoint=False))
    assert caught, f"{fault.name} changes {fault.witness}, and verify says: {verdict}"


@pytest.mark.sample(every=13)
@pytest.mark.parametrize("name", QUICK)
def test_a_fault_is_caught(name: str, tmp_path: Path) -> None:
    expect_caught(drawn(name), tmp_path)


@pytest.mark.sample(every=30, slow=3)
@pytest.mark.parametrize("index", range(30))
def test_the_first_of_a_campaign_are_caught(index: int, tmp_path: Path) -> None:
    fault = draw(SEED, index)
    assert fault is not None
    if fault.witness is not None:
        expect_caught(fault, tmp_path)


def test_the_same_seed_gives_the_same_fault() -> None:
    first, again = (draw(SEED, 3) for _ in range(2))
    assert first is not None
    assert again is not None
    assert first.faulty == again.faulty
    assert first.witness == again.witness


def test_another_seed_gives_another_fault() -> None:
    first, other = draw(SEED, 3), draw(SEED + 1, 3)
    assert first is not None
    assert other is not None
    assert first.faulty != other.faulty


@pytest.mark.sample(every=7, slow=3)
@pytest.mark.parametrize("name", RECIPES)
def test_the_oracle_finds_nothing_in_an_honest_file(name: str) -> None:
    """Tiles included; the large pictures at the end of the search apart."""
    model = host(name).model
    judge = open_judge(model, model)
    assert not any(judge.changes(sight) for sight in list(search())[:-2:7])


def test_kinds_have_names_of_their_own_and_every_family_has_its_turn() -> None:
    names = [(kind.family, kind.name) for kind in KINDS]
    assert len(names) == len(set(names))
    assert {kind.family for kind in KINDS} == set(FAMILIES)
