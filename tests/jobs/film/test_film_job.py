"""Films from file to file: streams, times, what is refused before the work, runs that go on."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from small_films import (
    HDR10_FILM,
    SmallFilm,
    av,
    draw_frame,
    read_frame_times,
    read_packets,
    write_small_film,
)
from subpixel.errors import LossError, PictureError, SubpixelError, UsageError
from subpixel.jobs.film import pipeline, store
from subpixel.jobs.film import plan as planning
from subpixel.jobs.film.options import FilmOptions, Preview
from subpixel.jobs.film.work import upscale_film
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.results import JobResult
from subpixel.media.film import seeking
from subpixel.media.film.conversion import encode_planes
from subpixel.media.film.encoding.codecs import codec_named
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.frames import FilmFrame, decode_film
from subpixel.media.film.planes import read_planes
from subpixel.media.film.survey.survey import survey_film
from subpixel.upscaling.upscaler import Upscaler

B_FRAMES = {"bf": "2", "g": "5"}


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    """Twice the size; slopes stay slopes."""
    return Upscaler("fast", scale=2, tuning=False)


def _run(
    upscaler: Upscaler, source: Path, target: Path, options: JobOptions | None = None
) -> JobResult:
    return upscale_film(upscaler, Job(source, target), options or JobOptions())


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_each_frame_becomes_larger_at_its_time(
    tmp_path: Path, upscaler: Upscaler, suffix: str
) -> None:
    film = SmallFilm(audio="aac", options=B_FRAMES, chapters=2, metadata={"title": "Fünf"})
    source = write_small_film(tmp_path / f"small{suffix}", film)
    result = _run(upscaler, source, tmp_path / f"large{suffix}")
    assert (result.width, result.height, result.frames, result.losses) == (96, 64, 6, ())
    assert result.output is not None
    assert read_frame_times(result.output) == read_frame_times(source)
    assert read_packets(result.output, "audio") == read_packets(source, "audio")
    with av.open(str(result.output)) as container:
        assert container.metadata["title"] == "Fünf"
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
        assert titles == ["Part 1", "Part 2"]
    _expect_content(result.output, film, range(6))


UNTIMED_FILMS = [
    (".avi", "libx264"),
    (".avi", "mpeg4"),
    (".h264", "libx264"),
    (".hevc", "libx265"),
    (".m2v", "mpeg2video"),
    (".mpg", "mpeg2video"),
    (".ivf", "libvpx"),
]


@pytest.mark.parametrize(("suffix", "codec"), UNTIMED_FILMS)
def test_frames_without_times_come_in_order(
    tmp_path: Path, upscaler: Upscaler, suffix: str, codec: str
) -> None:
    """AVI says times of decoding alone, and bare streams none; FFmpeg makes some up."""
    options = {"x265-params": "log-level=none:bframes=2"} if codec == "libx265" else B_FRAMES
    rate, side = Fraction(25), 64  # below, x265 writes beyond its memory
    film = SmallFilm(count=12, rate=rate, time_base=1 / rate, codec=codec, options=options)
    film = replace(film, width=side, height=side)
    source = write_small_film(tmp_path / f"small{suffix}", film)
    assert _run(upscaler, source, tmp_path / "large.mkv").frames == 12
    times = read_frame_times(tmp_path / "large.mkv")
    assert [time - times[0] for time in times] == [Fraction(n, 25) for n in range(12)]
    _expect_content(tmp_path / "large.mkv", film, range(12))
    part = FilmOptions(preview=Preview(Fraction(1, 5), Fraction(1, 5)))
    assert _run(upscaler, source, tmp_path / "part.mkv", JobOptions(film=part)).frames == 5
    _expect_content(tmp_path / "part.mkv", film, range(5, 10))


def test_frames_of_one_time_are_all_there(tmp_path: Path, upscaler: Upscaler) -> None:
    """Of two packets of such a stream FFmpeg 8 says the same time: 10 is no rate of it."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg is installed here, which writes such a stream")
    source, drawn = tmp_path / "small.mpg", "testsrc=size=64x48:rate=10:duration=2"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", drawn]
    subprocess.run([*command, "-c:v", "mpeg2video", "-bf", "2", source], check=True)
    result = _run(upscaler, source, tmp_path / "large.mkv")
    times = read_frame_times(tmp_path / "large.mkv")
    assert result.frames == len(times) == len(set(times)) == 20


