"""Places of a film that hold no new picture: empty chunks of recorders, pictures that aren't coded,
and times that are those of decoding. Every picture is there, at its time."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from small_films import SmallFilm, av, draw_frame, frame_times, write_small_film
from subpixel.errors import PictureError
from subpixel.media.film.frames import decode_film
from subpixel.media.film.survey.avi import count_avi_frames
from subpixel.media.film.survey.survey import survey_film
from subpixel.media.film.survey.wholeness import expect_whole
from subpixel.system.files.inputs import FileBytes

Change = Callable[[int, "av.Packet"], "av.Packet"]

TENTHS = SmallFilm(
    rate=Fraction(10), time_base=Fraction(1, 10), count=8, times=(0, 1, 2, 5, 6, 9, 10, 18)
)
"""Between its frames a recorder has left out eleven."""

APART = SmallFilm(
    count=10, codec="mpeg4", rate=Fraction(10), time_base=Fraction(1, 10), options={"g": "1"}
)
"""Each frame stands by itself."""

NOT_CODED = b"\x00\x00\x01\xb6"
"""Where a picture of MPEG-4 begins (ISO/IEC 14496-2, 6.2.5)."""


def expect_frames(
    film: SmallFilm, file: Path, numbers: Sequence[int], times: list[Fraction], stop: Fraction
) -> None:
    """Those of such numbers, at such times in seconds; the last is shown until ``stop``."""
    survey = survey_film(file)
    facts = survey.facts
    frames = list(decode_film(facts, survey.stream))
    assert [frame.time for frame in frames] == list(facts.times)
    assert [frame.time * facts.time_base for frame in frames] == times
    assert (facts.times[-1] + facts.last_duration) * facts.time_base == stop
    assert [tell_number(film, frame.read(facts)) for frame in frames] == list(numbers)


def tell_number(film: SmallFilm, pixels: NDArray[np.uint8]) -> int:
    """Of the frame that was drawn so."""
    drawn = [draw_frame(film, number).astype(int) for number in range(film.count)]
    return int(np.argmin([np.abs(frame - pixels).mean() for frame in drawn]))


def rewrite(source: Path, target: Path, change: Change) -> Path:
    """The film with other packets; those of which nothing is left are left out."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        packets = [packet for packet in before.demux(video=0) if packet.dts is not None]
        for number, packet in enumerate(packets):
            changed = change(number, packet)
            changed.stream = stream
            after.mux(changed)
    return target


def with_content(packet: "av.Packet", content: bytes) -> "av.Packet":
    """At the same time."""
    result = av.Packet(content)
    result.pts, result.dts, result.duration = packet.pts, packet.dts, packet.duration
    result.time_base = packet.time_base
    return result


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg", "huffyuv", "libx264"])
def test_a_recorder_left_frames_out(codec: str, tmp_path: Path) -> None:
    pixels = {"mjpeg": "yuvj420p", "huffyuv": "yuv422p"}.get(codec, "yuv420p")
    film = replace(TENTHS, codec=codec, pixel_format=pixels, options={"bf": "0"})
    file = write_small_film(tmp_path / "film.avi", film)
    assert count_avi_frames(FileBytes(file), 0) == 19
    times = [Fraction(time, 10) for time in TENTHS.times]
    expect_frames(film, file, range(8), times, Fraction(19, 10))


def with_empty_chunks(content: bytes, count: int) -> bytes:
    """An AVI of one part with so many empty chunks behind its last frame."""
    data = bytearray(content)
    movi, frames = data.index(b"movi") - 4, data.index(b"avih") + 24
    length, size = data.index(b"strh") + 40, 8 * count
    end = movi + 4 + int.from_bytes(data[movi : movi + 4], "little")
    for place, more in ((4, size), (movi, size), (frames, count), (length, count)):
        number = int.from_bytes(data[place : place + 4], "little") + more
        data[place : place + 4] = struct.pack("<I", number)
    data[end:end] = b"00dc\0\0\0\0" * count
    return bytes(data)


def test_nothing_new_is_recorded_at_the_end(tmp_path: Path) -> None:
    """The last picture stays so long, however long it is."""
    film = replace(TENTHS, codec="mjpeg", pixel_format="yuvj420p")
    written = write_small_film(tmp_path / "film.avi", film).read_bytes()
    (tmp_path / "still.avi").write_bytes(with_empty_chunks(written, 100))
    times = [Fraction(time, 10) for time in TENTHS.times]
    expect_frames(film, tmp_path / "still.avi", range(8), times, Fraction(119, 10))


