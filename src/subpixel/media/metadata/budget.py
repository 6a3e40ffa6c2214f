"""What looking into one file, or into one block of it, may cost at most.

A sound file has no more of anything than fits into it side by side: directories, boxes and values
that lie over one another, or that name each other, are an attack. So each parser gets as many steps
and bytes as the file's own size allows, and what goes beyond counts as not there.
"""

import zlib
from dataclasses import dataclass

MAX_METADATA = 1 << 25
"""Most bytes that all texts and blocks of one file may take in memory together."""

MAX_PIECES = 1 << 20
"""Most pieces of a file of any size that are walked over one by one: a second's work."""

_INFLATE_STEP = 1 << 16
"""Bytes that are unfolded at a time."""


@dataclass
class Budget:
    """What is left of both."""

    steps: int = MAX_PIECES
    """Pieces: fields, boxes, chunks, blocks, items."""
    bytes: int = MAX_METADATA
    """Of values that are copied or unfolded."""

    def step(self, count: int = 1) -> bool:
        """Whether ``count`` more pieces may be looked at, which then count."""
        if count > self.steps:
            return False
        self.steps -= count
        return True

    def take(self, size: int) -> bool:
        """Whether there is room for ``size`` more bytes, which then count."""
        if size > self.bytes:
            return False
        self.bytes -= size
        return True


class NoRoomError(ValueError):
    """The budget is used up."""


def inflate(data: bytes, budget: Budget, most: int) -> bytes:
    """Unfold a zlib stream to at most ``most`` bytes; what unfolds counts, be it of use or not.

    Raises :class:`zlib.error` for a damaged one, :class:`EOFError` for one that is cut off or
    larger, and :class:`NoRoomError`.
    """
    stream, parts, size = zlib.decompressobj(), list[bytes](), 0
    for at in range(0, len(data), _INFLATE_STEP):
        piece = data[at : at + _INFLATE_STEP]
        while piece and not stream.eof:
            if size > most:
                raise EOFError
            if not budget.bytes:
                raise NoRoomError("there is no room for more")
            parts.append(stream.decompress(piece, min(_INFLATE_STEP, budget.bytes)))
            size += len(parts[-1])
            budget.take(len(parts[-1]))
            piece = stream.unconsumed_tail
    if not stream.eof or size > most:
        raise EOFError
    return b"".join(parts)
