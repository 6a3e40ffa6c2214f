"""Films that change on their way, begin in the middle of something, or have been joined: followed,
or refused in a line that says where."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rich_films import remake_film
from small_films import SmallFilm, av, read_packets, write_small_film
from subpixel.errors import PictureError
from subpixel.media.film.frames import decode_film, look_ahead
from subpixel.media.film.survey.survey import survey_film

PLAIN = SmallFilm(count=16, rate=Fraction(8), options={"bf": "0", "crf": "10"}, matrix=1)
INTERLACED = replace(PLAIN, field_order=2, options=PLAIN.options | {"x264-params": "tff=1"})
TS_PACKET = 188
SYNC = 0x47


def join(folder: Path, *films: SmallFilm) -> Path:
    """Bare streams one after the other, as a recorder writes what it gets."""
    parts = [
        write_small_film(folder / f"{number}.h264", film).read_bytes()
        for number, film in enumerate(films)
    ]
    (folder / "film.h264").write_bytes(b"".join(parts))
    return folder / "film.h264"


def read_all(file: Path, *, deinterlace: bool = False) -> list[NDArray[np.uint8]]:
    survey = survey_film(file)
    frames = decode_film(survey.facts, survey.stream, deinterlace=deinterlace)
    return [frame.read(survey.facts) for frame in frames]


def expect_same(pictures: Sequence[NDArray[np.uint8]], others: Sequence[NDArray[np.uint8]]) -> None:
    assert len(pictures) == len(others)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, others, strict=True))


@pytest.mark.parametrize(
    "change", [{"matrix": 6}, {"color_range": 2}, {"matrix": 6, "color_range": 2}]
)
def test_matrix_and_range_are_those_of_each_frame(tmp_path: Path, change: dict[str, int]) -> None:
    """As each part by itself has them."""
    first, second = PLAIN, replace(PLAIN, **change)
    joint = read_all(join(tmp_path, first, second))
    apart = [read_all(tmp_path / f"{number}.h264") for number in range(2)]
    expect_same(joint, [*apart[0], *apart[1]])


def test_frames_that_become_hdr_are_refused(tmp_path: Path) -> None:
    pq = replace(PLAIN, matrix=9, primaries=9, transfer=16)
    with pytest.raises(PictureError, match=r"from BT.709 and SDR to BT.2020 and PQ at 0:00.640"):
        read_all(join(tmp_path, PLAIN, pq))


def test_pixels_that_change_their_shape_are_refused(tmp_path: Path) -> None:
    wide = replace(PLAIN, aspect=Fraction(16, 11))
    with pytest.raises(PictureError, match=r"from pixels of 1:1 to pixels of 16:11 at 0:0"):
        read_all(join(tmp_path, PLAIN, wide))


def test_half_pictures_that_begin_later_are_refused_or_made_whole(tmp_path: Path) -> None:
    """The frames before them stay as they are."""
    file = join(tmp_path, PLAIN, INTERLACED)
    with pytest.raises(PictureError, match=r"is interlaced from 0:00.640 on; use --deinterlace"):
        read_all(file)
    frames = read_all(file, deinterlace=True)
    assert len(frames) == 32
    expect_same(frames[:15], read_all(tmp_path / "0.h264")[:15])
    expect_same(frames[17:], read_all(tmp_path / "1.h264", deinterlace=True)[1:])


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
@pytest.mark.parametrize("skip", [1, 5])
def test_a_film_that_begins_within_a_group_of_pictures(
    tmp_path: Path, suffix: str, skip: int
) -> None:
    """As recordings off the air do: what can't be decoded is left out, and that is told."""
    film = replace(PLAIN, options={"g": "8", "bf": "2", "x264-params": "scenecut=0:open-gop=1"})
    whole = write_small_film(tmp_path / "whole.ts", film)
    cut = tmp_path / f"film{suffix}"
    with av.open(str(whole)) as before, av.open(str(cut), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        for packet in [p for p in before.demux(video=0) if p.dts is not None][skip:]:
            packet.stream = stream
            after.mux(packet)
    survey = survey_film(cut)
    frames = read_all(cut)
    assert 0 < len(frames) < 16 - skip
    assert survey.facts.count == len(frames)
    (loss,) = survey.losses
    assert str(loss).startswith(f"frames: the first {16 - skip - len(frames)} can't be decoded")
    expect_same(frames, read_all(whole)[-len(frames) :])


def test_a_change_in_a_long_film_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a transport stream, whose size changes after two thirds."""
    monkeypatch.setattr("subpixel.media.film.frames.MIN_LONG_COUNT", 40)
    first = replace(PLAIN, count=40, options={"g": "4", "bf": "0"})
    joint = join(tmp_path, first, replace(first, count=20, width=64))
    film, plain = tmp_path / "film.ts", tmp_path / "plain.ts"
    for source, target in ((joint, film), (tmp_path / "0.h264", plain)):
        with av.open(str(source)) as before, av.open(str(target), "w") as after:
            stream = after.add_stream_from_template(before.streams.video[0])
            packets = [packet for packet in before.demux(video=0) if packet.size]
            for number, packet in enumerate(packets):
                packet.pts = packet.dts = number
                packet.time_base, packet.stream = Fraction(1, 8), stream
                after.mux(packet)
    survey = survey_film(film)
    with pytest.raises(PictureError, match=r"change from 48 x 32 to 64 x 32 at 0:0"):
        look_ahead(survey.facts, survey.stream)
    whole = survey_film(plain)
    look_ahead(whole.facts, whole.stream)


def ts_packets(file: Path) -> list[bytes]:
    data = file.read_bytes()
    return [data[at : at + TS_PACKET] for at in range(0, len(data), TS_PACKET)]


def packet_id(packet: bytes) -> int:
    """ISO/IEC 13818-1, 2.4.3.2."""
    assert packet[0] == SYNC
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def lose_packet(file: Path, number: int) -> None:
    """One in the middle of those of a stream, by its number from 0 on, that begin nothing."""
    packets = ts_packets(file)
    pid = 0x100 + number
    mine = [at for at, p in enumerate(packets) if packet_id(p) == pid and not p[1] & 0x40]
    del packets[mine[len(mine) // 2]]
    file.write_bytes(b"".join(packets))


SOUNDING = replace(
    PLAIN, count=40, audio="mp2", audio_rate=48_000, options=PLAIN.options | {"g": "8"}
)


def sound_times(file: Path) -> list[int]:
    """Of decoding."""
    with av.open(str(file)) as container:
        return [packet.dts for packet in container.demux(audio=0) if packet.size]


def test_damaged_sound_is_told_and_copied(tmp_path: Path) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg is installed here, which puts several frames of sound together")
    whole, file = write_small_film(tmp_path / "film.mkv", SOUNDING), tmp_path / "film.ts"
    command = ["ffmpeg", "-v", "error", "-i", whole, "-c:v", "copy", "-c:a", "mp2", file]
    subprocess.run(command, check=True)
    assert not survey_film(file).losses
    lose_packet(file, 1)
    (loss,) = survey_film(file).losses
    assert str(loss) == "packets: stream 1 has some that aren't whole, copied as they are"
    times = sound_times(file)
    assert times != sorted(set(times)), "what FFmpeg makes of the gap"
    for suffix, muxer in ((".mp4", "mp4"), (".mkv", "matroska")):
        large = tmp_path / f"large{suffix}"
        remake_film(file, large, muxer)
        assert read_packets(large, "audio") == read_packets(file, "audio")
        assert sound_times(large) == sorted(set(sound_times(large)))


def test_a_damaged_picture_is_refused_where_it_is(tmp_path: Path) -> None:
    file = write_small_film(tmp_path / "film.ts", SOUNDING)
    lose_packet(file, 0)
    with pytest.raises(PictureError, match=r"a packet of the video at \d\.\d\d s isn't whole"):
        survey_film(file)


def test_recordings_that_were_joined_are_refused_before_the_work(tmp_path: Path) -> None:
    """Their clock starts anew; the counters of packets (2.4.3.3) go on here."""
    packets = ts_packets(write_small_film(tmp_path / "film.ts", SOUNDING)) * 2
    counters, joined = dict[int, int](), list[bytes]()
    for packet in packets:
        number, has_content = packet_id(packet), packet[3] >> 4 & 1
        counters[number] = (counters.get(number, -1) + has_content) % 16
        joined.append(packet[:3] + bytes([packet[3] & 0xF0 | counters[number]]) + packet[4:])
    (tmp_path / "joined.ts").write_bytes(b"".join(joined))
    with pytest.raises(PictureError, match=r"sound of stream 1 goes back in time at [45]\.\d\d s"):
        survey_film(tmp_path / "joined.ts")
