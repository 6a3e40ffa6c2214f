"""A place where networks run: a row of the table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from places.jobs import Case

Results = Iterator[tuple[Case, np.ndarray]]
"""Cases and the larger pictures that came of them, in 8 bits, as they come."""


def _lacks_nothing() -> None:
    return None


def _takes_all(_case: Case) -> bool:
    return True


@dataclass(frozen=True)
class Place:
    """One platform, or one way to run a network."""

    key: str
    title: str
    run: Callable[[Sequence[Case], Path], Results]
    """With a folder for its files. Raises any exception, or skips as a test does."""
    lack: Callable[[], str | None] = _lacks_nothing
    """Why it can't run here."""
    takes: Callable[[Case], bool] = _takes_all
    exact: bool = True
    """Whether integer networks must have the same sha256 here."""
