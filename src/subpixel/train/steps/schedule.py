"""Where in its recipe a run is: by steps, or by the time that it has."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from subpixel.train.presets import LossName, Preset

LATE = 2 / 3
"""Of the steps before fine-tuning: from here on crops are of ``late_crop``."""

WARM_UP_STEPS = 100


@dataclass(frozen=True)
class Phase:
    """Steps that are computed alike."""

    loss: LossName
    rounded: bool
    """In bfloat16 where the device has it."""
    batch: int
    crop: int
    finetuning: bool = False


def phase_at(preset: Preset, place: float) -> Phase:
    """``place`` counts steps of the preset; 4.5 is half-way through the fifth."""
    late = preset.late_crop if place >= preset.steps * LATE else None
    crop = late or preset.crop
    batch = max(2, round(preset.batch * preset.crop**2 / crop**2)) if late else preset.batch
    if place >= preset.steps:
        return Phase("l2", False, batch, crop, finetuning=True)
    return Phase(preset.loss, True, batch, crop)


def learning_rate(preset: Preset, place: float, step: int | None = None) -> float:
    """Half a cosine over the whole run, with a hundred steps of linear warm-up; ``step`` is the
    number of steps taken, where that isn't ``place``."""
    taken = place if step is None else step
    warm_up = min(1.0, (taken + 1) / WARM_UP_STEPS)
    progress = min(place / preset.length, 1.0)
    return warm_up * preset.rate * 0.5 * (1 + math.cos(math.pi * progress))


class Clock:
    """Places in the recipe by steps or, with ``seconds``, by how much of them is over.

    ``spent`` are the seconds of earlier sessions of the same run. ``settle`` waits until the device
    has done what it was told; by time it is called every ``interval`` steps, as one that is asked
    for every step would wait for nothing else.
    """

    def __init__(
        self,
        preset: Preset,
        seconds: float | None,
        spent: float,
        settle: Callable[[], None] = lambda: None,
        interval: int = 1,
    ) -> None:
        self._preset, self._seconds, self._spent = preset, seconds, spent
        self._settle, self._interval = settle, interval
        self._started, self._place = time.monotonic(), 0.0

    @property
    def spent(self) -> float:
        """Seconds of all sessions of the run."""
        return self._spent + time.monotonic() - self._started

    def place(self, step: int) -> float:
        """Of the step after ``step`` steps; the preset's length or more at the end."""
        if self._seconds is None:
            return step
        if step % self._interval == 0 or self._place == 0:
            self._settle()
            self._place = self.spent / self._seconds * self._preset.length
        return self._place

    def seconds_left(self, step: int, first: int) -> float:
        """About, for a session that began after ``first`` steps."""
        if self._seconds is not None:
            return max(0.0, self._seconds - self.spent)
        session = time.monotonic() - self._started
        return session / max(step - first, 1) * (self._preset.length - step)
