"""A small file that failed once, or would have: what it does and what must happen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tests.robustness.seeds.seed import Seed

Outcome = Literal["ok", "refused", "stopped", "left", "hang"]

TAKEN: tuple[Outcome, ...] = ("ok", "left")
"""The picture is enlarged; a very large one begins well."""

REFUSED: tuple[Outcome, ...] = ("refused",)

REFUSED_OR_STOPPED: tuple[Outcome, ...] = ("refused", "stopped")
"""A limit that is there for it counts as a refusal."""

ENDLESS: tuple[Outcome, ...] = ("hang",)
"""Not promised: a network that states its facts is run for as long as it takes; Ctrl-C ends it."""

EITHER: tuple[Outcome, ...] = ("ok", "left", "refused")
"""Damaged in a way that decoders mend or don't."""


@dataclass(frozen=True)
class HostileFile:
    """A file of the corpus. Whatever its outcome, it takes little time and memory, and nothing is
    left half-written."""

    name: str
    """With its suffix."""
    purpose: str
    build: Callable[[], bytes]
    outcomes: tuple[Outcome, ...] = EITHER
    """Those that are right."""

    def make(self) -> Seed:
        """The file."""
        return Seed(self.name, self.build())


def family(
    pattern: str,
    purpose: str,
    build: Callable[[int], bytes],
    numbers: Iterable[int],
    outcomes: tuple[Outcome, ...] = EITHER,
) -> tuple[HostileFile, ...]:
    """One construction in several sizes; ``pattern`` has a ``{}`` for the number."""
    return tuple(
        HostileFile(pattern.format(n), purpose, partial(build, n), outcomes) for n in numbers
    )
