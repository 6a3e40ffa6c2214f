"""What callers give, checked where it is taken; numpy's own numbers count as Python's."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import cast

from subpixel.errors import UsageError


def expect_integer(
    name: str, value: object, low: int, high: int | None = None, *, hint: str = ""
) -> None:
    """Raise :class:`UsageError`, ending in ``hint``, unless ``value`` is an integer of ``low`` to
    ``high``; True and False are none."""
    if not isinstance(value, Integral) or not _is_in_range(value, low, high):
        limits = f"{low} or more" if high is None else f"{low} to {high}"
        raise UsageError(f"{name} is {value!r}; it is a whole number of {limits}{hint}")


def expect_number(
    name: str, value: object, low: float, high: float | None = None, *, hint: str = ""
) -> None:
    """The same for any real number; without ``high`` it is above ``low`` and finite."""
    if high is None:
        fits = _is_in_range(value, low, None) and value != low
        limits = f"above {low:g}"
    else:
        fits, limits = _is_in_range(value, low, high), f"of {low:g} to {high:g}"
    if not fits:
        raise UsageError(f"{name} is {value!r}; it is a number {limits}{hint}")


def expect_choice(name: str, value: object, allowed: Sequence[str], *, hint: str = "") -> None:
    """Raise :class:`UsageError`, ending in ``hint``, unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}; it is one of {', '.join(allowed)}{hint}")


def expect_kind(name: str, value: object, kind: type, *, hint: str) -> None:
    """Raise :class:`UsageError`, ending in ``hint``, unless ``value`` is a ``kind``."""
    if not isinstance(value, kind):
        given = type(value)
        raise UsageError(
            f"{name} is of {given.__module__}.{given.__qualname__}; give {kind.__name__}: {hint}"
        )


def _is_in_range(value: object, low: float, high: float | None) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    number = cast(float, value)
    return bool(low <= number != math.inf and (high is None or number <= high))
