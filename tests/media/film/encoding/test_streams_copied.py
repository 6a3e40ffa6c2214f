"""What a film says of its streams, its cover and its chapters: kept, or named as lost."""

import shutil
import subprocess
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from rich_films import SoundTrack, Subtitle, draw_cover, remake_film, write_rich_film
from small_films import av, read_packets
from subpixel.media.film.encoding.stream_tags import (
    QUICKTIME_CODES,
    TERMINOLOGY_CODES,
    find_title,
    settle_language,
)
from subpixel.media.film.encoding.target import FilmSpan
from subpixel.media.film.kinds import FILM_KINDS

Mark = av.stream.Disposition
MUXERS = {kind.muxer: kind.suffixes[0] for kind in FILM_KINDS if kind.muxer}
PAIRS = [*product((".mp4", ".mkv"), MUXERS), (".mov", "mp4"), (".mov", "mov"), (".mov", "matroska")]

TRACKS = (
    SoundTrack("fra", "Français", Mark.default),
    SoundTrack("deu", "Director's commentary", Mark.comment | Mark.hearing_impaired),
    SoundTrack("swe", "", Mark.forced | Mark.dub),
)


def _describe(file: Path) -> dict[str, list[object]]:
    """Of each stream that is no video: its language, title and marks; covers apart."""
    with av.open(str(file)) as container:
        sounds = container.streams.audio
        covers = [s.index for s in container.streams.video if s.disposition & Mark.attached_pic]
        packets = [bytes(p) for n in covers for p in container.demux(container.streams[n])]
        return {
            "language": [settle_language(sound.language or "und") for sound in sounds],
            "title": [find_title(s.metadata) for s in (container.streams.video[0], *sounds)],
            "disposition": [int(sound.disposition & ~Mark.captions) for sound in sounds],
            "cover": [packet for packet in packets if packet],
            "chapters": [_span_of(chapter) for chapter in container.chapters()],
        }


def test_a_subtitle_before_a_part_whose_start_is_between_ticks(tmp_path: Path) -> None:
    lines = (Subtitle(Fraction(1, 10), Fraction(1), "since before"),)
    source = write_rich_film(tmp_path / "small.mkv", subtitles=lines)
    span = FilmSpan(Fraction("0.50049"), Fraction("1.2"))
    assert remake_film(source, tmp_path / "part.mkv", "matroska", span=span) == ()
    with av.open(str(tmp_path / "part.mkv")) as container:
        (packet,) = (p for p in container.demux(container.streams.subtitles[0]) if p.size)
    assert (packet.pts, packet.duration) == (0, 500)


def test_pictures_of_subtitles_stay_until_the_next(tmp_path: Path) -> None:
    """Those of Blu-rays say no end."""
    times = [Fraction(0), Fraction(3, 10), Fraction(4, 5), Fraction(13, 10)]
    lines = [Subtitle(t, t, str(n), "hdmv_pgs_subtitle") for n, t in enumerate(times)]
    source = write_rich_film(tmp_path / "small.mkv", TRACKS[:1], subtitles=lines)
    span = FilmSpan(Fraction(1, 2), Fraction(5, 4))
    assert remake_film(source, tmp_path / "part.mkv", "matroska", span=span) == ()
    with av.open(str(tmp_path / "part.mkv")) as container:
        packets = list(container.demux(container.streams.subtitles[0]))
    own = [(packet.pts, bytes(packet)) for packet in packets if packet.size]
    assert own == [(0, lines[1].data), (300, lines[2].data)]


def _span_of(chapter: "av.container.Chapter") -> tuple[Fraction, Fraction, str]:
    base = Fraction(chapter["time_base"])
    return chapter["start"] * base, chapter["end"] * base, chapter["metadata"]["title"]


@pytest.mark.parametrize(("suffix", "muxer"), PAIRS)
def test_nothing_is_lost_in_silence(tmp_path: Path, suffix: str, muxer: str) -> None:
    source = write_rich_film(
        tmp_path / f"small{suffix}",
        [SoundTrack("eng", "Opus", codec="libopus")] if muxer == "webm" else TRACKS,
        cover=b"" if suffix == ".mov" else draw_cover(),
        chapters=3,
        video_title="Bild",
    )
    target = tmp_path / f"large{MUXERS[muxer]}"
    names = {loss.what for loss in remake_film(source, target, muxer)}
    before, after = _describe(source), _describe(target)
    for what, parts in before.items():
        assert (parts == after[what]) != (what in names), (what, parts, after[what])


