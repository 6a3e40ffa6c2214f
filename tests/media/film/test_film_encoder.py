"""Codecs: what they hold, segments by themselves, settings that are refused."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from small_films import av
from subpixel.errors import PictureError, ProviderError, UsageError
from subpixel.media.film.encoding.codecs import CODECS, codec_named, default_codec
from subpixel.media.film.encoding.encoder import (
    CodedPacket,
    CodedSegment,
    encode_segment,
    plan_encoder,
)
from subpixel.media.film.encoding.segments import read_segment, write_segment
from subpixel.media.film.facts import ContentLight, FilmColour, FilmFacts, SampleLayout

SOFTWARE = [codec.name for codec in CODECS if "_" not in codec.name]
FACTS = FilmFacts(
    file=Path("film.mp4"),
    width=32,
    height=24,
    layout=SampleLayout("yuv", 8, 2, 2),
    colour=FilmColour(1, 1, 1, False),
    time_base=Fraction(1, 1200),
    rate=Fraction(4),
    is_variable=False,
    times=tuple(range(0, 2400, 300)),
    last_duration=300,
    aspect=Fraction(1),
)


def _frames(count: int, channels: int = 3) -> list[tuple[int, NDArray[np.uint8]]]:
    shape = (48, 64, channels)
    random = np.random.default_rng(count)
    picture = random.integers(0, 256, shape).astype(np.uint8)
    return [(300 * number, np.roll(picture, number, axis=1)) for number in range(count)]


@pytest.mark.parametrize("name", SOFTWARE)
def test_a_segment_stands_by_itself(name: str) -> None:
    """It begins with a key frame, has each frame once, and any other begins with the same header;
    made again it is the same to the bit."""
    settings, _ = plan_encoder(codec_named(name), FACTS, 48, 64)
    first = encode_segment(settings, _frames(7))
    assert sorted(packet.time for packet in first.packets) == [300 * n for n in range(7)]
    assert first.packets[0].is_key
    assert first.packets[0].time == 0
    later = [(time + 2100, frame) for time, frame in _frames(3)]
    assert encode_segment(settings, later).header == first.header
    again = encode_segment(settings, _frames(7))
    assert [packet.data for packet in again.packets] == [packet.data for packet in first.packets]


@pytest.mark.parametrize(("width", "has_tree"), [(480, False), (704, False), (640, True)])
def test_packets_dont_depend_on_what_is_in_memory(width: int, has_tree: bool) -> None:
    settings, _ = plan_encoder(codec_named("h264"), FACTS, 96, width)
    assert ("mbtree=0" not in dict(settings.options).get("x264-params", "")) == has_tree
    rows, columns = np.mgrid[:96, :width]
    frames = []
    for number in range(12):
        red = (columns * 2 + number * 9) % 256
        green = (rows * 3 + number * 5) % 256
        pixels = np.stack([red, green, 255 - red], axis=-1).astype(np.uint8)
        frames.append((number * 100, pixels))
    packets = set()
    for value in range(4):
        waste = [np.full(size, value * 60, np.uint8) for size in range(1000, 400_000, 9973)]
        del waste
        coded = encode_segment(settings, frames).packets
        packets.add(b"".join(packet.data for packet in coded))
    assert len(packets) == 1


def test_what_each_codec_holds() -> None:
    deep = replace(FACTS, layout=SampleLayout("yuv", 10, 2, 1), light=ContentLight(1000, 400))
    expected = {
        "h264": ("yuv422p10le", ()),
        "h265": ("yuv422p10le", ()),
        "av1": ("yuv420p10le", ("chroma",)),
        "vp9": ("yuv422p", ("bit depth", "HDR10")),
        "prores": ("yuv422p10le", ("HDR10",)),
        "ffv1": ("yuv422p10le", ("HDR10",)),
    }
    for name, (pixel_format, lost) in expected.items():
        settings, losses = plan_encoder(codec_named(name), deep, 48, 64)
        assert settings.pixel_format == pixel_format
        assert tuple(loss.what for loss in losses) == lost, name


def test_transparency_goes_where_it_can() -> None:
    clear = replace(FACTS, layout=SampleLayout("rgb", 8, alpha=True))
    assert plan_encoder(codec_named("ffv1"), clear, 48, 64)[0].pixel_format == "bgra"
    assert plan_encoder(codec_named("prores"), clear, 48, 64)[0].layout.alpha
    settings, losses = plan_encoder(codec_named("h264"), clear, 48, 64)
    assert settings.pixel_format == "yuv420p"
    assert [loss.what for loss in losses] == ["alpha", "chroma"]


def test_lossless_is_lossless() -> None:
    """Through FFV1 each sample comes back, in RGB as in planes of its own."""
    rgb = replace(FACTS, layout=SampleLayout("rgb", 8), colour=FilmColour(0, 1, 13, True))
    settings, _ = plan_encoder(codec_named("ffv1"), rgb, 48, 64)
    frames = _frames(2)
    segment = encode_segment(settings, frames)
    decoder = av.CodecContext.create("ffv1", "r")
    decoder.extradata, decoder.width, decoder.height = segment.header, 64, 48
    for packet, (_, frame) in zip(segment.packets, frames, strict=True):
        (coded,) = decoder.decode(av.Packet(packet.data))
        np.testing.assert_array_equal(coded.reformat(format="rgb24").to_ndarray(), frame)


def test_defaults_by_container() -> None:
    def name(muxer: str, bits: int = 8, alpha: bool = False) -> str:
        return default_codec(muxer, bits=bits, alpha=alpha).name

    assert [name("mp4"), name("mp4", 10), name("matroska")] == ["h264", "h265", "h264"]
    assert [name("webm"), name("webm", 10)] == ["vp9", "av1"]
    assert [name("mov", alpha=True), name("matroska", alpha=True)] == ["prores", "ffv1"]


def test_values_that_a_codec_hasnt_are_named() -> None:
    with pytest.raises(UsageError, match="'mpeg5' is no video codec here; use one of h264, h265"):
        codec_named("mpeg5")
    with pytest.raises(UsageError, match=r"--crf 60 is none of h264; use 0 \(best\) … 51"):
        plan_encoder(codec_named("h264"), FACTS, 48, 64, crf=60)
    with pytest.raises(
        UsageError, match="--preset 'fastest' is none of h265; use one of ultrafast"
    ):
        plan_encoder(codec_named("hevc"), FACTS, 48, 64, preset="fastest")
    with pytest.raises(UsageError, match="h265 takes no films of 48 x 32 pixels"):
        plan_encoder(codec_named("h265"), FACTS, 32, 48)
    with pytest.raises(UsageError, match="--crf means nothing for prores"):
        plan_encoder(codec_named("prores"), FACTS, 48, 64, crf=3)


def test_hardware_that_isnt_there_is_named() -> None:
    for name in ("h264_nvenc", "h265_qsv", "h264_videotoolbox"):
        with pytest.raises(ProviderError, match="use another --video-codec"):
            encode_segment(plan_encoder(codec_named(name), FACTS, 144, 256)[0], [])


def test_a_segment_through_a_file(tmp_path: Path) -> None:
    packets = [CodedPacket(3, True, b"abc", b"xy"), CodedPacket(-1, False, b"")]
    file = tmp_path / "1.segment"
    with file.open("wb") as stream:
        write_segment(stream, CodedSegment(b"\x01\xff", packets))
    segment = read_segment(file)
    assert segment.header == b"\x01\xff"
    assert [vars(packet) for packet in segment.packets] == [vars(packet) for packet in packets]
    file.write_bytes(file.read_bytes()[:-1] + b"z")
    with pytest.raises(PictureError, match=r"1\.segment is damaged"):
        read_segment(file)
    file.write_bytes(b"{}\n")
    with pytest.raises(PictureError, match=r"1\.segment is no segment of a film"):
        read_segment(file)
