"""The units of a cluster's job: which picture of one place becomes which result in another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from subpixel.errors import UsageError
from subpixel.jobs.cluster.store import FolderStore, Store
from subpixel.jobs.folder import Fault, Omission, SourceFile, describe_omissions
from subpixel.jobs.journal.look import KnownResult
from subpixel.jobs.outputs import Naming, assign_targets


@dataclass(frozen=True, slots=True)
class Unit:
    """A picture to enlarge."""

    key: str
    """The place of its result, by which the journal knows it."""
    source: str
    """The place of the picture."""
    known: KnownResult | None = None
    """What the journal says of its result."""
    after_ns: int = 0
    """The time of the latest record before this run's: its own are later, whatever clocks say."""

    @property
    def source_name(self) -> str:
        """Of the picture, without its folders."""
        return PurePosixPath(self.source).name


@dataclass(frozen=True)
class UnitPlan:
    """What is to be done, and what isn't."""

    units: Sequence[Unit]
    omissions: Sequence[Omission]
    faults: Sequence[Fault]


def plan_units(source: Store, target: Store, naming: Naming) -> UnitPlan:
    """The units of all pictures in ``source``, in its order, called as ``naming`` says.

    Names are settled folder by folder, as results of different folders can't meet. Raises
    :class:`UsageError` where there are no pictures, and where results would lie among them.
    """
    _expect_apart(source, target)
    omissions, faults = list[Omission](), list[Fault]()
    folders = dict[str, list[tuple[str, str]]]()
    for item in source.list_sources(target, naming.mark):
        if isinstance(item, SourceFile):
            parent, name = item.place.parent.as_posix(), item.place.name
            folders.setdefault(parent, []).append((name, item.suffix))
        elif isinstance(item, Omission):
            omissions.append(item)
        else:
            faults.append(item)
    units = [
        unit for parent in sorted(folders) for unit in _name_units(parent, folders[parent], naming)
    ]
    if not units and not faults:
        others = f"; left out: {describe_omissions(omissions)}" if omissions else ""
        raise UsageError(f"no pictures in {source.name}{others}")
    return UnitPlan(units, omissions, faults)


def chunk_units(units: Sequence[Unit], size: int) -> Iterator[Sequence[Unit]]:
    """``units`` in their order, so many at a time."""
    return (units[start : start + size] for start in range(0, len(units), size))


def _name_units(parent: str, names: Sequence[tuple[str, str]], naming: Naming) -> Iterator[Unit]:
    """The units of a folder."""
    places = [(Path(parent, name), suffix) for name, suffix in names]
    sources = [SourceFile(place, place, suffix) for place, suffix in places]
    for job in assign_targets(sources, naming):
        yield Unit(job.target.as_posix(), job.source.as_posix())


def _expect_apart(source: Store, target: Store) -> None:
    one = _name_store(source)
    if one == _name_store(target):
        raise UsageError(
            f"{target.name} is where the pictures are, and results need a place of their own; "
            "name another with -o"
        )


def _name_store(store: Store) -> str:
    return str(store.folder.resolve()) if isinstance(store, FolderStore) else store.name
