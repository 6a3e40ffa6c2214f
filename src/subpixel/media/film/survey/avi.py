"""The chunks of an AVI. Source: OpenDML AVI File Format Extensions, version 1.02.

A recorder that has no new picture in time writes an empty chunk in its place, of which FFmpeg says
nothing.
"""

from subpixel.system.files.inputs import FileBytes

CHUNK_HEAD, LIST_HEAD = 8, 12
"""Bytes of a chunk's name and size, and of these and the kind of a list."""

LISTS = (b"RIFF", b"LIST")
WITH_PICTURES = (b"AVI ", b"AVIX", b"movi", b"rec ")
"""The lists in which pictures lie, at whatever depth."""


def find_avi_end(data: FileBytes) -> int:
    """Where the last part of the file ends, by its own word: one of over a gigabyte has several."""
    end = start = 0
    while data[start : start + 4] == b"RIFF":
        end = start + CHUNK_HEAD + _read_chunk_size(data, start)
        start = end + end % 2
    return end


def count_avi_frames(data: FileBytes, stream: int) -> int:
    """The chunks of a video stream, those included that are empty."""
    names, count, start = {b"%02ddc" % stream, b"%02ddb" % stream}, 0, 0
    while start + CHUNK_HEAD <= len(data):
        head = data[start : start + LIST_HEAD]
        if head[:4] in LISTS and head[CHUNK_HEAD:] in WITH_PICTURES:
            start += LIST_HEAD
        else:
            count += head[:4] in names
            size = _read_chunk_size(data, start)
            start += CHUNK_HEAD + size + size % 2
    return count


def _read_chunk_size(data: FileBytes, start: int) -> int:
    return int.from_bytes(data[start + 4 : start + CHUNK_HEAD], "little")
