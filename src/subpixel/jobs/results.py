"""What becomes of the inputs of a job, and how it is told meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from subpixel.network.settings import RunSettings
from subpixel.upscaling.choice.choose import NetworkChoice

JobReport = Callable[[str, int, int], None]
"""Gets a picture's name, the runs done of it, and their total; of a film its frames."""

JobTell = Callable[[str], None]
"""Gets lines that are to be read before the work on a film."""


@dataclass(frozen=True)
class JobResult:
    """What became of one picture."""

    input: Path
    output: Path | None = None
    width: int | None = None
    """Of the larger picture as people see it, upright."""
    height: int | None = None
    """The same."""
    scales: tuple[int, ...] = ()
    """Of the networks that it passed in turn."""
    note: str | None = None
    """What a user may not expect, in a line: that no network was used."""
    seconds: float | None = None
    megapixels: float | None = None
    """Of the output's frames together, in 10⁶ pixels."""
    frames: int | None = None
    """Of a film, those that became larger."""
    losses: tuple[str, ...] = ()
    setting: RunSettings | None = None
    """How it was computed; None where no network was used."""
    choice: NetworkChoice | None = None
    """The network that was chosen for it and why, where none was named."""
    replaced: str | None = None
    """Why it took the place of an earlier result, where nobody asked for that."""
    error: str | None = None
    trace: str | None = None
    """Where an error struck that is a fault of this package, in several lines."""
    elsewhere: bool = False
    """Whether another run that is at work at the same time did it, or failed at it."""
