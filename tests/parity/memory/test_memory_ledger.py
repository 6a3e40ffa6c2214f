"""What larger pictures will take, by smaller ones; and when they are not even tried."""

import pytest

from subpixel.parity.cases import Case
from subpixel.parity.memory.ledger import (
    FAR,
    LITTLE,
    SURE,
    MemoryLedger,
    TooLarge,
    describe_too_large,
)
from subpixel.system.machine_memory import free_memory

GIB = 1 << 30
MIB = 1 << 20
LARGE = Case(1, 400, 400, "noise")


def _case(side: int, batch: int = 1) -> Case:
    return Case(batch, side, side, "noise")


def test_of_a_local_network_memory_grows_with_the_area() -> None:
    ledger = MemoryLedger(local=True, taken={_case(100): 50 * MIB, _case(200): 200 * MIB})
    assert ledger.forecast(LARGE) == 800 * MIB
    assert ledger.forecast(_case(400, batch=3)) == 2400 * MIB


def test_of_global_attention_memory_grows_with_the_square_of_the_area() -> None:
    ledger = MemoryLedger(local=False, taken={_case(100): 50 * MIB, _case(200): 800 * MIB})
    assert ledger.forecast(LARGE) == pytest.approx(16 * 800 * MIB)


def test_of_windows_it_grows_as_it_was_seen_to() -> None:
    """A network that may look at the whole picture need not take memory for it."""
    ledger = MemoryLedger(local=False, taken={_case(100): 50 * MIB, _case(200): 210 * MIB})
    assert 840 * MIB < ledger.forecast(LARGE) < 900 * MIB
    alone = MemoryLedger(local=False, taken={_case(200): 200 * MIB})
    assert alone.forecast(LARGE) == 800 * MIB


@pytest.mark.parametrize("local", [True, False])
def test_neither_less_than_the_area_nor_more_than_its_square(local: bool) -> None:
    flat = MemoryLedger(local=local, taken={_case(100): 100 * MIB, _case(200): 100 * MIB})
    steep = MemoryLedger(local=local, taken={_case(100): 33 * MIB, _case(200): 3300 * MIB})
    assert flat.forecast(LARGE) == 400 * MIB
    assert steep.forecast(LARGE) == pytest.approx((4 if local else 16) * 3300 * MIB)


def test_only_what_lies_within_a_picture_tells_about_it() -> None:
    """A network may pad a strip to eight times its area: it says nothing of squares."""
    ledger = MemoryLedger(local=True, taken={Case(1, 8, 4096, "noise"): 4 * GIB})
    assert ledger.forecast(LARGE) == 0
    far = _case(200 * (int(FAR**0.5) + 1))
    assert MemoryLedger(local=True, taken={_case(200): GIB}).forecast(far) == 0
    assert MemoryLedger(local=True, taken={_case(200): MIB}).forecast(LARGE) == 0


def test_what_surely_takes_too_much_is_not_tried() -> None:
    ledger = MemoryLedger(local=True, max_memory=GIB, taken={_case(200): (SURE + 1) * GIB // 4})
    objection = ledger.object_to(LARGE)
    assert objection
    assert (objection.case, objection.forecast) == (LARGE, True)
    assert objection.need == (SURE + 1) * GIB
    assert 0 < objection.free <= GIB


def test_what_may_fit_is_tried() -> None:
    ledger = MemoryLedger(local=True, max_memory=GIB, taken={_case(200): GIB // 5})
    assert ledger.object_to(LARGE) is None
    assert ledger.object_to(_case(1)) is None


def test_nothing_larger_than_what_was_refused_is_tried() -> None:
    ledger = MemoryLedger(local=True, max_memory=GIB, refused={_case(200): GIB})
    larger = ledger.object_to(LARGE)
    assert larger
    assert not larger.forecast
    assert larger.need == larger.free <= GIB
    for other in (_case(199), Case(1, 16, 4096, "noise")):
        assert ledger.object_to(other) is None, "it does not contain the one that was refused"


def test_a_case_may_take_what_is_free_and_no_more_than_is_allowed() -> None:
    case = _case(8)
    for most in (None, 64 * MIB, 1 << 60):
        ledger = MemoryLedger(local=True, max_memory=most)
        with ledger.run(case) as usage:
            assert 0 < usage.free <= min(free_memory() * 1.1, most or 1 << 60)
        assert case in ledger.taken


def test_where_next_to_nothing_is_free_nothing_is_tried() -> None:
    objection = MemoryLedger(local=True, max_memory=LITTLE - 1).object_to(_case(1))
    assert objection
    assert objection.told == "more than 0.1 GB of memory, where 0.1 GB were free"


def test_a_case_that_was_refused_is_noted() -> None:
    case, ledger = _case(8), MemoryLedger(local=True, max_memory=64 * MIB)
    with pytest.raises(MemoryError), ledger.run(case):
        raise MemoryError
    assert case not in ledger.taken
    assert ledger.refusal(case).told == "more than 0.1 GB of memory, where 0.1 GB were free"


def test_each_size_is_one_line() -> None:
    cases = [
        TooLarge(Case(1, 512, 500, "noise"), 21 * 10**9, 12 * 10**9, forecast=True),
        TooLarge(Case(1, 512, 500, "photo"), 20 * 10**9, 12 * 10**9, forecast=True),
        TooLarge(Case(3, 224, 224, "noise"), 12 * 10**9, 12 * 10**9, forecast=False),
    ]
    assert describe_too_large(cases) == [
        "3×224×224 (noise): more than 12.0 GB of memory, where 12.0 GB were free",
        "1×512×500 (noise, photo): about 21.0 GB of memory, where 12.0 GB were free",
    ]
    assert describe_too_large([]) == []
