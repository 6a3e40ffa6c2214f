"""The race, with times that a table tells."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import NetworkError, ProviderError
from subpixel.measure.quality_floor import Floor
from subpixel.network.settings import RunSettings
from subpixel.tune.race import (
    MIN_GAIN,
    RACE_ROUNDS,
    Search,
    SearchSpace,
    TrialFacts,
    search_settings,
)

DEFAULT = RunSettings("cpu", "fp32").resolve()
INT8, OPENVINO, BF16 = (
    RunSettings("cpu", "int8").resolve(),
    RunSettings("openvino", "fp32").resolve(),
    RunSettings("openvino", "bf16").resolve(),
)
WAYS = (DEFAULT, INT8, OPENVINO, BF16)
FLOOR = Floor()


@dataclass
class FakeTrial:
    """Takes ``seconds`` of a clock of its own, times whatever else slows the machine down."""

    facts: TrialFacts
    seconds: float
    clock: "Clock"
    on_page: float = 1.0

    def run(self) -> float:
        spent = self.seconds * self.clock.slowness
        self.clock.now += spent
        self.clock.runs += 1
        return spent

    def run_page(self) -> float:
        return self.run() * self.on_page


@dataclass
class Clock:
    now: float = 0.0
    slowness: float = 1.0
    runs: int = 0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """Opens settings: seconds and dB by way; tiles, batches and threads divide the seconds.

    ``adaptive`` is what it multiplies them by, on a photograph and on a page, and its dB.
    """

    seconds: Mapping[RunSettings, float]
    psnr: Mapping[RunSettings, float] = field(default_factory=dict)
    loss: Mapping[RunSettings, float] = field(default_factory=dict)
    adaptive: tuple[float, float, float] = (1.0, 1.0, math.inf)
    beside: int = 9
    clock: Clock = field(default_factory=Clock)

    def time(self, setting: RunSettings) -> float:
        tiles = (1 + (setting.tile or 0) / 1000) * (1 + (setting.batch - 1) / 10)
        return self.seconds[_way(setting)] / tiles / (setting.threads or 1)

    def __call__(self, setting: RunSettings) -> FakeTrial:
        way = _way(setting)
        if way not in self.seconds:
            raise ProviderError(f"there is no {way.device}")
        facts = TrialFacts(Path("x"), 0.1, self.psnr.get(way, math.inf), self.loss.get(way))
        photo, page, psnr = self.adaptive if setting.adaptive else (1.0, 1.0, math.inf)
        facts = replace(facts, psnr=min(facts.psnr, psnr), beside=self.beside)
        return FakeTrial(facts, self.time(setting) * photo, self.clock, page / photo)


def _way(setting: RunSettings) -> RunSettings:
    return RunSettings(setting.device, setting.precision).resolve()


def raced(
    bench: Bench,
    *,
    tiles: tuple[int | None, ...] = (None,),
    threads: tuple[int | None, ...] = (None,),
    batches: tuple[int, ...] = (1,),
    adaptive: bool = False,
    floor: Floor = FLOOR,
    seconds: float = 1e9,
) -> Search:
    space = SearchSpace(DEFAULT, WAYS, tiles, threads, batches, adaptive)
    return search_settings(space, bench, floor=floor, seconds=seconds, clock=bench.clock)


TIMES = st.floats(0.01, 10)
QUALITY = st.floats(20, 80) | st.just(math.inf) | st.just(math.nan)


@given(
    st.fixed_dictionaries(dict.fromkeys(WAYS, TIMES)),
    st.fixed_dictionaries(dict.fromkeys(WAYS[1:], QUALITY)),
    st.lists(st.integers(1, 900), max_size=6, unique=True),
    st.floats(0, 100),
)
def test_the_fastest_that_was_raced_enough_above_the_floor_wins(
    times: Mapping[RunSettings, float],
    psnr: Mapping[RunSettings, float],
    tiles: list[int],
    limit: float,
) -> None:
    bench = Bench(times, psnr)
    found = raced(bench, tiles=(None, *tiles), threads=(None, 2), batches=(1, 8), seconds=limit)
    assert all(t.facts and t.facts.psnr >= 45 for t in found.ranked)
    settled = [t for t in found.ranked if t.rounds >= RACE_ROUNDS or t.setting == DEFAULT]
    fastest = min(settled, key=lambda tried: bench.time(tried.setting))
    gain = bench.time(DEFAULT) / bench.time(fastest.setting)
    assert found.best.setting == (fastest.setting if gain >= MIN_GAIN else DEFAULT)
    below = [way for way, db in psnr.items() if not db >= 45]
    assert {tried.setting for tried in found.refused} == set(below)
    assert {tried.setting for tried in found.ranked} >= {w for w in WAYS if w not in below}


def test_ratios_do_not_move_with_the_machine() -> None:
    """Every round is slower than the one before: seconds would lie, ratios don't."""

    class Throttled(FakeTrial):
        def run(self) -> float:
            self.clock.slowness = 1.5 ** (self.clock.runs // len(WAYS))
            return super().run()

    bench = Bench({DEFAULT: 1.0, INT8: 0.5, OPENVINO: 2.0, BF16: 0.8})
    space = SearchSpace(DEFAULT, WAYS, (None,), (None,))

    def opened(setting: RunSettings) -> Throttled:
        trial = bench(setting)
        return Throttled(trial.facts, trial.seconds, trial.clock)

    found = search_settings(space, opened, clock=bench.clock, seconds=1e9)
    assert [(t.setting, t.ratio) for t in found.ranked] == [
        (INT8, pytest.approx(2.0)),
        (BF16, pytest.approx(1.25)),
        (DEFAULT, 1.0),
        (OPENVINO, pytest.approx(0.5)),
    ]


def test_a_lucky_round_does_not_win() -> None:
    class Once(FakeTrial):
        lucky = True

        def run(self) -> float:
            Once.lucky, was = False, Once.lucky
            return super().run() / (100 if was else 1)

    bench = Bench({DEFAULT: 1.0, INT8: 0.5, OPENVINO: 2.0})

    def opened(setting: RunSettings) -> FakeTrial:
        trial = bench(setting)
        return Once(trial.facts, trial.seconds, trial.clock) if setting == OPENVINO else trial

    space = SearchSpace(DEFAULT, WAYS, (None,), (None,))
    assert search_settings(space, opened, clock=bench.clock, seconds=1e9).best.setting == INT8


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_too_few_rounds_tell_nothing(seconds: float) -> None:
    """None comes before the default, which itself is measured no better."""
    times = {DEFAULT: 1.0, INT8: 0.1, OPENVINO: 0.2, BF16: 2.0}
    found = raced(Bench(times), seconds=seconds)
    assert [tried.setting for tried in found.ranked] == [DEFAULT, INT8, OPENVINO, BF16]
    assert all(1 <= tried.rounds < RACE_ROUNDS for tried in found.ranked)
    assert not found.settled
    assert raced(Bench(times)).settled


def test_what_joined_as_time_was_up_comes_last() -> None:
    """The first race is decided after 9.3 seconds; tiles have one round more, be it the best."""
    times = {DEFAULT: 1.0, INT8: 0.1, OPENVINO: 2.0}
    found = raced(Bench(times), tiles=(None, 500), seconds=9.5)
    order = [(tried.setting, tried.rounds >= RACE_ROUNDS) for tried in found.ranked]
    assert order[0] == (INT8, True)
    assert order[2:] == [
        (OPENVINO, True),
        (replace(INT8, tile=500), False),
        (replace(DEFAULT, tile=500), False),
    ]
    assert found.ranked[3].ratio == pytest.approx(15)
    assert found.settled


def test_adaptive_isnt_taken_by_too_few_rounds() -> None:
    bench = Bench({DEFAULT: 1.0}, adaptive=(1.0, 0.5, 50.0))
    found = raced(bench, adaptive=True, seconds=3.5)
    assert found.best.setting == DEFAULT
    (out,) = [out for out in found.refused if out.setting.adaptive]
    assert out.reason == "too few rounds to tell it from noise, of 3 at least: 1"


def test_what_is_out_says_why() -> None:
    bench = Bench(
        {DEFAULT: 1.0, INT8: 0.1, OPENVINO: 0.2},
        psnr={INT8: 44.94, OPENVINO: 100},
        loss={OPENVINO: 0.11},
    )
    found = raced(bench)
    assert found.best.setting == DEFAULT
    assert {tried.setting: tried.reason for tried in found.refused} == {
        INT8: "44.9 dB to fp32; the floor is 45",
        OPENVINO: "0.11 dB lost on the benchmark set; at most 0.1",
        BF16: "there is no openvino",
    }
    lower = raced(bench, floor=Floor(44, 0.2))
    assert lower.best.setting == INT8
    assert len(lower.refused) == 1


def test_the_best_in_fp32_races_in_every_tile_too() -> None:
    """Pictures of more than 8 bits need one."""
    bench = Bench({DEFAULT: 1.0, INT8: 0.1, OPENVINO: 0.9, BF16: 0.2})
    found = raced(bench, tiles=(None, 64, 500), threads=(None, 4), batches=(1, 2, 8))
    assert found.best.setting == replace(INT8, tile=500, threads=4, batch=8)
    exact = [tried.setting for tried in found.ranked if tried.setting.precision == "fp32"]
    assert exact[0] == replace(OPENVINO, tile=500, threads=4, batch=8)


@pytest.mark.parametrize(("beside", "batch"), [(1, 1), (3, 2), (4, 4), (7, 4), (9, 8)])
def test_no_batch_is_larger_than_there_are_tiles(beside: int, batch: int) -> None:
    bench = Bench({DEFAULT: 1.0, INT8: 0.1}, beside=beside)
    assert raced(bench, batches=(1, 2, 4, 8)).best.setting == replace(INT8, batch=batch)


QUICK_ON_PAGES = {
    "a page gains and a photograph loses nothing": ((1.0, 0.5, 50.0), None),
    "what a photograph loses can't be told from noise": ((1.02, 0.9, 50.0), None),
    "a photograph loses": ((1.04, 0.5, 50.0), "2.00 times as fast as without on a page, 0.96 on"),
    "a page gains too little": ((1.0, 0.98, 50.0), "1.02 times as fast as without on a page, 1.00"),
    "below the floor": ((0.5, 0.5, 44.9), "44.9 dB to fp32; the floor is 45"),
}


@pytest.mark.parametrize("default_wins", [False, True])
@pytest.mark.parametrize("case", QUICK_ON_PAGES)
def test_adaptive_is_taken_where_a_page_gains_and_a_photograph_loses_nothing(
    case: str, default_wins: bool
) -> None:
    adaptive, reason = QUICK_ON_PAGES[case]
    times = {DEFAULT: 1.0, INT8: 0.25, OPENVINO: 2.0}
    psnr = {INT8: 0.0} if default_wins else {}
    bench = Bench(times, psnr, adaptive=adaptive)
    found = raced(bench, batches=(1, 4), adaptive=True)
    plain = replace(DEFAULT if default_wins else INT8, batch=4)
    tried = replace(plain, adaptive=True)
    if reason:
        assert found.best.setting == plain
        (refused,) = [out for out in found.refused if out.setting == tried]
        assert (refused.reason or "").startswith(reason)
        return
    first, second = found.ranked[:2]
    assert (first.setting, second.setting) == (tried, plain)
    assert first.on_page == pytest.approx(1 / adaptive[1])
    assert first.ratio == pytest.approx((second.ratio or 0) / adaptive[0])


def test_adaptive_is_not_tried_when_time_is_up() -> None:
    found = raced(Bench(dict.fromkeys(WAYS, 1.0), adaptive=(0.1, 0.1, 50)), seconds=1)
    assert not any(tried.setting.adaptive for tried in (*found.ranked, *found.refused))


@pytest.mark.parametrize("seconds", [0.0, 1.0, 20.0])
def test_it_ends_in_time(seconds: float) -> None:
    bench = Bench(dict.fromkeys(WAYS, 1.0))
    raced(bench, tiles=(None, 1, 2, 3, 4, 5), seconds=seconds)
    assert bench.clock.now <= seconds + 2 * len(WAYS) + 6, "a round more, at most"


def test_with_nothing_to_race_the_default_is_measured() -> None:
    bench = Bench({DEFAULT: 2.0})
    found = search_settings(SearchSpace(DEFAULT, (), (None,), (None,)), bench, clock=bench.clock)
    assert (found.best.setting, found.best.rounds, found.seconds) == (DEFAULT, RACE_ROUNDS, 2.0)


def test_a_default_that_cant_be_opened_is_an_error() -> None:
    def opened(setting: RunSettings) -> FakeTrial:
        raise NetworkError(f"no {setting.label}")

    with pytest.raises(NetworkError, match="no cpu, fp32"):
        search_settings(SearchSpace(DEFAULT, WAYS, (None,), (None,)), opened)
