"""The picture that stands for a film, on its way into another container."""

from dataclasses import dataclass
from pathlib import Path

from av.packet import Packet
from av.stream import AttachmentStream, Stream
from av.video.stream import VideoStream

from subpixel.media.film.survey.container import is_cover, open_container

COVER_KINDS = {
    "mjpeg": (".jpg", "image/jpeg"),
    "png": (".png", "image/png"),
    "bmp": (".bmp", "image/bmp"),
    "gif": (".gif", "image/gif"),
    "tiff": (".tif", "image/tiff"),
    "webp": (".webp", "image/webp"),
}
"""Suffix and media type, by FFmpeg's name of the codec."""

COVER_MUXERS = ("mp4", "matroska")
"""The containers that have a place for a cover."""

ATTACHED_MUXER = "matroska"
"""What has covers as files that are attached (RFC 9559, 5.1.6); MP4 as metadata."""


@dataclass(frozen=True, eq=False)
class CoverPicture:
    """A cover as a file."""

    number: int
    """Of its stream in the source."""
    name: str
    mimetype: str
    data: bytes

    def make_packet(self, stream: Stream) -> Packet:
        """The one of its ``stream`` in a new film."""
        packet: Packet = Packet(self.data)
        packet.pts = packet.dts = 0
        packet.is_keyframe, packet.time_base, packet.stream = True, stream.time_base, stream
        return packet


def is_attached(stream: Stream) -> bool:
    """Whether a stream is one file beside the film: a cover, or an attachment."""
    is_picture = isinstance(stream, VideoStream) and is_cover(stream)
    return is_picture or isinstance(stream, AttachmentStream)


def explain_cover(stream: VideoStream, muxer: str) -> str | None:
    """Why a container takes no such cover; None: it may."""
    if muxer not in COVER_MUXERS:
        return f"{muxer} has no place for a cover picture"
    if stream.codec_context is None or stream.codec_context.name not in COVER_KINDS:
        return "what kind of picture it is isn't known"
    return None


def read_cover(file: Path, number: int) -> CoverPicture | None:
    """The cover that is stream ``number`` of ``file``; None where the stream is empty."""
    with open_container(file) as container:
        stream = container.streams[number]
        suffix, mimetype = COVER_KINDS[stream.codec_context.name]
        tags = {key.lower(): value for key, value in stream.metadata.items()}
        name = tags.get("filename") or f"cover{suffix}"
        for packet in container.demux(stream):
            if packet.size:
                return CoverPicture(number, name, tags.get("mimetype") or mimetype, bytes(packet))
    return None
