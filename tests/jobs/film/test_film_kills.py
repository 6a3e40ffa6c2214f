"""SIGKILL at random moments: the film is the same to the bit in the end."""

from fractions import Fraction
from pathlib import Path

import pytest

from small_films import SmallFilm, write_small_film


@pytest.mark.slow
def test_killed_runs_make_the_same_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from film import kill_runs  # in benchmarks/

    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    film = SmallFilm(
        count=60,
        height=180,
        width=320,
        rate=Fraction(12),
        time_base=Fraction(1, 12000),
        audio="aac",
        options={"bf": "2"},
    )
    source = write_small_film(tmp_path / "film.mp4", film)
    assert kill_runs(source, frames=60, kills=4, seed=5, within=6.0) == 0