def test_what_each_container_holds(tmp_path: Path) -> None:
    source = write_rich_film(tmp_path / "small.mkv", TRACKS, cover=draw_cover())
    losses = {}
    for muxer, suffix in MUXERS.items():
        lost = remake_film(source, tmp_path / f"large{suffix}", muxer)
        losses[muxer] = [str(loss) for loss in lost]
    assert losses["matroska"] == []
    assert losses["mp4"] == []
    assert losses["mov"] == [
        "cover: stream 4 (png) is left out: mov has no place for a cover picture; .mkv holds most",
        "disposition: mov can't say that stream 2 (aac, deu) is comment, hearing_impaired",
        "disposition: mov can't say that stream 3 (aac, swe) is dub, forced",
    ]
    assert [line.split(":")[0] for line in losses["webm"]] == ["audio"] * 3 + ["cover"]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "muxer", ["mov", pytest.param("mp4", marks=SLOW), pytest.param("matroska", marks=SLOW)]
)
def test_every_language_of_two_codes_is_kept(tmp_path: Path, muxer: str) -> None:
    """Matroska has those of libraries; MP4 and QuickTime have others."""
    codes = sorted({*TERMINOLOGY_CODES, *TERMINOLOGY_CODES.values(), *QUICKTIME_CODES} - {"eng"})
    tracks = [SoundTrack(code) for code in codes]
    source = write_rich_film(tmp_path / "small.mkv", tracks)
    target = tmp_path / f"large{MUXERS[muxer]}"
    losses = [str(loss) for loss in remake_film(source, target, muxer)]
    lost = ["mao", "mri"] if muxer == "mov" else []
    assert losses == [
        f"language: mov can't say that stream {codes.index(code) + 1} (aac, {code}) is in 'mri'"
        for code in lost
    ]
    assert _describe(target)["language"] == [
        "und" if code in lost else settle_language(code) for code in codes
    ]
    again = tmp_path / "again.mkv"
    remake_film(target, again, "matroska")
    assert _describe(again)["language"] == _describe(target)["language"]


@pytest.mark.parametrize(("suffix", "muxer"), [(".mp4", "matroska"), (".mkv", "matroska")])
def test_a_cover_in_matroska_is_attached(tmp_path: Path, suffix: str, muxer: str) -> None:
    """No track of one frame; the file has the name that it had."""
    source = write_rich_film(tmp_path / f"small{suffix}", cover=draw_cover())
    target = tmp_path / "large.mkv"
    assert remake_film(source, target, muxer) == ()
    with av.open(str(target)) as container:
        picture = container.streams[1]
        assert picture.disposition & Mark.attached_pic
        assert picture.metadata["mimetype"] == "image/png"
        assert picture.metadata["filename"] == ("front.png" if suffix == ".mkv" else "cover.png")
    assert target.read_bytes().count(draw_cover()[:64]) <= 1


@pytest.mark.parametrize("muxer", ["mp4", "matroska"])
def test_a_part_has_its_cover_chapters_and_subtitles(tmp_path: Path, muxer: str) -> None:
    lines = (
        Subtitle(Fraction(0), Fraction(1, 10), "gone"),
        Subtitle(Fraction(1, 10), Fraction(9, 10), "since before"),
        Subtitle(Fraction(11, 10), Fraction(8, 5), "until after"),
        Subtitle(Fraction(13, 10), Fraction(14, 10), "after"),
    )
    cover = draw_cover()
    source = write_rich_film(
        tmp_path / "small.mkv", TRACKS, cover=cover, subtitles=lines, chapters=3
    )
    target = tmp_path / f"part{MUXERS[muxer]}"
    losses = remake_film(source, target, muxer, span=FilmSpan(Fraction(1, 2), Fraction(5, 4)))
    after = _describe(target)
    assert after["cover"] == [cover]
    assert after["chapters"] == [
        (Fraction(0), Fraction(1, 2), "Part 2"),
        (Fraction(1, 2), Fraction(3, 4), "Part 3"),
    ]
    if muxer == "mp4":
        assert [loss.what for loss in losses] == ["subtitles"]
        return
    assert losses == ()
    with av.open(str(target)) as container:
        (text,) = container.streams.subtitles
        packets = [packet for packet in container.demux(text) if packet.size]
    assert [(p.pts, p.duration, bytes(p).decode()) for p in packets] == [
        (0, 400, "since before"),
        (600, 150, "until after"),
    ]


PHONE = {
    "com.apple.quicktime.location.ISO6709": "+48.1+011.5+520/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone 15",
    "com.apple.quicktime.creationdate": "2024-05-01T10:00:00+0200",
}


@pytest.mark.parametrize("muxer", ["mp4", "mov"])
def test_what_a_phone_says_is_kept(tmp_path: Path, muxer: str) -> None:
    """By keys of Apple; a title has Apple's name beside its own then."""
    options = {"movflags": "+use_metadata_tags"}
    said = {**PHONE, "title": "Fünf"}
    source = write_rich_film(tmp_path / "small.mov", metadata=said, options=options)
    target = tmp_path / f"large{MUXERS[muxer]}"
    assert remake_film(source, target, muxer) == ()
    with av.open(str(target)) as container:
        own = container.metadata
    assert {key: own[key] for key in said} == said
    assert own["com.apple.quicktime.title"] == "Fünf"
    assert _probe_tags(target).items() >= said.items()


