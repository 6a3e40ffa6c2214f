"""Bisection by itself: where does a row of answers turn?"""

from collections.abc import Callable


def first_failing(count: int, fails: Callable[[int], bool]) -> int:
    """The first step of 1 … ``count`` that fails, where each one after it fails too.

    Step 0 is known to pass and step ``count`` to fail; neither is asked for. ``fails`` is called
    for about log₂(count) steps. Where the answers go to and fro, the result is one of the steps
    that fail after one that passes.
    """
    good, bad = 0, count
    while bad - good > 1:
        middle = (good + bad) // 2
        if fails(middle):
            bad = middle
        else:
            good = middle
    return bad
