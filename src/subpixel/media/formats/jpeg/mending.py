"""Files of phones and cameras that are whole, but not by the letter.

libjpeg warns of them as it warns of damage, and a warning stops reading. So what is known to mean
nothing is corrected in a copy, and every warning that is left means damaged pixels. Of libjpeg's
warnings (``JWRN_`` in its jerror.h) these are corrected here:

- ``NOT_SEQUENTIAL``: a scan of a sequential file states a spectral range or an approximation, which
  only progressive files have. Phones of some makers write any numbers there, and decoders pass
  them over.
- ``JPEG_EOF``: the end marker is missing, and all scans are there. Where the last scan is cut off,
  libjpeg still says so when it comes to the end marker that stands there then (``HIT_MARKER``).
- ``EXTRANEOUS_DATA``: bytes between segments, which the account of the file names. Those behind a
  scan's last block mean that it was decoded wrongly, unless they are few.
- ``JFIF_MAJOR`` and ``ADOBE_XFORM``: a version or a colour transform that nobody has defined. The
  numbers that are set are those that libjpeg goes by.

Source: ITU-T T.81, annex B, G.1.1.1.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from subpixel.media.formats.jpeg.scan_check import FrameHeader, has_all_rows
from subpixel.media.metadata.exif import Block

_SOS, _EOI, _SOF_PROGRESSIVE = 0xDA, 0xD9, (0xC2, 0xCA)
_SOF_SEQUENTIAL = (0xC0, 0xC1, 0xC9)
_APP0, _APP14 = 0xE0, 0xEE
_BETWEEN = 0
"""What libjpeg passes over."""
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SEARCH_BYTES = 1 << 20
_FIRST_SEARCH = 1 << 12
_MAX_SEGMENTS = 10_000
_LAST = 63
"""The highest coefficient of a block."""


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int
    """Its content, behind the length."""
    stop: int


@dataclass
class _Coefficients:
    """Which coefficients of which component have come, in full precision."""

    is_progressive: bool = False
    frame: FrameHeader | None = None
    scans: int = 0
    complete: dict[int, set[int]] = field(default_factory=dict)

    def begin(self, frame: bytes, at: int, *, is_progressive: bool) -> None:
        """Take in the header of a frame, which stands at ``at`` in the file."""
        self.is_progressive = is_progressive
        self.frame = FrameHeader.parse(frame, at)
        components = frame[6 : 6 + 3 * frame[5]] if len(frame) > 5 else b""
        self.complete = {number: set() for number in components[::3]}

    def add(self, scan: bytes) -> None:
        """Take in the header of a scan."""
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            return
        self.scans += 1
        first, last, approximation = scan[1 + 2 * count : 4 + 2 * count]
        for number in scan[1 : 1 + 2 * count : 2]:
            if not self.is_progressive:
                self.complete.setdefault(number, set()).update(range(_LAST + 1))
            elif approximation & 15 == 0:
                self.complete.setdefault(number, set()).update(range(first, last + 1))

    @property
    def is_whole(self) -> bool:
        """Whether all coefficients of all components have come."""
        return bool(self.complete) and all(len(c) > _LAST for c in self.complete.values())

    @property
    def is_decoded_first(self) -> bool:
        """Whether libjpeg decodes all scans before it gives the first row."""
        return self.is_progressive or self.scans > 1


def mend_jpeg(file: Block, *, ends_itself: bool) -> bytes | None:
    """A copy of the file that libjpeg doesn't warn of where there is no damage; None: it is fine.

    ``ends_itself``: whether a missing end marker is added, which is right only where warnings
    stop reading.
    """
    segments = list(_walk_segments(file))
    cuts = [(s.start, s.stop) for s in segments if s.marker == _BETWEEN]
    if not cuts:
        return _correct(file, segments, ends_itself=ends_itself)
    tidy = _cut_out(file, cuts)
    return _correct(tidy, list(_walk_segments(tidy)), ends_itself=ends_itself) or tidy


def _correct(file: Block, segments: Iterable[_Segment], *, ends_itself: bool) -> bytes | None:
    progress, patches, end = _Coefficients(), dict[int, int](), 2
    for segment in segments:
        end = segment.stop
        if segment.marker == _EOI:
            break
        patches |= _correct_segment(file, segment, progress)
    else:
        if ends_itself and progress.is_whole and progress.frame and end == len(file):
            whole = _patch(file, patches)[: _find_end(file)] + b"\xff\xd9"
            if progress.is_decoded_first or has_all_rows(whole, progress.frame):
                return whole
    return _patch(file, patches) if patches else None


def _cut_out(file: Block, cuts: Sequence[tuple[int, int]]) -> bytes:
    starts, stops = zip(*cuts, strict=True)
    return b"".join(
        bytes(file[start:stop])
        for start, stop in zip((0, *stops), (*starts, len(file)), strict=True)
    )


def _find_marker(file: Block, at: int) -> int:
    """Where the first marker behind a scan's data stands; the file's end where none does."""
    size = _FIRST_SEARCH
    while at < len(file):
        match = _AFTER_SCAN.search(file[at : at + size + 1])
        if match is not None:
            return at + match.start()
        at, size = at + size, min(2 * size, _SEARCH_BYTES)
    return len(file)


def _find_end(file: Block) -> int:
    """Behind the last byte that is no begin of a marker."""
    end = len(file)
    while file[end - 1] == 0xFF:
        end -= 1
    return end


def _patch(file: Block, patches: dict[int, int]) -> bytes:
    copy = bytearray(file[:])
    for at, value in patches.items():
        copy[at] = value
    return bytes(copy)


def _correct_segment(file: Block, segment: _Segment, progress: _Coefficients) -> dict[int, int]:
    """Which bytes of the segment are to be changed to what."""
    data = bytes(file[segment.start : min(segment.stop, segment.start + 1024)])
    if segment.marker in (*_SOF_SEQUENTIAL, *_SOF_PROGRESSIVE):
        progress.begin(data, segment.start, is_progressive=segment.marker in _SOF_PROGRESSIVE)
    elif segment.marker == _SOS:
        progress.add(data)
        return {} if progress.is_progressive else _correct_scan(data, segment.start)
    elif segment.marker == _APP0 and data[:5] == b"JFIF\0" and len(data) >= 14 and data[5] != 1:
        return {segment.start + 5: 1}
    elif segment.marker == _APP14 and data[:5] == b"Adobe" and len(data) >= 12 and data[11] > 2:
        return {segment.start + 11: 1 if len(progress.complete) != 4 else 2}
    return {}


def _correct_scan(scan: bytes, start: int) -> dict[int, int]:
    count = scan[0] if scan else 0
    at = 1 + 2 * count
    whole_range = bytes((0, _LAST, 0))
    if len(scan) < at + 3 or scan[at : at + 3] == whole_range:
        return {}
    return {start + at + i: whole_range[i] for i in range(3)}


def _walk_segments(file: Block) -> Iterator[_Segment]:
    """All segments up to the end marker, or to where the file ends or isn't understood.

    That of a scan ends behind the scan's data; bytes between segments are one, too. They end where
    there are more than :data:`_MAX_SEGMENTS`.
    """
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if at + 2 > len(file):
            return
        if file[at] != 0xFF:
            start, at = at, _find_marker(file, at)
            if at < len(file):
                yield _Segment(_BETWEEN, start, at)
            continue
        marker = file[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI or marker in _WITHOUT_LENGTH:
            yield _Segment(marker, at + 2, at + 2)
            if marker == _EOI:
                return
            at += 2
            continue
        start, length = at + 4, int.from_bytes(file[at + 2 : at + 4])
        stop = at + 2 + length
        if length < 2 or stop > len(file):
            return
        if marker == _SOS:
            stop = _find_marker(file, stop)
        yield _Segment(marker, start, stop)
        at = stop
