"""The account of a file: every part of it is kept, or named as a loss; none is passed over.

A format's reader lists all parts of a file (chunks, segments, fields, boxes, blocks, pages, bytes
behind the end) by walking its structure, and says of each what becomes of it. What nobody has
thought of is a part without a place, hence a loss.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from subpixel.media.picture import Loss

MAX_LOSSES = 16
"""Most losses that are named one by one; the rest is counted."""


@dataclass(frozen=True)
class Part:
    """One part of a file and what becomes of it."""

    kind: str
    """What it is, for people: ``"a segment APP11"``."""
    size: int
    """Bytes of its content."""
    loss: Loss | None = None
    """None: it is kept, or only says how the pixels are stored."""


def leave_out(kind: str, size: int, guess: str = "") -> Part:
    """A part that has no place: named as a loss, with what it probably is, if that can be told."""
    reason = f"{kind} of {size:,} bytes" + (f" ({guess})" if guess else "")
    return Part(kind, size, Loss("unknown data", f"{reason} is left out"))


def escape_name(name: bytes) -> str:
    """A chunk's, box's or segment's name as text that a terminal shows as it is."""
    text = name.decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def collect_losses(parts: Iterable[Part]) -> tuple[Loss, ...]:
    """The losses among ``parts``: like ones together, at most :data:`MAX_LOSSES` and a count."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.loss is not None:
            groups.setdefault((part.loss.what, part.kind), []).append(part)
    losses = [_join(group) for group in groups.values()]
    if len(losses) <= MAX_LOSSES:
        return tuple(losses)
    rest = len(losses) - MAX_LOSSES
    return (
        *losses[:MAX_LOSSES],
        Loss("unknown data", f"{rest} further kinds of parts are left out"),
    )


def _join(group: list[Part]) -> Loss:
    """One loss for parts of one kind."""
    loss = group[0].loss
    assert loss is not None
    if len(group) == 1:
        return loss
    size = sum(part.size for part in group)
    return replace(
        loss, why=f"{loss.why} (and {len(group) - 1} more like it, {size:,} bytes in all)"
    )
