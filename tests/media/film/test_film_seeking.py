"""Frames from the middle of a film on are those that decoding from its start gives, to the bit."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from small_films import SmallFilm, av, write_small_film
from subpixel.errors import PictureError
from subpixel.media.film import seeking
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.frames import decode_film
from subpixel.media.film.seeking import KnownFrame, decode_after, decode_from, describe_frame
from subpixel.media.film.survey.survey import survey_film

COUNT = 48

OPEN_264 = SmallFilm(
    count=COUNT,
    height=64,
    width=64,
    rate=Fraction(8),
    options={"x264-params": "open-gop=1:keyint=8:min-keyint=8:scenecut=0:bframes=3:b-pyramid=2"},
)
OPEN_265 = replace(
    OPEN_264,
    codec="libx265",
    options={"x265-params": "log-level=none:open-gop=1:keyint=8:min-keyint=8:bframes=3"},
)
REFRESHED = replace(OPEN_264, options={"x264-params": "intra-refresh=1:keyint=8:bframes=0"})
IN_AVI = replace(OPEN_264, time_base=Fraction(1, 8), options={"g": "8"})
IN_MPG = replace(IN_AVI, codec="mpeg2video", rate=Fraction(25), time_base=Fraction(1, 25))
UNEVEN = tuple(300 + 150 * n + (n * n * 7) % 90 for n in range(COUNT))

FILMS: dict[str, tuple[str, SmallFilm]] = {
    "open groups, H.264": (".mp4", OPEN_264),
    "open groups, H.264, Matroska": (".mkv", OPEN_264),
    "open groups, H.264, transport stream": (".ts", OPEN_264),
    "open groups, H.265": (".mp4", OPEN_265),
    "open groups, H.265, Matroska": (".mkv", OPEN_265),
    "gradual refresh": (".mp4", REFRESHED),
    "uneven times, a late start": (".mp4", replace(OPEN_264, times=UNEVEN)),
    "uneven times, Matroska": (".mkv", replace(OPEN_264, times=UNEVEN)),
    "MPEG-2": (".mpg", IN_MPG),
    "VP9": (".webm", replace(OPEN_264, codec="libvpx-vp9", options={"g": "8"})),
}


def decode_all(file: Path) -> tuple[FilmFacts, int, list[KnownFrame]]:
    survey = survey_film(file)
    frames = decode_film(survey.facts, survey.stream)
    known = [describe_frame(frame.time, frame.read(survey.facts)) for frame in frames]
    return survey.facts, survey.stream, known


def expect_tails(file: Path, starts: Sequence[int]) -> int:
    """What follows some frames is the same, where it is sought; how often it is."""
    facts, stream, known = decode_all(file)
    assert tuple(frame.time for frame in known) == facts.times
    count = 0
    for start in starts:
        frames = decode_after(facts, stream, known[start])
        if frames is not None:
            count += 1
            tail = [describe_frame(frame.time, frame.read(facts)) for frame in frames]
            assert tail == known[start + 1 :]
    return count


@pytest.mark.parametrize("name", FILMS)
def test_what_follows_a_frame_is_the_same(tmp_path: Path, name: str) -> None:
    suffix, film = FILMS[name]
    file = write_small_film(tmp_path / f"film{suffix}", film)
    count = expect_tails(file, (3, 20, 29, 34, 40, 46))
    assert count >= 3
    assert count <= 5, "there is no key frame before the first"


def test_an_edit_list_that_begins_late(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg is installed here, which cuts films by an edit list")
    whole = write_small_film(tmp_path / "whole.mp4", OPEN_264)
    command = ["ffmpeg", "-v", "error", "-ss", "1.3", "-i", whole, "-c", "copy"]
    subprocess.run([*command, tmp_path / "cut.mp4"], check=True)
    facts = survey_film(tmp_path / "cut.mp4").facts
    assert expect_tails(tmp_path / "cut.mp4", (20, facts.count - 3)) == 2


def test_a_film_whose_decoding_begins_before_zero(tmp_path: Path) -> None:
    file = write_small_film(tmp_path / "film.mp4", replace(OPEN_264, rate=Fraction(30)))
    with av.open(str(file)) as container:
        first = next(container.demux(video=0))
    assert first.dts < first.pts == 0
    assert expect_tails(file, (20, 34)) == 2


def test_a_frame_that_comes_otherwise_is_no_place_to_go_on(tmp_path: Path) -> None:
    file = write_small_film(tmp_path / "film.mp4", OPEN_264)
    facts, stream, known = decode_all(file)
    assert decode_after(facts, stream, known[30]) is not None
    assert decode_after(facts, stream, replace(known[30], sha256="0" * 64)) is None
    assert decode_after(facts, stream, replace(known[30], time=known[30].time + 1)) is None


def test_what_cant_be_sought_is_decoded_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_small_film(tmp_path / "film.mp4", OPEN_264)
    facts, stream, known = decode_all(file)
    starts: list[int | None] = []

    def refuse(
        facts: FilmFacts, stream: int, *, deinterlace: bool = False, start: int | None = None
    ) -> object:
        starts.append(start)
        if start is not None:
            raise PictureError("a pipe")
        return decode_film(facts, stream, deinterlace=deinterlace)

    def refuse_later(*args: object, **options: object) -> object:
        yield from refuse(*args, **options)  # type: ignore[arg-type, misc]

    monkeypatch.setattr(seeking, "decode_film", refuse_later)
    monkeypatch.setattr(seeking, "SEEK_SECONDS", 1)
    assert decode_after(facts, stream, known[40]) is None
    assert next(decode_from(facts, stream, known[40].time)).time == 0
    assert starts[-1] is None
    assert len(starts) > 2


def test_a_film_without_times_is_decoded_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which frame a seek lands at, AVI doesn't say."""
    monkeypatch.setattr(seeking, "SEEK_SECONDS", 1)
    file = write_small_film(tmp_path / "film.avi", replace(IN_AVI, codec="mpeg4"))
    assert expect_tails(file, (3, 29, 46)) == 0
    facts, stream, known = decode_all(file)
    assert next(decode_from(facts, stream, known[40].time)).time == 0


def test_frames_around_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "SEEK_SECONDS", 1)
    for suffix in (".mp4", ".ts"):
        file = write_small_film(tmp_path / f"film{suffix}", OPEN_264)
        facts, stream, known = decode_all(file)
        for number in (0, 20, 41):
            frames = decode_from(facts, stream, known[number].time)
            after = [frame.time for frame in frames if frame.time >= known[number].time]
            assert after == list(facts.times[number:])