@pytest.mark.parametrize("muxer", ["mp4", "mov"])
def test_usual_metadata_are_atoms(tmp_path: Path, muxer: str) -> None:
    said = {"title": "Fünf", "comment": "ein Satz", "date": "2020"}
    source = write_rich_film(tmp_path / "small.mkv", metadata=said)
    target = tmp_path / f"large{MUXERS[muxer]}"
    assert remake_film(source, target, muxer) == ()
    data = target.read_bytes()
    for atom in (b"\xa9nam", b"\xa9cmt", b"\xa9day"):
        assert atom in data
    assert b"mdta" not in data
    assert _probe_tags(target).items() >= said.items()


def _probe_tags(file: Path) -> dict[str, str]:
    """As FFmpeg's own tool shows them."""
    if shutil.which("ffprobe") is None:
        pytest.skip("no ffprobe is installed here, which shows what players read")
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "flat", file]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    pairs = (line.removeprefix("format.tags.").split("=", 1) for line in lines)
    said = {key: text.strip('"') for key, text in pairs}
    return {**said, **{name: said[_flat(name)] for name in PHONE if _flat(name) in said}}


def _flat(name: str) -> str:
    return name.replace(".", "_")


def test_what_a_track_says_besides_is_named(tmp_path: Path) -> None:
    track = SoundTrack("fra", tags=(("SOURCE_MEDIUM", "tape"), ("BPS-eng", "64000")))
    source = write_rich_film(tmp_path / "small.mkv", [track])
    losses = remake_film(source, tmp_path / "large.mp4", "mp4")
    assert [str(loss) for loss in losses] == [
        "metadata: mp4 has no place for what stream 1 (aac, fra) says of source_medium"
    ]
    assert remake_film(source, tmp_path / "large.mkv", "matroska") == ()


def test_sound_without_a_place_is_named(tmp_path: Path) -> None:
    source = write_rich_film(tmp_path / "small.mkv", [SoundTrack(codec="flac")])
    (loss,) = remake_film(source, tmp_path / "large.mov", "mov")
    reason = "FFmpeg has no place for it there; .mkv holds most"
    assert str(loss) == f"audio: stream 1 (flac) is left out: {reason}"


RECORDED = [
    (".avi", "adpcm_ima_wav"),
    (".avi", "adpcm_ms"),
    (".avi", "pcm_alaw"),
    (".avi", "pcm_mulaw"),
    (".wmv", "wmav1"),
    (".wmv", "wmav2"),
]


@pytest.mark.parametrize(("suffix", "codec"), RECORDED)
def test_sound_of_windows_goes_into_matroska(tmp_path: Path, suffix: str, codec: str) -> None:
    """By the codec's number in Windows, as players read it: each sample is what it was."""
    source = write_rich_film(tmp_path / f"small{suffix}", [SoundTrack(codec=codec)])
    target = tmp_path / "large.mkv"
    assert remake_film(source, target, "matroska") == ()
    assert read_packets(target, "audio") == read_packets(source, "audio")
    assert _hear(target) == _hear(source)
    refused = remake_film(source, tmp_path / "large.mp4", "mp4")
    assert [loss.what for loss in refused if loss.what != "metadata"] == ["audio"]


@pytest.mark.parametrize("muxer", ["mp4", "mov", "matroska"])
def test_plain_samples_of_avi_are_kept(tmp_path: Path, muxer: str) -> None:
    """AVI doesn't name their channels, without which MP4 was refused after the last frame."""
    source = write_rich_film(tmp_path / "small.avi", [SoundTrack(codec="pcm_s16le")])
    target = tmp_path / f"large{MUXERS[muxer]}"
    losses = remake_film(source, target, muxer)
    assert [loss.what for loss in losses if loss.what != "metadata"] == []
    assert _hear(target) == _hear(source)


def _hear(file: Path) -> bytes:
    with av.open(str(file)) as container:
        frames = container.decode(audio=0)
        return b"".join(frame.to_ndarray().tobytes() for frame in frames)


@pytest.mark.parametrize("muxer", MUXERS)
def test_sound_that_nobody_knows_is_named(tmp_path: Path, muxer: str) -> None:
    source = write_rich_film(tmp_path / "small.avi", [SoundTrack(codec="pcm_mulaw")])
    data = bytearray(source.read_bytes())
    at = data.index(b"strf", data.index(b"auds")) + 8
    assert data[at : at + 2] == b"\x07\x00"
    data[at : at + 2] = b"\x77\x77"
    source.write_bytes(data)
    losses = remake_film(source, tmp_path / f"large{MUXERS[muxer]}", muxer)
    (line,) = (str(loss) for loss in losses if loss.what == "audio")
    assert line.startswith("audio: stream 1 (unknown) is left out: ")
