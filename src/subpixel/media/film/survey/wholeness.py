"""Whether a film's file is as long as its container says."""

from pathlib import Path

from subpixel.errors import PictureError
from subpixel.media.film.survey.avi import find_avi_end
from subpixel.media.formats.boxes.boxes import walk_boxes
from subpixel.system.files.inputs import FileBytes

MATROSKA_HEADER, MATROSKA_SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"
"""The first element of a Matroska file, and the one that holds all of the rest (RFC 9559)."""


def expect_whole(file: Path) -> None:
    """Raise :class:`PictureError` where ``file`` ends before its container does; nothing is said
    of kinds that don't say how long they are. Raises :class:`OSError`."""
    data = FileBytes(file)
    end = _find_container_end(data)
    if end is not None and end > len(data):
        raise PictureError(
            f"{file} is cut off: it has {len(data):,} bytes, and its container {end:,}; get all of "
            "it"
        )


def _find_container_end(data: FileBytes) -> int | None:
    head = data[:12]
    if head.startswith(MATROSKA_HEADER):
        return _end_of_matroska(data)
    if head.startswith(b"RIFF") and head.endswith(b"AVI "):
        return find_avi_end(data)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        return _end_of_boxes(data)
    return None


def _end_of_boxes(data: FileBytes) -> int | None:
    """Where the first box that isn't there as a whole would end; None: all are."""
    last = max((box.stop for box in walk_boxes(data, 0, len(data))), default=0)
    head = data[last : last + 16]
    size, name = int.from_bytes(head[:4], "big"), head[4:8]
    if len(head) < 8 or not name.isalnum():  # what follows is no box
        return None
    return last + (int.from_bytes(head[8:16], "big") if size == 1 else size)


def _end_of_matroska(data: FileBytes) -> int | None:
    size, start = _read_element_size(data, len(MATROSKA_HEADER))
    if size is None or data[start + size : start + size + 4] != MATROSKA_SEGMENT:
        return None
    length, begin = _read_element_size(data, start + size + len(MATROSKA_SEGMENT))
    return None if length is None else begin + length


def _read_element_size(data: FileBytes, at: int) -> tuple[int | None, int]:
    """An element's size, None where it is said to be unknown, and where its content begins."""
    first = data[at : at + 1]
    width = 9 - first[0].bit_length() if first and first[0] else 8
    number = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if number == (1 << 7 * width) - 1 else number), at + width
