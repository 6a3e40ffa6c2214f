"""Bisection by itself, on made-up answers."""

import math

from hypothesis import given
from hypothesis import strategies as st

from subpixel.parity.bisect.locate import bracket_turn


@given(st.data(), st.integers(1, 5000))
def test_finds_the_turn_in_few_steps(data: st.DataObject, count: int) -> None:
    turn = data.draw(st.integers(1, count))
    asked: list[int] = []

    def fails(step: int) -> bool:
        asked.append(step)
        return step >= turn

    assert bracket_turn(count, fails) == (turn - 1, turn)
    assert len(asked) <= math.ceil(math.log2(count)) if count > 1 else not asked
    assert all(0 < step < count for step in asked), "both ends are known"


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_answers_to_and_fro_still_give_a_turn(answers: list[bool]) -> None:
    known = [False, *answers, True]
    low, high = bracket_turn(len(known) - 1, lambda i: known[i])
    assert high == low + 1
    assert known[high]
    assert not known[low]


@given(st.data(), st.integers(1, 300))
def test_steps_that_cannot_be_judged_only_widen_the_bracket(
    data: st.DataObject, count: int
) -> None:
    turn = data.draw(st.integers(1, count))
    unknown = data.draw(st.sets(st.integers(1, count - 1))) if count > 1 else set()
    low, high = bracket_turn(count, lambda step: None if step in unknown else step >= turn)
    assert low < turn <= high
    assert set(range(low + 1, high)) <= unknown, "no step that can be judged is left out"
    assert not {low, high} & unknown
