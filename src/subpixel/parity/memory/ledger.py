"""What the cases of a comparison took of memory, and which of the others it can't be enough for."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from subpixel.parity.cases import Case
from subpixel.system.allocator import return_free_memory
from subpixel.system.machine_memory import address_space, free_memory, resident
from subpixel.system.memory_guard import CAN_REFUSE, MemoryPeak, refuse_beyond

COMPARISON_SHARE = 0.9
"""Of the memory that is free, what a comparison may take; the rest is for other processes, whose
needs change meanwhile."""

TELLING_BYTES = 32 << 20
"""Less says nothing about larger pictures: it may be the allocator's, or the interpreter's."""

FAR = 16
"""How many times the area of a case that was run another may have, for the one to say something
about the other."""

SURE = 2
"""How many times the free memory a forecast must be for a case not to be tried, where the system
refuses what is too much: trying is safe there."""

ANOTHER_TRY = 1.25
"""How many times the memory that a case was refused must be free for as large a one to be tried."""

LITTLE = 64 << 20
"""Where no more is free, nothing is tried: oneDNN, once it had no memory for the code of a
convolution, refuses that one in this process for good."""

PLENTY = 8
"""How many times the memory of the reference is enough for any file that computes the same."""


@dataclass(frozen=True)
class TooLarge:
    """A case that was not compared, as memory was not enough."""

    case: Case
    need: int
    """Bytes that it would have taken."""
    free: int
    """Bytes that there were for it."""
    forecast: bool
    """Whether ``need`` follows from smaller cases; otherwise it took more than that, nobody knows
    how much."""

    @property
    def told(self) -> str:
        """In words: what it would have taken, and what there was."""
        about = "about" if self.forecast else "more than"
        need, free = self.need / 1e9, self.free / 1e9
        return f"{about} {need:.1f} GB of memory, where {free:.1f} GB were free"


def describe_too_large(cases: Sequence[TooLarge]) -> list[str]:
    """A line for each size: what is shown there, and what it would have taken."""
    groups: dict[tuple[int, int, int], list[TooLarge]] = {}
    for one in sorted(cases, key=lambda one: one.case.pixels):
        groups.setdefault((one.case.batch, one.case.height, one.case.width), []).append(one)
    return [
        f"{'×'.join(map(str, shape))} ({', '.join(dict.fromkeys(o.case.subject for o in group))}): "
        f"{max(group, key=lambda one: one.need).told}"
        for shape, group in groups.items()
    ]


@dataclass(frozen=True, eq=False)
class CaseMemory:
    """One case while it runs."""

    peak: MemoryPeak
    base: int
    """Bytes that the process held before the comparison."""
    free: int
    """Bytes that the case may take."""
    replayed: bool

    def is_plenty(self) -> bool:
        """Whether there are many times the bytes that the reference took, which just ran."""
        return not self.replayed and self.free >= PLENTY * (self.peak.so_far() - self.base)


@dataclass
class MemoryLedger:
    """What was taken, and what was refused.

    ``local`` says whether an output pixel depends on its surroundings alone: then memory grows with
    the picture's area, and else up to with its square. ``max_memory`` is what all cases may take
    beside what the process holds now, in bytes; None: a share of what is free
    (:data:`COMPARISON_SHARE`). Where the system can, it refuses the networks what would be more;
    ``bounded`` False leaves that be, for devices whose drivers set aside addresses that are no
    memory, and forecasts alone decide.
    """

    local: bool
    max_memory: int | None = None
    bounded: bool = True
    replayed: bool = False
    """Whether the reference's results are there already, so that nobody sees what it takes."""
    base: int = field(default_factory=resident)
    taken: dict[Case, int] = field(default_factory=dict)
    refused: dict[Case, int] = field(default_factory=dict)
    """What there was for a case that wanted more."""

    def object_to(self, case: Case) -> TooLarge | None:
        """Why ``case`` need not be tried; None where it may."""
        free, forecast = self._free(), self.forecast(case)
        if free < LITTLE:
            return self._refusal(case, free)
        if forecast - self._held() > (SURE if self._refuses else 1) * free:
            return TooLarge(case, forecast, free, forecast=True)
        smaller = [need for other, need in self.refused.items() if _is_within(other, case)]
        hopeless = max(smaller, default=0) * ANOTHER_TRY > free
        return self._refusal(case, free) if hopeless else None

    @contextmanager
    def run(self, case: Case) -> Iterator[CaseMemory]:
        """Let the block run ``case`` within the memory that is free.

        Raises :class:`MemoryError` where that isn't enough, and notes it.
        """
        free = self._free()
        try:
            with MemoryPeak() as peak, refuse_beyond(free) if self._refuses else nullcontext():
                yield CaseMemory(peak, self.base, free, self.replayed)
        except MemoryError:
            self.refused[case] = free
            raise
        self.taken[case] = max(0, peak.so_far() - self.base)

    def refusal(self, case: Case) -> TooLarge:
        """Of a case that was tried, and for which memory was not enough."""
        return_free_memory()
        return self._refusal(case, self.refused[case])

    def forecast(self, case: Case) -> int:
        """Bytes that ``case`` will take, by the largest that lie within it; 0 where none of these
        says anything."""
        telling = [c for c, size in self.taken.items() if size >= TELLING_BYTES]
        within = [c for c in telling if c.height <= case.height and c.width <= case.width]
        if not within:
            return 0
        nearest = max(within, key=lambda c: (_pixels_of(c), -self._per_picture(c)))
        ratio = _pixels_of(case) / _pixels_of(nearest)
        if ratio > FAR:
            return 0
        growth = 1.0 if self.local else self._growth(nearest, within)
        return int(case.batch * self._per_picture(nearest) * ratio**growth)

    def _growth(self, large: Case, cases: list[Case]) -> float:
        """The power of the area with which memory grew: 1 to 2, that of global attention."""
        smaller = [case for case in cases if 2 * _pixels_of(case) <= _pixels_of(large)]
        if not smaller:
            return 1.0
        small = max(smaller, key=lambda c: (_pixels_of(c), -self._per_picture(c)))
        more = self._per_picture(large) / self._per_picture(small)
        return min(2.0, max(1.0, math.log(more) / math.log(_pixels_of(large) / _pixels_of(small))))

    def _per_picture(self, case: Case) -> float:
        return self.taken[case] / case.batch

    def _refusal(self, case: Case, free: int) -> TooLarge:
        forecast = self.forecast(case)
        return TooLarge(case, max(forecast, free), free, forecast=forecast > free)

    @property
    def _refuses(self) -> bool:
        return self.bounded and CAN_REFUSE

    def _held(self) -> int:
        """Bytes that earlier cases left with the allocators, which the next may use."""
        return max(0, resident() - self.base)

    def _free(self) -> int:
        """Bytes that the next case may take beside what the process holds."""
        free = max(0, min(int(COMPARISON_SHARE * free_memory()), address_space()))
        if self.max_memory is None:
            return free
        return max(0, min(free, self.max_memory - self._held()))


def _pixels_of(case: Case) -> int:
    return case.height * case.width


def _is_within(small: Case, large: Case) -> bool:
    return (
        small.batch <= large.batch and small.height <= large.height and small.width <= large.width
    )
