"""The fastest way to run a network here among those that keep its pictures.

The time of one way is never compared with that of another moment: machines are throttled and
shared. Each round runs the default setting and then, one after the other, every setting that is
still in, and each gets the ratio of the two times. What was measured in fewer than three rounds,
as time was up, comes after the default: noise alone may have made it look fast. After three rounds
the slower half by the median of its ratios drops out, and so on (successive halving: K. Jamieson,
A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
2016). First the devices and precisions race, then the best with other tiles, with batches of them,
and with other threads. Last, the best of all is tried with flat parts interpolated (adaptive),
which pays on pages and drawings and on few photographs: it is run beside itself on one of each.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from subpixel.errors import SubpixelError, one_line
from subpixel.measure.quality_floor import Floor
from subpixel.network.flatness import Flatness
from subpixel.network.settings import RunSettings

RACE_ROUNDS = 3
"""Rounds between two halvings, and the fewest by which a setting may come before the default."""

FINALISTS = 2
"""So many are not halved any more; they run the last rounds."""

MIN_GAIN = 1.03
"""Less than this many times as fast is not told from noise."""

DUELS = 7
"""Rounds in which a setting runs beside itself with adaptive: on photographs the two are near."""

TOO_FEW = f"too few rounds to tell it from noise, of {RACE_ROUNDS} at least"
"""Of what there was no time for."""

SearchReport = Callable[[str, int, int], None]
"""Gets what is being done, how much is done, and the total."""


@dataclass(frozen=True)
class TrialFacts:
    """What is known of a setting before any race."""

    file: Path
    """The network's file in that precision."""
    opening: float
    """Seconds it took to open."""
    psnr: float
    """PSNR in dB between its 8-bit pictures and the fp32 file's; infinite where equal."""
    task_loss: float | None = None
    """By how many dB the PSNR on the benchmark set is lower; None where there is no set."""
    beside: int = 1
    """How many of its tiles lie beside one another in the photograph: no batch is larger."""
    flatness: Flatness | None = None
    """What passes for flat, where the setting is adaptive."""


class RacingTrial(Protocol):
    """One way to run the network, open."""

    @property
    def facts(self) -> TrialFacts: ...

    def run(self) -> float:
        """Enlarge the photograph once; the seconds that took."""
        ...

    def run_page(self) -> float:
        """The same with a page of which much is flat."""
        ...


@dataclass(frozen=True)
class SearchSpace:
    """What is tried: every one of ``ways``, of the best every tile, of the best then every batch
    that the photograph has the tiles for, and every number of threads; and, where the network
    allows it, the best of all with ``adaptive``."""

    default: RunSettings
    ways: Sequence[RunSettings]
    tiles: Sequence[int | None]
    threads: Sequence[int | None]
    batches: Sequence[int] = (1,)
    adaptive: bool = False


@dataclass(frozen=True)
class TrialResult:
    """One setting and what became of it."""

    setting: RunSettings
    facts: TrialFacts | None = None
    """None where it could not be opened."""
    ratio: float | None = None
    """How many times as fast as the default: the median of the rounds. None where it is out."""
    rounds: int = 0
    on_page: float | None = None
    """With adaptive: how many times as fast as without, on a page of which much is flat."""
    reason: str | None = None
    """Why it is out."""

    @property
    def settled(self) -> bool:
        """Whether it was measured in enough rounds to be told from noise."""
        return self.rounds >= RACE_ROUNDS


@dataclass(frozen=True)
class Search:
    """Every setting that was tried."""

    ranked: tuple[TrialResult, ...]
    """Those that keep the floor, the best first. None that is less than :data:`MIN_GAIN` times as
    fast as the default, or not settled, comes before it; with adaptive it is what is gained on a
    page that counts, where a photograph costs nothing. Those that aren't settled come last."""
    refused: tuple[TrialResult, ...]
    """Those that can't be had, or do not keep the floor."""
    seconds: float
    """That the default takes for the picture: the median."""

    @property
    def best(self) -> TrialResult:
        return self.ranked[0]

    @property
    def settled(self) -> bool:
        """Whether there was time for the rounds that tell what is fastest."""
        return self.best.settled


