"""What is seen of a film before the work: facts, and what is refused in a line."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from small_films import HDR10_FILM, SmallFilm, av, frame_times, write_small_film
from subpixel.errors import PictureError
from subpixel.media.film.facts import ContentLight, is_steady
from subpixel.media.film.frames import decode_film, film_header
from subpixel.media.film.kinds import sniff_film
from subpixel.media.film.survey.survey import survey_film

VARIABLE = SmallFilm(times=(0, 100, 400, 1000, 1100, 2300))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_facts_of_a_plain_film(tmp_path: Path, suffix: str) -> None:
    film = SmallFilm(options={"bf": "2"})
    facts = survey_film(write_small_film(tmp_path / f"film{suffix}", film)).facts
    assert (facts.width, facts.height, facts.count) == (48, 32, 6)
    assert not facts.is_variable
    assert not facts.interlaced
    assert facts.rate == 4
    assert facts.seconds == pytest.approx(1.5, abs=0.001)
    expected = [time * film.time_base for time in frame_times(film)]
    assert [time * facts.time_base for time in facts.times] == expected
    assert film_header(facts).shape == (None, 32, 48, 3)


def test_variable_times_are_exact(tmp_path: Path) -> None:
    facts = survey_film(write_small_film(tmp_path / "film.mp4", VARIABLE)).facts
    assert facts.is_variable
    times = [time * facts.time_base for time in facts.times]
    assert times == [time * VARIABLE.time_base for time in VARIABLE.times]
    assert [frame.time for frame in decode_film(facts, 0)] == list(facts.times)


def test_steady_as_far_as_ticks_are_exact() -> None:
    tick, rate = Fraction(1, 1000), Fraction(24000, 1001)
    steady = [round(n / rate / tick) for n in range(500)]
    assert is_steady(steady, rate, tick)
    assert is_steady([time + 77 for time in steady], rate, tick), "from any start"
    assert not is_steady([*steady[:-1], steady[-1] + 30], rate, tick)
    assert not is_steady(steady, Fraction(24), tick), "24 is another rate after a while"


def test_pixels_that_arent_square(tmp_path: Path) -> None:
    film = SmallFilm(count=1, aspect=Fraction(64, 45))
    facts = survey_film(write_small_film(tmp_path / "film.mp4", film)).facts
    assert facts.aspect == Fraction(64, 45)
    assert film_header(facts).metadata.aspect == (45, 64)


def test_hdr10_data_are_read(tmp_path: Path) -> None:
    facts = survey_film(write_small_film(tmp_path / "film.mp4", HDR10_FILM)).facts
    assert facts.layout.bits == 10
    assert facts.light == ContentLight(1000, 400)
    assert facts.mastering is not None
    assert facts.mastering.green == (Fraction(13250, 50000), Fraction(34500, 50000))
    assert facts.mastering.white == (Fraction(15635, 50000), Fraction(16450, 50000))
    assert facts.mastering.max_luminance == 1000
    assert facts.mastering.min_luminance == Fraction(5, 1000)


def test_rotation_stays_apart_from_the_pixels(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg is installed here, which writes the matrix")
    plain = write_small_film(tmp_path / "plain.mp4")
    command = ["ffmpeg", "-v", "error", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90"]
    subprocess.run([*command, tmp_path / "film.mp4"], check=True)
    facts = survey_film(tmp_path / "film.mp4").facts
    assert facts.rotation % 180 == 90
    assert (facts.width, facts.height) == (48, 32)
    assert len(facts.display_matrix) == 9


def test_transparency_of_vp9_is_seen(tmp_path: Path) -> None:
    film = SmallFilm(count=2, codec="libvpx-vp9", pixel_format="yuva420p")
    facts = survey_film(write_small_film(tmp_path / "film.webm", film)).facts
    assert facts.layout.alpha, "FFmpeg's own decoder leaves it out"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_film_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    whole = write_small_film(tmp_path / f"whole{suffix}", SmallFilm(count=20)).read_bytes()
    file = tmp_path / f"film{suffix}"
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PictureError, match=r"film\.\w+ (is cut off|can't be read as a film)"):
        survey_film(file)


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    with pytest.raises(PictureError, match=r"text.mp4 can't be read as a film: Invalid data"):
        survey_film(tmp_path / "text.mp4")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost/other.ts\n")
    with pytest.raises(PictureError, match=r"list.mp4 can't be read as a film"):
        survey_film(tmp_path / "list.mp4")
    with pytest.raises(PictureError, match=r"none.mp4 can't be read: No such file"):
        survey_film(tmp_path / "none.mp4")


def test_sound_alone_is_no_film(tmp_path: Path) -> None:
    file = tmp_path / "sound.mkv"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000)
        stream.layout = "mono"
        frame = av.AudioFrame("s16", "mono", 1024)
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(PictureError, match="has no video that could be enlarged"):
        survey_film(file)


def test_films_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    for suffix, told in ((".mp4", ".mp4"), (".mov", ".mov"), (".mkv", ".mkv"), (".avi", ".avi")):
        file = write_small_film(tmp_path / f"film{suffix}", SmallFilm(count=1))
        assert sniff_film(file.read_bytes()[:64]) == told
    assert sniff_film(b"\x89PNG\r\n\x1a\n") is None
