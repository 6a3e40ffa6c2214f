"""Each harness takes its seeds and mutants of them; a fault gets through it."""

import pytest
from tests.robustness.harnesses.fuzz import run_plainly
from tests.robustness.harnesses.parsers import HARNESSES, Harness, _refusing

from subpixel.errors import PictureError
from subpixel.media.formats.registry import FORMATS

NAMES = [harness.name for harness in HARNESSES]


def test_every_format_has_a_harness() -> None:
    assert {form.suffixes[0][1:] for form in FORMATS} <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("harness", HARNESSES, ids=lambda harness: harness.name)
def test_seeds_reach_the_parser(harness: Harness) -> None:
    seeds = harness.seeds()
    assert seeds
    for seed in seeds:
        harness.parse(seed.data)


@pytest.mark.parametrize("name", NAMES)
def test_mutants_are_taken_or_refused(name: str) -> None:
    run_plainly(name, 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_mutants_are_taken_or_refused(name: str) -> None:
    run_plainly(name, 1000, seed=1)


def test_a_refusal_is_no_fault_and_all_else_is() -> None:
    def refuse(_data: bytes) -> None:
        raise PictureError("damaged")

    def fail(_data: bytes) -> None:
        raise IndexError("nothing there")

    _refusing(refuse)(b"")
    with pytest.raises(IndexError):
        _refusing(fail)(b"")
