"""Bisection by itself, on made-up answers."""

import math

from hypothesis import given
from hypothesis import strategies as st

from subpixel.parity.search import first_failing


@given(st.data(), st.integers(1, 5000))
def test_finds_the_turn_in_few_steps(data: st.DataObject, count: int) -> None:
    turn = data.draw(st.integers(1, count))
    asked: list[int] = []

    def fails(step: int) -> bool:
        asked.append(step)
        return step >= turn

    assert first_failing(count, fails) == turn
    assert len(asked) <= math.ceil(math.log2(count)) if count > 1 else not asked
    assert all(0 < step < count for step in asked), "both ends are known"


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_answers_to_and_fro_still_give_a_turn(answers: list[bool]) -> None:
    known = [False, *answers, True]
    step = first_failing(len(known) - 1, lambda i: known[i])
    assert known[step]
    assert not known[step - 1]