def test_frames_that_are_lost_are_not_taken_for_left_out(tmp_path: Path) -> None:
    film = replace(TENTHS, codec="mjpeg", pixel_format="yuvj420p")
    data = write_small_film(tmp_path / "film.avi", film).read_bytes()
    head, movi, rest = data.partition(b"movi")
    lossy = rest.replace(b"00dc\0\0\0\0", b"JUNK\0\0\0\0", 3)
    (tmp_path / "lost.avi").write_bytes(head + movi + lossy)
    with pytest.raises(PictureError, match=r"cut off: of 19 frames 16 are there"):
        survey_film(tmp_path / "lost.avi")


def test_an_avi_of_several_parts_lacks_the_last(tmp_path: Path) -> None:
    part = b"RIFF" + struct.pack("<I", 24) + b"AVIX"
    frames = b"LIST" + struct.pack("<I", 12) + b"movi" + b"00db\0\0\0\0"
    whole = part.replace(b"AVIX", b"AVI ") + frames + part + frames
    file = tmp_path / "film.avi"
    file.write_bytes(whole)
    expect_whole(file)
    assert count_avi_frames(FileBytes(file), 0) == 2
    assert count_avi_frames(FileBytes(file), 1) == 0
    file.write_bytes(whole[:-1])
    with pytest.raises(PictureError, match="is cut off"):
        expect_whole(file)


def not_coded(number: int, rate: int) -> bytes:
    """An MPEG-4 picture that says the one before it stays (ISO/IEC 14496-2, 6.2.5)."""
    seconds = "1" * (number % rate == 0) + "0"
    bits = f"01{seconds}1{number % rate:0{(rate - 1).bit_length()}b}100"
    bits += "1" * (-len(bits) % 8)
    return NOT_CODED + int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4"])
@pytest.mark.parametrize(
    ("places", "numbers"),
    [((3, 4, 7), (0, 1, 2, 5, 6, 8, 9)), ((9,), (0, 1, 2, 3, 4, 5, 6, 7, 8, 8))],
    ids=["within", "at the end"],
)
def test_pictures_that_are_not_coded(
    suffix: str, places: tuple[int, ...], numbers: tuple[int, ...], tmp_path: Path
) -> None:
    """As Xvid and DivX write them where little changes; FFmpeg repeats the last frame for one."""
    source = write_small_film(tmp_path / "source.mp4", APART)

    def change(number: int, packet: "av.Packet") -> "av.Packet":
        return with_content(packet, not_coded(number, 10)) if number in places else packet

    file = rewrite(source, tmp_path / f"film{suffix}", change)
    times = [Fraction(n, 10) for n in range(10) if n not in places or n == 9]
    expect_frames(APART, file, numbers, times, Fraction(1))


@pytest.mark.parametrize(("suffix", "places"), [(".mkv", (4, 5)), (".nut", (4, 5, 9))])
def test_packets_of_nothing(suffix: str, places: tuple[int, ...], tmp_path: Path) -> None:
    """As Theora's encoder writes them where nothing changes."""
    source = write_small_film(tmp_path / "source.mp4", APART)

    def change(number: int, packet: "av.Packet") -> "av.Packet":
        return with_content(packet, b"") if number in places else packet

    file = rewrite(source, tmp_path / f"film{suffix}", change)
    numbers = [number for number in range(10) if number not in places]
    expect_frames(APART, file, numbers, [Fraction(number, 10) for number in numbers], Fraction(1))


def test_times_of_decoding_that_pass_for_those_of_showing(tmp_path: Path) -> None:
    """As programs write them that copy a film with B-frames and know nothing of these."""
    film = SmallFilm(count=12, codec="mpeg4", options={"bf": "2"})
    source = write_small_film(tmp_path / "source.mkv", film)

    def change(number: int, packet: "av.Packet") -> "av.Packet":
        packet.pts = packet.dts = frame_times(film)[number] * 1000 // 1200
        return packet

    file = rewrite(source, tmp_path / "film.mkv", change)
    expect_frames(film, file, range(12), [Fraction(time, 4) for time in range(12)], Fraction(3))
