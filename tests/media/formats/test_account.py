"""What is said of a file's parts."""

from hypothesis import given
from hypothesis import strategies as st

from subpixel.media.formats.account import (
    MAX_LOSSES,
    FilePart,
    collect_losses,
    escape_name,
    leave_out,
)


def test_what_is_kept_is_not_named() -> None:
    assert collect_losses([FilePart("a chunk tEXt", 7), FilePart("the pixels", 10**9)]) == ()


def test_a_part_without_a_place_is_named_with_its_size_and_a_guess() -> None:
    (loss,) = collect_losses([leave_out("a segment APP11", 3211, "C2PA?")])
    assert str(loss) == "unknown data: a segment APP11 of 3,211 bytes (C2PA?) is left out"


def test_like_parts_are_one_loss() -> None:
    (loss,) = collect_losses([leave_out("a chunk vpAg", 9), leave_out("a chunk vpAg", 11)])
    assert "a chunk vpAg of 9 bytes" in loss.why
    assert "1 more like it, 20 bytes in all" in loss.why


@given(st.sets(st.text(min_size=1), min_size=1, max_size=60))
def test_many_kinds_are_counted(kinds: set[str]) -> None:
    losses = collect_losses(leave_out(kind, 1) for kind in kinds)
    assert len(losses) == min(len(kinds), MAX_LOSSES + 1)
    rest = len(kinds) - MAX_LOSSES
    assert rest <= 0 or losses[-1].why.startswith(f"{rest} further")


@given(st.binary(min_size=4, max_size=4))
def test_names_are_shown_without_control_characters(name: bytes) -> None:
    assert escape_name(name).isprintable()
