"""The chunks of an AVI. Source: OpenDML AVI File Format Extensions, version 1.02.

A recorder that has no new picture in time writes an empty chunk in its place, of which FFmpeg says
nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from subpixel.system.files.inputs import FileBytes

HEAD = 8
"""Bytes of a chunk's name and size."""

LISTS = (b"RIFF", b"LIST")
WITH_PICTURES = (b"AVI ", b"AVIX", b"movi", b"rec ")
"""The lists in which pictures lie, at whatever depth."""


@dataclass(frozen=True)
class _Chunk:
    name: bytes
    kind: bytes
    """Of a list; of another chunk its first bytes."""
    start: int
    """Where its content begins."""
    size: int

    @property
    def stop(self) -> int:
        return self.start + self.size


def find_avi_end(data: FileBytes) -> int:
    """Where the last part of the file ends, by its own word: one of over a gigabyte has several."""
    parts = (part for part in _walk(data, 0, len(data)) if part.name == b"RIFF")
    return max((part.stop for part in parts), default=0)


def count_avi_frames(data: FileBytes, stream: int) -> int:
    """The chunks of a video stream, those included that are empty."""
    names = {b"%02ddc" % stream, b"%02ddb" % stream}
    return sum(chunk.name in names for chunk in _walk_all(data, 0, len(data)))


def _walk_all(data: FileBytes, start: int, stop: int) -> Iterator[_Chunk]:
    """The chunks in lists, without the lists."""
    for chunk in _walk(data, start, stop):
        if chunk.name not in LISTS:
            yield chunk
        elif chunk.kind in WITH_PICTURES:
            yield from _walk_all(data, chunk.start + len(chunk.kind), min(chunk.stop, stop))


def _walk(data: FileBytes, start: int, stop: int) -> Iterator[_Chunk]:
    """The chunks that lie side by side."""
    while start + HEAD <= stop:
        head = data[start : start + HEAD + 4]
        size = int.from_bytes(head[4:8], "little")
        yield _Chunk(head[:4], head[8:], start + HEAD, size)
        start += HEAD + size + size % 2
