"""How far a job is, by a clock that the test sets."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.jobs.outputs import Job
from subpixel.jobs.progress import JobProgress, format_duration


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _jobs(folder: Path, sizes: list[int]) -> list[Job]:
    jobs = []
    for number, size in enumerate(sizes):
        file = folder / f"{number}.jpg"
        file.write_bytes(bytes(size))
        jobs.append(Job(file, folder / "out" / file.name))
    return jobs


def test_the_time_left_follows_from_the_bytes(tmp_path: Path) -> None:
    clock = Clock()
    progress = JobProgress(_jobs(tmp_path, [1000, 3000, 4000]), clock)
    assert progress.describe() == "1 of 3: 0.jpg", "nothing can be told yet"
    clock.now += 10
    progress.advance(1, 2)
    assert progress.share == 500 / 8000
    assert progress.seconds_left == pytest.approx(150)
    progress.finish(success=True)
    clock.now += 10
    assert progress.describe() == "2 of 3, 2 min left: 1.jpg"
    clock.now += 60
    progress.finish(success=True)
    assert progress.seconds_left == 80
    progress.finish(success=True)
    assert progress.describe() == "3 of 3"
    assert (progress.count, progress.share, progress.seconds_left) == (3, 1.0, 0.0)


def test_what_fails_at_once_says_nothing_of_the_time(tmp_path: Path) -> None:
    clock = Clock()
    progress = JobProgress(_jobs(tmp_path, [9_000_000, 1000, 1000]), clock)
    progress.finish(success=False)
    clock.now += 10
    progress.advance(1, 1)
    assert progress.seconds_left == pytest.approx(10)


def test_files_that_are_missing_or_empty_count_as_something(tmp_path: Path) -> None:
    progress = JobProgress([*_jobs(tmp_path, [0]), Job(tmp_path / "gone", tmp_path / "x")])
    progress.finish(success=True)
    assert progress.share == 0.5
    progress.finish(success=False)
    assert progress.share == 1.0
    assert JobProgress([]).describe() == "0 of 0"
    assert JobProgress([]).seconds_left is None


@given(st.lists(st.tuples(st.integers(0, 5000), st.booleans()), min_size=1, max_size=6))
def test_it_never_goes_back(
    tmp_path_factory: pytest.TempPathFactory, pictures: list[tuple[int, bool]]
) -> None:
    jobs = _jobs(tmp_path_factory.mktemp("jobs"), [size for size, _ in pictures])
    progress, before = JobProgress(jobs, Clock()), 0.0
    for _, failed in pictures:
        steps = [0] if failed else [0, 1, 2, 3]
        for step in steps:
            progress.advance(step, 3)
            assert before <= progress.share <= 1
            before = progress.share
        progress.finish(success=not failed)
    assert progress.count == progress.total == len(pictures)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (720, "12 min"),
        (3570, "1 h"),
        (11_100, "3 h 5 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_film_is_told_in_frames(tmp_path: Path) -> None:
    clock = Clock()
    film, picture = tmp_path / "a.mp4", tmp_path / "b.jpg"
    for file in (film, picture):
        file.write_bytes(bytes(100))
    jobs = [Job(film, tmp_path / "c.mp4"), Job(picture, tmp_path / "c.jpg")]
    progress = JobProgress(jobs, clock)
    progress.advance(100, 300)
    assert progress.describe() == "1 of 2, frame 100 of 300: a.mp4", "those were there before"
    clock.now += 10
    progress.advance(150, 300)
    assert progress.describe() == "1 of 2, frame 150 of 300, 5 a second, 30 s left: a.mp4"
    progress.finish(success=True)
    assert progress.describe().startswith("2 of 2"), "a picture is told as ever"
    assert "frame" not in progress.describe()
    alone = JobProgress(jobs[:1], clock)
    alone.advance(0, 1440)
    assert alone.describe() == "frame 0 of 1,440: a.mp4"
