"""A segment of a film as a file: what stands between two runs of an encoder.

One line of JSON, then the packets one after the other.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from subpixel.errors import PictureError
from subpixel.media.film.encoding.encoder import CodedPacket, CodedSegment
from subpixel.strict_json import JsonError, parse_json, read_value
from subpixel.system.files.inputs import open_input

SEGMENT_SUFFIX = ".segment"

MAX_SEGMENT_LINE = 1 << 26
"""Of the JSON of one segment."""


@dataclass(frozen=True)
class _PacketLine:
    time: int
    is_key: bool
    size: int
    alpha: int
    """Bytes of transparency, after the data."""


@dataclass(frozen=True)
class _SegmentLine:
    header: str
    """In hexadecimal digits."""
    sha256: str
    """Of all that follows the line."""
    packets: tuple[_PacketLine, ...]


def write_segment(stream: BinaryIO, segment: CodedSegment) -> None:
    """``segment`` into a file that is open for writing."""
    body = b"".join(packet.data + packet.alpha for packet in segment.packets)
    packets = [
        {"time": p.time, "is_key": p.is_key, "size": len(p.data), "alpha": len(p.alpha)}
        for p in segment.packets
    ]
    line = {
        "header": segment.header.hex(),
        "sha256": hashlib.sha256(body).hexdigest(),
        "packets": packets,
    }
    stream.write(json.dumps(line).encode() + b"\n" + body)


def read_segment(file: Path) -> CodedSegment:
    """The segment in ``file``.

    Raises :class:`PictureError` for what is none, or not whole.
    """
    try:
        with open_input(file) as stream:
            line = read_value(
                parse_json(stream.readline(MAX_SEGMENT_LINE), max_bytes=MAX_SEGMENT_LINE),
                _SegmentLine,
            )
            body = stream.read()
    except (OSError, JsonError) as error:
        raise PictureError(f"{file} is no segment of a film: {error}") from error
    if hashlib.sha256(body).hexdigest() != line.sha256:
        raise PictureError(f"{file} is damaged: remove it, and run the film again")
    return CodedSegment(bytes.fromhex(line.header), _cut_packets(line, body))


def _cut_packets(line: _SegmentLine, body: bytes) -> list[CodedPacket]:
    packets, at = [], 0
    for packet in line.packets:
        data, at = body[at : at + packet.size], at + packet.size
        alpha, at = body[at : at + packet.alpha], at + packet.alpha
        packets.append(CodedPacket(packet.time, packet.is_key, data, alpha))
    return packets
