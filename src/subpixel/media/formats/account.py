"""The account of a file: every part of it is kept, or named as a loss; none is passed over.

A format's reader lists all parts of a file (chunks, segments, fields, boxes, blocks, pages, bytes
behind the end) by walking its structure, and says of each what becomes of it. What nobody has
thought of is a part without a place, hence a loss.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from subpixel.media.picture import Loss

MAX_PARTS = 10_000
"""Most parts of a file that are looked at; the rest is one part without a place."""

MAX_METADATA = 1 << 25
"""Most bytes that the texts and blocks of one file may take in memory, all together."""

MAX_LOSSES = 16
"""Most losses that are named one by one; the rest is counted."""


@dataclass(frozen=True)
class FilePart:
    """One part of a file and what becomes of it."""

    kind: str
    """What it is, for people: ``"a segment APP11"``."""
    size: int
    """Bytes of its content."""
    loss: Loss | None = None
    """None: it is kept, or only says how the pixels are stored."""


PADDING = b"\0 \r\n\t"
"""Bytes that say nothing where they stand behind the end."""

_BLOCK = 1 << 16


@dataclass
class Budget:
    """What the texts and blocks of one file may still take in memory."""

    left: int = MAX_METADATA
    """Bytes."""

    def take(self, size: int) -> bool:
        """Whether there is room for ``size`` bytes, which then count."""
        if size > self.left:
            return False
        self.left -= size
        return True


def leave_out(kind: str, size: int, guess: str = "") -> FilePart:
    """A part that has no place: named as a loss, with what it probably is, if that can be told."""
    return lose(kind, size, "unknown data", guess)


def lose(kind: str, size: int, what: str, remark: str = "") -> FilePart:
    """A part that is understood and can't be kept; ``what`` is the loss's, for programs."""
    reason = f"{kind} of {size:,} bytes" + (f" ({remark})" if remark else "")
    return FilePart(kind, size, Loss(what, f"{reason} is left out"))


def list_rest(stream: BinaryIO, start: int) -> Iterator[FilePart]:
    """What stands behind the end of the picture, which is at ``start``, if anything."""
    size = stream.seek(0, io.SEEK_END) - start
    stream.seek(start)
    blocks = iter(lambda: stream.read(_BLOCK), b"")
    if any(block.strip(PADDING) for block in blocks):
        yield leave_out("data behind the end of the picture", size)


def escape_name(name: bytes) -> str:
    """A chunk's, box's or segment's name as text that a terminal shows as it is."""
    text = name.decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def collect_losses(parts: Iterable[FilePart]) -> tuple[Loss, ...]:
    """The losses among ``parts``: like ones together, at most :data:`MAX_LOSSES` and a count."""
    groups: dict[tuple[str, str], list[FilePart]] = {}
    for part in _limit_number(parts):
        if part.loss is not None:
            groups.setdefault((part.loss.what, part.kind), []).append(part)
    losses = [_join_parts(group) for group in groups.values()]
    if len(losses) <= MAX_LOSSES:
        return tuple(losses)
    rest = len(losses) - MAX_LOSSES
    return (
        *losses[:MAX_LOSSES],
        Loss("unknown data", f"{rest} further kinds of parts are left out"),
    )


def _limit_number(parts: Iterable[FilePart]) -> Iterator[FilePart]:
    for number, part in enumerate(parts):
        if number == MAX_PARTS:
            loss = Loss("unknown data", f"what follows part {MAX_PARTS:,} is not looked at")
            yield FilePart("the rest", 0, loss)
            return
        yield part


def _join_parts(group: list[FilePart]) -> Loss:
    """One loss for parts of one kind."""
    loss = group[0].loss
    assert loss is not None
    if len(group) == 1:
        return loss
    size = sum(part.size for part in group)
    return replace(
        loss, why=f"{loss.why} (and {len(group) - 1} more like it, {size:,} bytes in all)"
    )
