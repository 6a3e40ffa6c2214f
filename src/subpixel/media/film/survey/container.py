"""A film's file, open for reading: its streams, packets and frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av import VideoFrame
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from subpixel.errors import PictureError, one_line
from subpixel.system.files.inputs import open_input

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,mxf,yuv4mpegpipe,nut,gif,"
    "apng,h264,hevc,mpegvideo,ivf,dv"
)
"""What is opened as a film: no playlist, which would name files of its own."""

FILM_READ_BYTES = 1 << 18
"""That are asked of the file at a time."""

TEXT_OPTIONS: dict[str, str] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
"""What has PyAV take texts that are no UTF-8; from 19 on it does by itself."""


@contextmanager
def open_container(file: Path) -> Iterator[InputContainer]:
    """The film, open for reading.

    Raises :class:`PictureError`, with the reason, for what is no film, also while it is read.
    """
    with explain_opening(file), open_input(file) as stream, explain_reading(file):
        options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
        with av.open(
            stream,
            "r",
            options=options,
            buffer_size=FILM_READ_BYTES,
            **TEXT_OPTIONS,
        ) as container:
            yield container


@contextmanager
def explain_opening(file: Path) -> Iterator[None]:
    """Errors of the file system inside as :class:`PictureError`."""
    try:
        yield
    except OSError as error:
        raise PictureError(f"{file} can't be read: {error.strerror or one_line(error)}") from error


@contextmanager
def explain_reading(file: Path) -> Iterator[None]:
    """Errors of FFmpeg inside as :class:`PictureError`."""
    try:
        yield
    except av.FFmpegError as error:
        raise PictureError(
            f"{file} can't be read as a film: {error.strerror}; it is damaged, cut off, or of "
            "another kind"
        ) from error


def find_video(file: Path, container: InputContainer) -> VideoStream:
    """The stream that is enlarged: the best that is no cover picture."""
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise PictureError(f"{file} has no video that could be enlarged")
    best = container.streams.best("video")
    return next((s for s in streams if best is not None and s.index == best.index), streams[0])


def is_cover(stream: VideoStream) -> bool:
    """Whether a video stream is one picture that stands for the film."""
    return bool(stream.disposition & Disposition.attached_pic)


ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""What reads the transparency beside a codec's packets, which FFmpeg's own decoders leave."""


def decode_video(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames of a stream from where the container is."""
    packets = (packet for packet in container.demux(stream) if not is_empty(packet))
    name = ALPHA_DECODERS.get(stream.codec_context.name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if name is None or tags.get("alpha_mode") != "1" or name not in av.codecs_available:
        for packet in packets:
            yield from packet.decode()
        return
    decoder = av.CodecContext.create(name, "r")
    for packet in packets:
        yield from decoder.decode(packet if packet.size else None)


def is_empty(packet: Packet) -> bool:
    """Whether a packet says no more than that the frame before it stays (Theora I, 7.11); what
    ends a stream has no time."""
    return not packet.size and packet.dts is not None


def to_fraction(ratio: object) -> Fraction | None:
    """PyAV's ratios: None, or with a denominator or numerator of 0, are none."""
    if ratio is None:
        return None
    over, under = int(getattr(ratio, "numerator", 0)), int(getattr(ratio, "denominator", 0))
    return Fraction(over, under) if over and under else None
