"""The account of a file: every part of it is kept, or named as a loss; none is passed over.

A format's reader lists all parts of a file (chunks, segments, fields, boxes, blocks, pages, bytes
behind the end) by walking its structure, and says of each what becomes of it. What nobody has
thought of is a part without a place, hence a loss.
"""

import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from subpixel.media.metadata.budget import Budget
from subpixel.media.picture import Loss, Metadata

MAX_PARTS = 10_000
"""Most parts of a file that are looked at; the rest is one part without a place."""

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


def lose_oversized(what: str, size: int) -> Loss:
    """One of a file's texts or blocks that is too large; ``what`` is the loss's, for programs."""
    return Loss(what, f"{size:,} bytes have no room in memory beside the rest; left out")


def limit_metadata(meta: Metadata, budget: Budget) -> tuple[Metadata, tuple[Loss, ...]]:
    """What of ``meta`` the budget has room for, and the rest as losses.

    What pages share counts once.
    """
    return _MetadataLimit(budget).limit(meta)


class _MetadataLimit:
    """Takes in one value after the other."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._refused = budget, dict[str, int]()
        self._met: set[int] = set()

    def limit(self, meta: Metadata) -> tuple[Metadata, tuple[Loss, ...]]:
        """The metadata, and all losses."""
        whole = replace(self._limit_page(meta), pages=tuple(map(self._limit_page, meta.pages)))
        losses = (lose_oversized(what, size) for what, size in self._refused.items())
        return whole, tuple(losses)

    def _limit_page(self, meta: Metadata) -> Metadata:
        gain_map = meta.gain_map
        return replace(
            meta,
            icc=self._keep("icc", meta.icc),
            exif=self._keep("exif", meta.exif),
            xmp=self._keep("xmp", meta.xmp),
            iptc=self._keep("iptc", meta.iptc),
            text=tuple(pair for pair in meta.text if self._has_room("text", *pair)),
            gain_map=gain_map if gain_map and self._has_room("gain map", gain_map.data) else None,
        )

    def _keep(self, what: str, block: bytes | None) -> bytes | None:
        return block if block is not None and self._has_room(what, block) else None

    def _has_room(self, what: str, *values: bytes | str) -> bool:
        new = [value for value in values if id(value) not in self._met]
        size = sum(map(sys.getsizeof, new))
        if not self._budget.take(size):
            self._refused[what] = self._refused.get(what, 0) + size
            return False
        self._met.update(map(id, new))
        return True
