"""What files of a folder are taken for."""

from pathlib import Path

import pytest

from small_films import SmallFilm, write_small_film
from subpixel.jobs.file_kinds import file_kind_of

PROGRAM = b"export const answer: number = 42; // of Great import\n"


@pytest.mark.parametrize("skip", [0, 1, 100, 187])
@pytest.mark.parametrize("suffix", [".ts", ".m2ts"])
def test_transport_streams_from_anywhere_within_a_packet(
    tmp_path: Path, suffix: str, skip: int
) -> None:
    film = write_small_film(tmp_path / f"film{suffix}", SmallFilm(count=20))
    (tmp_path / "cut.ts").write_bytes(film.read_bytes()[skip:])
    assert file_kind_of(tmp_path / "cut.ts").suffix == ".mkv"


@pytest.mark.parametrize("times", [0, 1, 4, 100])
def test_programs_are_no_films(tmp_path: Path, times: int) -> None:
    (tmp_path / "answer.ts").write_bytes(PROGRAM * times)
    assert file_kind_of(tmp_path / "answer.ts").suffix is None


@pytest.mark.parametrize("suffix", [".m4a", ".mka", ".WMA", ""])
def test_sound_is_no_film(tmp_path: Path, suffix: str) -> None:
    """Though its container may be a film's."""
    file = tmp_path / f"song{suffix}"
    file.write_bytes(b"\0\0\0\x1cftypM4A \0\0\0\0M4A isommp42")
    kind = file_kind_of(file)
    assert (kind.suffix, kind.label) == (None, "sound")