def search_settings(
    space: SearchSpace,
    open_trial: Callable[[RunSettings], RacingTrial],
    *,
    floor: Floor = Floor(),
    seconds: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
    report: SearchReport = lambda what, done, total: None,
) -> Search:
    """Race the settings of ``space`` and rank them.

    ``open_trial`` opens one; what it raises of :class:`~subpixel.errors.SubpixelError` puts that
    setting out, with its reason, and so does ``floor``. Where the default itself can't be opened,
    that is raised. After so many ``seconds`` no further round begins, except a race's first.
    """
    return _Race(open_trial, floor, seconds, clock, report).of(space)


@dataclass(eq=False)
class _Entrant:
    setting: RunSettings
    facts: TrialFacts
    trial: RacingTrial
    ratios: list[float] = field(default_factory=list)
    on_page: float | None = None

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def settled(self) -> bool:
        return len(self.ratios) >= RACE_ROUNDS

    def result(self) -> TrialResult:
        return TrialResult(self.setting, self.facts, self.ratio, len(self.ratios), self.on_page)


class _Race:
    def __init__(
        self,
        open_trial: Callable[[RunSettings], RacingTrial],
        floor: Floor,
        seconds: float,
        clock: Callable[[], float],
        report: SearchReport,
    ) -> None:
        self._open_trial, self._floor, self._clock, self._report = open_trial, floor, clock, report
        self._seconds, self._start = seconds, clock()
        self._refused: list[TrialResult] = []
        self._times: list[float] = []

    def of(self, space: SearchSpace) -> Search:
        trial = self._open_trial(space.default)
        self._default = _Entrant(space.default, trial.facts, trial)
        ways = [setting for setting in space.ways if setting != space.default]
        entrants = self._race(self._enter(ways))
        if not entrants:
            self._rounds([])
        for variants in (_of_tiles, _of_batches, _of_threads):
            seeds = _seeds([*entrants, self._default])
            field = [entrant for entrant in seeds if entrant is not self._default]
            settings = [s for seed in seeds for s in variants(seed, space)]
            if settings and not self._late():
                last = self._race([*field, *self._enter(settings)])
                entrants = [*last, *(entrant for entrant in entrants if entrant not in last)]
        order = self._order(entrants)
        if space.adaptive and not self._late():
            order = [*self._adaptive(order[0]), *order]
        ranked = tuple(entrant.result() for entrant in order)
        return Search(ranked, tuple(self._refused), statistics.median(self._times))

    def _enter(self, settings: Sequence[RunSettings]) -> list[_Entrant]:
        return [entrant for entrant in map(self._entrant, settings) if entrant]

    def _entrant(self, setting: RunSettings) -> _Entrant | None:
        """The setting in the race, or its reason among the refused."""
        self._say(f"opening {setting.label}")
        try:
            trial = self._open_trial(setting)
        except SubpixelError as error:
            self._refused.append(TrialResult(setting, reason=one_line(error)))
            return None
        reason = self._floor.shortfall(trial.facts.psnr, trial.facts.task_loss)
        if reason:
            self._refused.append(TrialResult(setting, trial.facts, reason=reason))
            return None
        return _Entrant(setting, trial.facts, trial)

    def _race(self, field: Sequence[_Entrant]) -> list[_Entrant]:
        """All of them: those that stayed in longest first, equals by their ratios."""
        alive, out = list(field), list[_Entrant]()
        while alive:
            self._rounds(alive)
            alive.sort(key=lambda entrant: -entrant.ratio)
            if len(alive) <= FINALISTS or self._late():
                break
            staying = max(FINALISTS, (len(alive) + 1) // 2)
            out, alive = [*alive[staying:], *out], alive[:staying]
        return [*alive, *out]

    def _rounds(self, alive: Sequence[_Entrant]) -> None:
        for number in range(RACE_ROUNDS):
            if number and self._late():
                return
            self._say(f"racing {len(alive)} settings")
            self._round(alive)

    def _round(self, alive: Sequence[_Entrant]) -> None:
        default = self._default.trial.run()
        self._times.append(default)
        self._default.ratios.append(1.0)
        for entrant in alive:
            entrant.ratios.append(default / entrant.trial.run())

    def _adaptive(self, plain: _Entrant) -> list[_Entrant]:
        """``plain`` with flat parts interpolated, if that pays."""
        entrants = self._enter([replace(plain.setting, adaptive=True)])
        return [entrant for entrant in entrants if self._pays(entrant, plain)]

    def _pays(self, adaptive: _Entrant, plain: _Entrant) -> bool:
        """Whether a page gains by it, and a photograph, in which nothing is flat, loses nothing."""
        pages: list[float] = []
        for number in range(DUELS):
            if number and self._late():
                break
            self._say(f"racing {adaptive.setting.label}")
            adaptive.ratios.append(plain.ratio * plain.trial.run() / adaptive.trial.run())
            pages.append(plain.trial.run_page() / adaptive.trial.run_page())
        page, photo = statistics.median(pages), adaptive.ratio / plain.ratio
        adaptive.on_page = page
        if not adaptive.settled:
            self._refused.append(
                TrialResult(adaptive.setting, adaptive.facts, reason=f"{TOO_FEW}: {len(pages)}")
            )
            return False
        if page >= MIN_GAIN and photo * MIN_GAIN >= 1:
            return True
        reason = f"{page:.2f} times as fast as without on a page, {photo:.2f} on a photograph"
        self._refused.append(TrialResult(adaptive.setting, adaptive.facts, reason=reason))
        return False

    def _late(self) -> bool:
        return self._clock() - self._start >= self._seconds

    def _say(self, what: str) -> None:
        done = min(self._clock() - self._start, self._seconds)
        self._report(what, round(done), round(self._seconds))

    def _order(self, entrants: Sequence[_Entrant]) -> list[_Entrant]:
        """The winner of the last race, and the others by their ratios; and the default. Last, what
        too few rounds tell of."""
        settled = [entrant for entrant in entrants if entrant.settled]
        order = [*settled[:1], *_by_ratio(settled[1:])]
        faster = [entrant for entrant in order if entrant.ratio >= MIN_GAIN]
        slower = [entrant for entrant in order if entrant.ratio < MIN_GAIN]
        unsettled = [entrant for entrant in entrants if not entrant.settled]
        return [*faster, self._default, *slower, *_by_ratio(unsettled)]


def _by_ratio(entrants: Sequence[_Entrant]) -> list[_Entrant]:
    return sorted(entrants, key=lambda entrant: -entrant.ratio)


def _seeds(entrants: Sequence[_Entrant]) -> list[_Entrant]:
    """The fastest, and the fastest in fp32: pictures of more than 8 bits need one, too."""
    ranked = _by_ratio(entrants)
    exact = [entrant for entrant in ranked if entrant.setting.precision == "fp32"]
    return list(dict.fromkeys([ranked[0], *exact[:1]]))


def _of_tiles(seed: _Entrant, space: SearchSpace) -> list[RunSettings]:
    setting = seed.setting
    return [replace(setting, tile=tile) for tile in space.tiles if tile != setting.tile]


def _of_batches(seed: _Entrant, space: SearchSpace) -> list[RunSettings]:
    batches = [n for n in space.batches if n != seed.setting.batch and n <= seed.facts.beside]
    return [replace(seed.setting, batch=n) for n in batches]


def _of_threads(seed: _Entrant, space: SearchSpace) -> list[RunSettings]:
    setting = seed.setting
    return [replace(setting, threads=n) for n in space.threads if n != setting.threads]
