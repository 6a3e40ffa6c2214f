"""Two sides in pixels, written as one word: 1920x1080."""

import re

import click


class Sides(click.ParamType):  # type: ignore[type-arg]
    """The numbers of such a word, in its order."""

    def __init__(self, sides: str, example: str, max_digits: int) -> None:
        """``sides`` says which comes first, ``"width x height"``; a side has up to ``max_digits``
        digits."""
        self.name = sides.replace(" ", "")
        self._sides, self._example = sides, example
        self._pattern = re.compile(rf"(\d{{1,{max_digits}}})[x×](\d{{1,{max_digits}}})")

    def convert(
        self,
        value: str | tuple[int, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = self._pattern.fullmatch(value.strip().lower())
        if match is None or not (int(match[1]) and int(match[2])):
            self.fail(f"{value!r} is no size; write {self._sides}, as {self._example}", param, ctx)
        return int(match[1]), int(match[2])
