"""Numbers within limits; what is none is answered by what is allowed, in words."""

import math
from typing import Generic, TypeVar

import click

NumberType = TypeVar("NumberType", int, float)


class _Bounded(click.ParamType, Generic[NumberType]):  # type: ignore[type-arg]
    """A number of ``min`` to ``max``, both allowed; ``min_open``: ``min`` itself is not."""

    kind: type[NumberType]
    noun = name = "number"

    def __init__(
        self,
        min: NumberType | None = None,  # noqa: A002 - as Click's own ranges have it
        max: NumberType | None = None,  # noqa: A002
        *,
        min_open: bool = False,
    ) -> None:
        self._min: NumberType | None = min
        self._max: NumberType | None = max
        self._min_open = min_open

    def convert(
        self, value: str | NumberType, param: click.Parameter | None, ctx: click.Context | None
    ) -> NumberType:
        try:
            number = self.kind(value)
        except ValueError:
            number = None
        if number is None or not self._admits(number):
            self.fail(f"{value!r} is no {self.noun}{self._describe_limits()}", param, ctx)
        return number

    def _admits(self, number: NumberType) -> bool:
        if isinstance(number, float) and not math.isfinite(number):
            return False
        if self._min_open and number == self._min:
            return False
        return (self._min is None or number >= self._min) and (
            self._max is None or number <= self._max
        )

    def _describe_limits(self) -> str:
        if self._min is not None and self._max is not None:
            return f" of {self._min} to {self._max}"
        if self._min is None:
            return "" if self._max is None else f" up to {self._max}"
        return f" above {self._min}" if self._min_open else f" of {self._min} or more"


class WholeNumber(_Bounded[int]):
    """As 3."""

    kind = int
    noun = "whole number"


class RealNumber(_Bounded[float]):
    """As 3 or 0.5."""

    kind = float
