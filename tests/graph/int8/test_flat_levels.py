"""Flat areas keep their level in integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from subpixel.graph.int8.flat_levels import SPARE, FlatErrors, room_for_errors, shift_flats

STEPS = [share / 114 for share in range(1, 128)]
MOST = max(map(room_for_errors, STEPS))


def errors(*ends: tuple[float, float]) -> FlatErrors:
    """Of channels whose errors lie between these ends."""
    return np.linspace(*np.transpose(ends), 256)


@pytest.mark.parametrize("step", STEPS)
def test_the_room_is_where_rounding_keeps_the_level(step: float) -> None:
    room = room_for_errors(step)
    for error, stays in ((room - 1e-6, True), (room + 1e-6, False)):
        shown = round(error / step) * step
        assert (shown < 0.5 and round(shown) == 0) == stays


def test_steps_just_below_a_half_have_the_most_room() -> None:
    """One step up or down still rounds to the level."""
    assert max(STEPS, key=room_for_errors) == 56 / 114
    assert MOST == 84 / 114


@pytest.mark.parametrize("step", [0.1, 0.7, 1.0])
def test_what_keeps_its_levels_is_left_alone(step: float) -> None:
    room = room_for_errors(step) - 1e-6
    assert shift_flats(errors((-room, room), (0.0, 0.1)), step, MOST) is None


def test_one_that_is_beside_the_room_is_moved_into_it() -> None:
    shift = shift_flats(errors((-0.3, 0.4), (-0.1, 0.1)), 0.71, MOST)
    assert shift is not None
    assert shift.room > 0.355  # of 0.71; 0.7 lies within it only without spare room
    assert -0.06 < shift.shifts[0] < -0.04
    assert shift.shifts[1] == 0


def test_where_errors_lie_far_apart_steps_give_more_room() -> None:
    shift = shift_flats(errors((-0.45, 0.45)), 0.71, MOST)
    assert shift is not None
    assert 0.45 < shift.room < 0.5
    assert np.allclose(shift.shifts, 0)


def test_what_no_step_has_room_for_is_put_into_its_middle() -> None:
    shift = shift_flats(errors((-0.3, 1.3)), 0.71, MOST)
    assert shift is not None
    assert shift.room == MOST
    assert np.allclose(shift.shifts, -0.5)


@given(
    arrays(float, (256, 3), elements=st.floats(-1, 1)),
    st.sampled_from(STEPS),
)
def test_all_levels_are_kept_where_their_errors_are_near_enough(
    found: FlatErrors, step: float
) -> None:
    shift = shift_flats(found, step, MOST)
    if shift is None:
        assert np.abs(found).max() < room_for_errors(step)
        return
    near = np.ptp(found, axis=0) <= 2 * MOST * (1 - SPARE)
    moved = np.abs(found + shift.shifts).max(axis=0)
    assert (moved[near] < shift.room).all()
    assert shift.room <= MOST
