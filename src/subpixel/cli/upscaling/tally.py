"""What came of a job, in numbers: no more is held of a picture once its line was printed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from subpixel.cli.feedback import describe_picture, format_count
from subpixel.jobs.folder import describe_omissions
from subpixel.jobs.outputs import JobPlan
from subpixel.jobs.results import JobResult
from subpixel.network.settings import RunSettings


@dataclass
class JobTally:
    """The running totals of a job, which may have millions of pictures."""

    written: int = 0
    settled: int = 0
    """Those that turned out to be done already, or were by another run."""
    failed: int = 0
    megapixels: float = 0.0
    losses: Counter[str] = field(default_factory=Counter)
    """By kind, how many pictures lost something."""
    settings: set[RunSettings] = field(default_factory=set)
    """In which pictures were computed."""
    first: JobResult | None = None
    """Of those that were written."""

    def take(self, result: JobResult) -> None:
        """What became of one picture."""
        if result.setting is not None:
            self.settings.add(result.setting)
        if result.error is not None:
            self.failed += 1
        elif result.elsewhere:
            self.settled += 1
        else:
            self._take_written(result)

    def _take_written(self, result: JobResult) -> None:
        self.first = self.first or result
        self.written += 1
        self.megapixels += result.megapixels or 0.0
        kinds = dict.fromkeys(loss.partition(":")[0] for loss in result.losses)
        self.losses.update(list(kinds))  # of a mapping the values would be added

    @property
    def done(self) -> int:
        """Pictures that need no more work in this run."""
        return self.written + self.settled + self.failed

    def describe(self, seconds: float) -> Iterator[str]:
        """The totals after so many seconds, and what was lost, in a line each."""
        speed = f" ({self.megapixels / seconds:,.1f} megapixels a second)" if seconds else ""
        yield (
            f"{format_count(self.written, 'picture')} written, {self.megapixels:,.1f} megapixels "
            f"in {seconds:,.1f} s"
            + (speed if self.written else "")
            + (f"; {self.settled:,} done already, or by another run" if self.settled else "")
            + (f"; {self.failed:,} failed" if self.failed else "")
        )
        if self.losses:
            counts = self.losses.most_common()
            kinds = (f"{kind} of {format_count(count, 'picture')}" for kind, count in counts)
            yield f"lost: {', '.join(kinds)}"


def summarize(tally: JobTally, plan: JobPlan, seconds: float) -> Iterator[str]:
    """What came of a whole job, in a few lines; of one picture, what became of it."""
    if tally.first is not None and tally.done == 1:
        yield describe_picture(tally.first)
        return
    yield from tally.describe(seconds)
    if plan.omissions:
        yield f"left out: {describe_omissions(plan.omissions)}"
