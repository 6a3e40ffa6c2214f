"""Bisection by itself: where does a row of answers turn?"""

from collections.abc import Callable


def bracket_turn(count: int, fails: Callable[[int], bool | None]) -> tuple[int, int]:
    """The narrowest known bracket of the turn from passing to failing in the steps 0 … ``count``.

    Step 0 is known to pass and step ``count`` to fail; neither is asked for. ``fails`` gives None
    for a step that can't be judged: it is no evidence for either side, and the steps next to it
    are asked instead. Without such steps the bracket is one step wide, and ``fails`` is called
    for about log₂(count) steps; steps between the ends of a wider bracket can't be judged. Where
    the answers go to and fro, it is one of the places where a step that fails follows one that
    passes.
    """
    low, high = 0, count
    while (answer := _nearest_answer(low, high, fails)) is not None:
        step, failed = answer
        low, high = (low, step) if failed else (step, high)
    return low, high


def _nearest_answer(
    low: int, high: int, fails: Callable[[int], bool | None]
) -> tuple[int, bool] | None:
    """The step nearest to the middle, between ``low`` and ``high``, that can be judged."""
    middle = (low + high) // 2
    for step in sorted(range(low + 1, high), key=lambda step: abs(step - middle)):
        failed = fails(step)
        if failed is not None:
            return step, failed
    return None