def _expect_content(file: Path, film: SmallFilm, numbers: Iterable[int]) -> None:
    """Twice the size of the frames that were drawn."""
    with av.open(str(file)) as container:
        for number, frame in zip(numbers, container.decode(video=0), strict=True):
            size = (2 * film.width, 2 * film.height)
            shown = frame.reformat(*size, "rgb24", src_colorspace=6).to_ndarray()
            small = draw_frame(film, number).repeat(2, axis=0).repeat(2, axis=1)
            assert np.median(np.abs(shown.astype(int) - small)) <= 6, "its own content"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_times_and_a_late_start(tmp_path: Path, upscaler: Upscaler, suffix: str) -> None:
    times = (600, 660, 900, 1500, 1560, 1620, 2700, 2760)
    film = SmallFilm(times=times, options=B_FRAMES, audio="aac")
    source = write_small_film(tmp_path / f"small{suffix}", film)
    result = _run(upscaler, source, tmp_path / f"large{suffix}")
    assert result.output is not None
    assert read_frame_times(result.output) == read_frame_times(source)
    if suffix == ".mp4":
        assert read_frame_times(result.output) == [time * film.time_base for time in times]


def test_into_another_container(tmp_path: Path, upscaler: Upscaler) -> None:
    """Matroska counts in milliseconds: times are rounded, none is lost."""
    film = SmallFilm(rate=Fraction(24000, 1001), time_base=Fraction(1, 24000), count=30)
    source = write_small_film(tmp_path / "small.mp4", film)
    result = _run(upscaler, source, tmp_path / "large.mkv")
    assert result.output is not None
    pairs = zip(read_frame_times(result.output), read_frame_times(source), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= Fraction(1, 2000)
    with av.open(str(result.output)) as container:
        assert container.streams.video[0].average_rate == Fraction(24000, 1001)


def test_what_the_container_lacks_is_told_first(tmp_path: Path, upscaler: Upscaler) -> None:
    film = SmallFilm(attachment=b"font" * 9, audio="pcm_s16le", metadata={"odd_key": "x"})
    source = write_small_film(tmp_path / "small.mkv", film)
    lines: list[str] = []
    target = tmp_path / "large.webm"
    frames: list[int] = []
    upscale_film(
        upscaler,
        Job(source, target),
        JobOptions(),
        report=lambda name, done, total: frames.append(len(lines)),
        tell=lines.append,
    )
    told = "; ".join(lines)
    assert "loses audio: stream 1 (pcm_s16le) is left out" in told
    assert "loses attachment: stream 2 (font.ttf) is left out: webm has no attachments" in told
    assert min(frames) == len(lines), "before the first frame"
    with pytest.raises(LossError, match=r"large2.webm would lose audio: stream 1"):
        _run(upscaler, source, tmp_path / "large2.webm", JobOptions(strict=True))
    assert not (tmp_path / "large2.webm").exists()
    kept = _run(upscaler, source, tmp_path / "large.mkv", JobOptions(strict=True))
    assert kept.losses == ()
    with av.open(str(tmp_path / "large.mkv")) as container:
        (font,) = (stream for stream in container.streams if stream.type == "attachment")
        assert font.data == b"font" * 9


def test_subtitles_are_kept(tmp_path: Path, upscaler: Upscaler) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg is installed here, which makes films with subtitles")
    plain = write_small_film(tmp_path / "plain.mkv")
    (tmp_path / "text.srt").write_text("1\n00:00:00,200 --> 00:00:01,000\nGrüße\n")
    command = ["ffmpeg", "-v", "error", "-i", plain, "-i", tmp_path / "text.srt"]
    command += ["-map", "0", "-map", "1", "-c", "copy", "-metadata:s:s", "language=deu"]
    subprocess.run([*command, tmp_path / "small.mkv"], check=True)
    _run(upscaler, tmp_path / "small.mkv", tmp_path / "large.mkv", JobOptions(strict=True))
    with av.open(str(tmp_path / "large.mkv")) as container:
        (text,) = container.streams.subtitles
        assert text.language == "deu"
        (packet,) = (packet for packet in container.demux(text) if packet.size)
        assert bytes(packet).decode() == "Grüße"
        assert packet.pts * packet.time_base == Fraction(1, 5)


def test_pixels_that_arent_square_stay_so(tmp_path: Path, upscaler: Upscaler) -> None:
    film = SmallFilm(count=2, aspect=Fraction(64, 45))
    source = write_small_film(tmp_path / "small.mp4", film)
    _run(upscaler, source, tmp_path / "large.mp4", JobOptions(strict=True))
    with av.open(str(tmp_path / "large.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 45)
    lines = _run(upscaler, source, tmp_path / "large.webm").losses
    assert any(line.startswith("aspect: pixels of 64:45") for line in lines)


def test_a_film_that_is_turned_stays_so(tmp_path: Path, upscaler: Upscaler) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg is installed here, which writes the matrix")
    plain = write_small_film(tmp_path / "plain.mp4", SmallFilm(count=2))
    command = ["ffmpeg", "-v", "error", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90"]
    subprocess.run([*command, tmp_path / "small.mp4"], check=True)
    result = _run(upscaler, tmp_path / "small.mp4", tmp_path / "large.mp4")
    assert (result.width, result.height) == (64, 96), "as people see it"
    turns = []
    for name in ("small.mp4", "large.mp4"):
        with av.open(str(tmp_path / name)) as container:
            turns.append(next(container.decode(video=0)).rotation)
    assert turns[0] == turns[1] != 0


def test_high_dynamic_range_is_passed_on(tmp_path: Path, upscaler: Upscaler) -> None:
    source = write_small_film(tmp_path / "small.mp4", HDR10_FILM)
    result = _run(upscaler, source, tmp_path / "large.mp4", JobOptions(strict=True))
    assert result.setting is not None
    assert result.setting.precision == "fp32", "10 bits don't go through 8-bit integers"
    frames = []
    for name in ("small.mp4", "large.mp4"):
        with av.open(str(tmp_path / name)) as container:
            frames.append(next(container.decode(video=0)))
    for before, after in zip(*map(_describe_colours, frames), strict=True):
        assert before == after
    assert frames[1].format.name == "yuv420p10le"


def _describe_colours(frame: "av.VideoFrame") -> list[object]:
    from av.sidedata.sidedata import Type

    kinds = (Type.MASTERING_DISPLAY_METADATA, Type.CONTENT_LIGHT_LEVEL)
    sides = [bytes(frame.side_data.get(kind)) for kind in kinds]
    tags = [frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range]
    return [*map(int, tags), *sides]


def test_transparency_goes_through(tmp_path: Path, upscaler: Upscaler) -> None:
    film = SmallFilm(count=2, codec="ffv1", pixel_format="yuva420p")
    source = write_small_film(tmp_path / "small.mkv", film)
    result = _run(upscaler, source, tmp_path / "large.mkv", JobOptions(strict=True))
    assert result.losses == ()
    with av.open(str(tmp_path / "large.mkv")) as container:
        assert next(container.decode(video=0)).format.name.startswith("yuva")


def test_interlaced_films_need_a_word(tmp_path: Path, upscaler: Upscaler) -> None:
    film = SmallFilm(codec="mpeg2video", rate=Fraction(25), options={"flags": "+ildct+ilme"})
    film = replace(film, time_base=Fraction(1, 25), options={**film.options, "field_order": "tt"})
    source = write_small_film(tmp_path / "small.mkv", film)
    with pytest.raises(PictureError, match=r"is interlaced: .*use --deinterlace"):
        _run(upscaler, source, tmp_path / "large.mkv")
    options = JobOptions(film=FilmOptions(deinterlace=True))
    result = _run(upscaler, source, tmp_path / "large.mkv", options)
    assert result.frames == 6
    assert read_frame_times(tmp_path / "large.mkv") == read_frame_times(source)


def test_a_preview_is_a_film_of_its_own(tmp_path: Path, upscaler: Upscaler) -> None:
    film = SmallFilm(count=20, audio="aac", options=B_FRAMES)
    source = write_small_film(tmp_path / "small.mp4", film)
    options = JobOptions(film=FilmOptions(preview=Preview(Fraction(2), Fraction(1))))
    result = _run(upscaler, source, tmp_path / "large.mp4", options)
    assert result.frames == 8
    assert read_frame_times(tmp_path / "large.mp4") == [Fraction(n, 4) for n in range(8)]
    whole, part = read_packets(source, "audio"), read_packets(tmp_path / "large.mp4", "audio")
    assert 0 < len(part) < len(whole)
    assert part == whole[whole.index(part[0]) :][: len(part)]
    late = JobOptions(film=FilmOptions(preview=Preview(Fraction(2), Fraction(9))))
    with pytest.raises(UsageError, match=r"--preview begins at 9 s, and .* ends after 5\.0 s"):
        _run(upscaler, source, tmp_path / "late.mp4", late)


class _StopError(Exception):
    """The test's own end of a run."""


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_a_run_that_ended_goes_on_bit_for_bit(
    tmp_path: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    monkeypatch.setattr(planning, "SEGMENT_SECONDS", 1)
    film = SmallFilm(count=22, audio="aac", options=B_FRAMES)
    source = write_small_film(tmp_path / "small.mp4", film)
    options = JobOptions(film=FilmOptions(codec_named(codec)))
    whole = _run(upscaler, source, tmp_path / "whole.mkv", options)
    job, lengths = Job(source, tmp_path / "parts.mkv"), []

    def stop_at(most: int) -> None:
        def report(_name: str, done: int, _total: int) -> None:
            seen.append(done)
            if done >= most:
                raise _StopError

        seen: list[int] = []
        with pytest.raises(_StopError):
            upscale_film(upscaler, job, options, report=report)
        lengths.append(seen[0])

    stop_at(9)
    stop_at(15)
    stop_at(21)
    assert not job.target.exists()
    result = upscale_film(upscaler, job, options)
    assert lengths[0] == 0
    assert lengths[2] > lengths[1] > 0, "each run took over what was there"
    assert result.frames == whole.frames == 22
    assert _hash(job.target) == _hash(tmp_path / "whole.mkv")
    assert not list(tmp_path.glob(".*")), "nothing is left over"


OPEN_GROUPS = {"x264-params": "open-gop=1:keyint=4:min-keyint=4:scenecut=0:bframes=2"}
LATE = tuple(600 + 240 * number + number % 3 * 50 for number in range(32))

CONTINUED = {
    "open groups": (".mp4", SmallFilm(count=32, options=OPEN_GROUPS, audio="aac")),
    "uneven times": (".mkv", SmallFilm(times=LATE, options=OPEN_GROUPS)),
    "interlaced": (".mkv", SmallFilm(count=32, options=B_FRAMES)),
}


@pytest.mark.parametrize("name", CONTINUED)
def test_a_run_goes_on_where_it_was_and_decodes_little_again(
    tmp_path: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(planning, "SEGMENT_SECONDS", 1)
    suffix, film = CONTINUED[name]
    source = write_small_film(tmp_path / f"small{suffix}", film)
    begun: list[int | None] = []

    def watch(
        facts: FilmFacts, stream: int, *, deinterlace: bool = False, start: int | None = None
    ) -> Iterator[FilmFrame]:
        deinterlace |= name == "interlaced"  # the filter makes whole frames of any
        for number, frame in enumerate(
            decode_film(facts, stream, deinterlace=deinterlace, start=start)
        ):
            if number == 0:
                begun.append(facts.times.index(frame.time))
            yield frame

    for module in (pipeline, seeking):
        monkeypatch.setattr(module, "decode_film", watch)
    whole = _run(upscaler, source, tmp_path / f"whole{suffix}")
    job = Job(source, tmp_path / f"parts{suffix}")

    def stop(_name: str, done: int, _total: int) -> None:
        if done >= 26:
            raise _StopError

    with pytest.raises(_StopError):
        upscale_film(upscaler, job, JobOptions(), report=stop)
    result = upscale_film(upscaler, job, JobOptions())
    assert result.frames == whole.frames == 32
    assert _hash(job.target) == _hash(tmp_path / f"whole{suffix}")
    assert begun[:2] == [0, 0]
    assert begun[-1] >= 8, "not from the start"


def test_other_settings_begin_anew(
    tmp_path: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SEGMENT_SECONDS", 1)
    source = write_small_film(tmp_path / "small.mp4", SmallFilm(count=12))
    job = Job(source, tmp_path / "large.mp4")

    def stop(_name: str, done: int, _total: int) -> None:
        if done >= 9:
            raise _StopError

    with pytest.raises(_StopError):
        upscale_film(upscaler, job, JobOptions(), report=stop)
    seen: list[int] = []
    other = JobOptions(film=FilmOptions(crf=40))
    upscale_film(upscaler, job, other, report=lambda name, done, total: seen.append(done))
    assert seen[0] == 0
    _run(upscaler, source, tmp_path / "fresh.mp4", other)
    assert _hash(job.target) == _hash(tmp_path / "fresh.mp4")


HOLDER = """
import sys
from pathlib import Path
from subpixel.jobs.journal.facts import JobFacts
from subpixel.jobs.journal.journal import Journal

with Journal.open(Path(sys.argv[1]), JobFacts("film", {})) as journal:
    with journal.claim("film") as is_mine:
        print(is_mine, flush=True)
        sys.stdin.read()
"""


def test_two_runs_dont_make_one_film(tmp_path: Path, upscaler: Upscaler) -> None:
    source = write_small_film(tmp_path / "small.mp4")
    folder = tmp_path / f".large.mp4{store.STORE_SUFFIX}"
    command = [sys.executable, "-c", HOLDER, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"True"
        with pytest.raises(SubpixelError, match=r"another run is at work on .*large\.mp4"):
            _run(upscaler, source, tmp_path / "large.mp4")
        other.communicate()
    assert _run(upscaler, source, tmp_path / "large.mp4").frames == 6


def test_a_frame_that_is_missing_is_an_error(tmp_path: Path, upscaler: Upscaler) -> None:
    """Bytes in the middle are overwritten: no half film takes its name."""
    film = SmallFilm(count=24, height=64, width=64, options={"g": "24", "bf": "0"})
    source = write_small_film(tmp_path / "small.mp4", film)
    data = bytearray(source.read_bytes())
    packets = read_packets(source, "video")
    at = data.index(packets[12])
    data[at : at + len(packets[12])] = bytes(len(packets[12]))
    source.write_bytes(data)
    with pytest.raises(PictureError, match=r"small.mp4: (a frame|the frame at)"):
        _run(upscaler, source, tmp_path / "large.mp4")
    assert not (tmp_path / "large.mp4").exists()


def test_sides_that_chroma_doesnt_take_are_cut(tmp_path: Path) -> None:
    upscaler = Upscaler("fast", scale=3, tuning=False)
    film = SmallFilm(count=2, height=33, width=47, codec="ffv1", pixel_format="yuv444p")
    source = write_small_film(tmp_path / "small.mkv", film)
    options = JobOptions(film=FilmOptions(codec_named("vp9")))
    result = _run(upscaler, source, tmp_path / "large.mkv", options)
    assert (result.width, result.height) == (141, 99)
    gray = write_small_film(tmp_path / "odd.mkv", replace(film, pixel_format="gray"))
    result = _run(upscaler, gray, tmp_path / "even.mkv")
    assert (result.width, result.height) == (140, 98)
    assert result.note is not None
    assert "141 x 99 becomes 140 x 98" in result.note


def test_a_film_is_no_picture(tmp_path: Path, upscaler: Upscaler) -> None:
    source = write_small_film(tmp_path / "small.mp4")
    with pytest.raises(UsageError, match=r"a film is written as one of .*\.mp4"):
        _run(upscaler, source, tmp_path / "large.png")


def test_a_picture_that_stands_still_becomes_no_film(tmp_path: Path, upscaler: Upscaler) -> None:
    """One that moves does."""
    frames = [Image.new("RGB", (32, 32), (shade, 90, 0)) for shade in (0, 80, 160)]
    for name in ("still.jpg", "still.png", "still.webp"):
        frames[0].save(tmp_path / name)
        with pytest.raises(UsageError, match=r"is a picture \(.*\), .*name the result large\."):
            _run(upscaler, tmp_path / name, tmp_path / "large.mp4")
    for name in ("moving.gif", "moving.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
        assert _run(upscaler, tmp_path / name, tmp_path / f"{name}.mp4").frames == 3


def test_frames_are_those_of_pictures(tmp_path: Path, upscaler: Upscaler) -> None:
    """Without loss each frame is, to the bit, what the same picture becomes by itself."""
    film = SmallFilm(count=5, codec="ffv1", pixel_format="bgr0")
    source = write_small_film(tmp_path / "small.mkv", film)
    options = JobOptions(strict=True, film=FilmOptions(codec_named("ffv1")))
    _run(upscaler, source, tmp_path / "large.mkv", options)
    with av.open(str(tmp_path / "large.mkv")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            expected = upscaler(draw_frame(film, number))
            np.testing.assert_array_equal(frame.reformat(format="rgb24").to_ndarray(), expected)


def test_planes_are_those_of_pictures(tmp_path: Path, upscaler: Upscaler) -> None:
    """Of a film in 4:2:0, written without loss: each sample is what the frame becomes by itself."""
    source = write_small_film(tmp_path / "small.mp4", SmallFilm(count=5, options=B_FRAMES))
    options = JobOptions(film=FilmOptions(codec_named("ffv1")))
    _run(upscaler, source, tmp_path / "large.mkv", options)
    before, after = (survey_film(tmp_path / name) for name in ("small.mp4", "large.mkv"))
    pairs = zip(
        decode_film(before.facts, before.stream),
        decode_film(after.facts, after.stream),
        strict=True,
    )
    for small, large in pairs:
        layout = after.facts.layout
        picture = upscaler(small.read(before.facts))
        expected = encode_planes(picture, layout, before.facts.colour)
        for plane, own in zip(read_planes(large.coded, layout), expected, strict=True):
            np.testing.assert_array_equal(plane, own)
