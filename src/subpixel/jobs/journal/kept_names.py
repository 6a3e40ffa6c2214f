"""Results keep the names that they have by a journal, whichever pictures come and go beside theirs.

Where a new suffix would give two pictures one name, the second's result is called ``p.png.webp``.
Which is the second changes when pictures are added and removed; what is recorded settles it.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath

from subpixel.jobs.outputs import MAX_NAME_BYTES, fold_name


@dataclass(frozen=True, slots=True)
class PlannedName:
    """A picture's result, as it would be called without a journal."""

    key: str
    """Its place, with slashes."""
    source: str
    """The picture's name, without folders."""

    def others(self) -> tuple[str, ...]:
        """The other place that :meth:`~subpixel.jobs.outputs.Naming.targets` has for it, if any."""
        place, source = PurePosixPath(self.key), PurePath(self.source)
        if place.suffix == source.suffix:
            return ()
        for own, other in ((source.name, source.stem), (source.stem, source.name)):
            end = place.name.removeprefix(own)
            if end != place.name and len(os.fsencode(other + end)) <= MAX_NAME_BYTES:
                return (str(place.with_name(other + end)),)
        return ()


def keep_names(
    planned: Sequence[PlannedName], find_source: Callable[[str], str | None]
) -> list[str]:
    """The places of all results, which differ as the ``planned`` do: the recorded one of a picture
    that has one, else the planned, or where that is kept by another picture, its other one.

    ``find_source`` tells the name of the picture that a place's result was made of, None where
    nothing is recorded. Where there aren't enough names, all are as planned.
    """
    kept = _find_kept(planned, find_source)
    if all(key == name.key for name, key in kept.items()):
        return [name.key for name in planned]
    in_use = _fold_all(kept.values())
    moved = [name for name in planned if name not in kept and fold_name(name.key) in in_use]
    keys = {name: name.key for name in planned} | kept
    in_use |= _fold_all(keys.values()) | _fold_inputs(planned)
    for name in moved:
        free = [key for key in name.others() if fold_name(key) not in in_use]
        if not free:
            return [name.key for name in planned]
        in_use.add(fold_name(free[0]))
        keys[name] = free[0]
    return [keys[name] for name in planned]


def _find_kept(
    planned: Sequence[PlannedName], find_source: Callable[[str], str | None]
) -> dict[PlannedName, str]:
    """The recorded places, of the pictures that have one which is no picture's own and not the only
    one that another can have."""
    kept = dict[PlannedName, str]()
    for name in planned:
        recorded = (key for key in (name.key, *name.others()) if find_source(key) == name.source)
        if key := next(recorded, None):
            kept[name] = key
    if all(key == name.key for name, key in kept.items()):
        return kept
    taken = _fold_inputs(planned) | _fold_all(name.key for name in planned if not name.others())
    return {
        name: key for name, key in kept.items() if key == name.key or fold_name(key) not in taken
    }


def _fold_all(keys: Iterable[str]) -> set[str]:
    return set(map(fold_name, keys))


def _fold_inputs(planned: Sequence[PlannedName]) -> set[str]:
    """Where the pictures lie, if results go beside them."""
    return _fold_all(str(PurePosixPath(name.key).with_name(name.source)) for name in planned)
