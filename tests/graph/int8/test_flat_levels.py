"""Flat areas keep their level in integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from subpixel.graph.int8.flat_levels import SPARE, FlatErrors, shift_flats

ROOM, MOST = 0.355, 84 / 114


def errors(*ends: tuple[float, float]) -> FlatErrors:
    """Of channels whose errors lie between these ends."""
    return np.linspace(*np.transpose(ends), 256)


@pytest.mark.parametrize("room", [0.355, 0.5, MOST])
def test_what_keeps_its_levels_is_left_alone(room: float) -> None:
    most = room - 1e-6
    assert shift_flats(errors((-most, most), (0.0, 0.1)), room, MOST) is None


def test_one_that_is_beside_the_room_is_moved_into_it() -> None:
    shift = shift_flats(errors((-0.3, 0.4), (-0.1, 0.1)), ROOM, MOST)
    assert shift is not None
    assert shift.room > ROOM  # 0.7 wide, it lies within it only without spare room
    assert -0.06 < shift.shifts[0] < -0.04
    assert shift.shifts[1] == 0


def test_where_errors_lie_far_apart_steps_give_more_room() -> None:
    shift = shift_flats(errors((-0.45, 0.45)), ROOM, MOST)
    assert shift is not None
    assert 0.45 < shift.room < 0.5
    assert np.allclose(shift.shifts, 0)


def test_what_no_step_has_room_for_is_put_into_its_middle() -> None:
    shift = shift_flats(errors((-0.3, 1.3)), ROOM, MOST)
    assert shift is not None
    assert shift.room == MOST
    assert np.allclose(shift.shifts, -0.5)


@given(
    arrays(float, (256, 3), elements=st.floats(-1, 1)),
    st.floats(0.1, MOST),
)
def test_all_levels_are_kept_where_their_errors_are_near_enough(
    found: FlatErrors, room: float
) -> None:
    shift = shift_flats(found, room, MOST)
    if shift is None:
        assert np.abs(found).max() < room
        return
    near = np.ptp(found, axis=0) <= 2 * MOST * (1 - SPARE)
    moved = np.abs(found + shift.shifts).max(axis=0)
    assert (moved[near] < shift.room).all()
    assert shift.room <= MOST
