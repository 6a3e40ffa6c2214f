"""docs/architectures.md, from the rows of architectures.py."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from architecture_row import Published, Row
from random_networks import CONFIGURATIONS, architectures

INTRODUCTION = """\
# Architectures

<!-- Written by benchmarks/architectures.py: change that, not this. -->

Every architecture of [spandrel](https://github.com/chaiNNer-org/spandrel) and of
spandrel_extra_arches, as small networks of random weights, several where an architecture has
several paths. Each went through the whole of `subpixel export`: its checkpoint written and
recognised, exported in the ways there are until one passed, and compared with PyTorch on the grid
of pictures: batches of 1 and 3 and more, sizes from 1×1 to sides of 4,096, among them those around
every number that the network computes sizes with, and random ones; ten contents. The reference is
the network itself at the picture's own size, untouched; it is padded only where it asks for that.
"""

COLUMNS = (
    *("architecture", "network", "×", "exporter", "batch", "height, width"),
    *("off by, of 255", "PSNR, dB", "halo", "nodes", "s"),
)

LEGEND = """\
*exporter*: the first that passed, and from which example; *batch*, *height, width*: whether the
file takes any, proven; `pads` where the file brings a picture to the sizes the network works on by
itself; *off by*: the largest difference of an 8-bit code value from PyTorch over the whole grid,
and the least PSNR between the two; *halo*: how many pixels around it an output pixel can depend
on, read off the graph (tiles that overlap by as much are exact), `non-local` where the whole
picture counts; *s*: seconds for all attempts and proofs.
"""

AGAIN = """\
## Run it again

<!-- not run: takes hours -->
```sh
pip install '.[extra-architectures]'
python benchmarks/architectures.py           # hours on two cores; stop and go on as you like
python benchmarks/architectures.py --only SwinIR --again
```

The networks are listed in `benchmarks/architectures.toml`.
"""


@dataclass(frozen=True)
class Reason:
    """Why an architecture is left out or falls short, and whom it was reported to."""

    architecture: str
    text: str
    upstream: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """One architecture, its networks taken together."""

    architecture: str
    rows: tuple[Row, ...]

    @property
    def asked(self) -> tuple[Row, ...]:
        """The networks that PyTorch itself runs on pictures of any size, again and again alike."""
        return tuple(row for row in self.rows if _runs_anywhere(row))

    @property
    def counts(self) -> bool:
        return bool(self.asked)

    @property
    def exported(self) -> bool:
        return self.counts and all(row.published and row.published.size for row in self.asked)


def _runs_anywhere(row: Row) -> bool:
    """Whether PyTorch does; taken to be so where a process did not even come to find it out."""
    if row.pytorch is None:
        return not row.masked
    return row.pytorch.fault is None and row.pytorch.repeatable


def page(rows: Sequence[Row]) -> str:
    """The whole page, for as many rows as there are."""
    by_architecture = {name: tuple(r for r in rows if r.architecture == name) for name in _order()}
    standings = [Standing(name, found) for name, found in by_architecture.items() if found]
    parts = [
        INTRODUCTION,
        _summary(standings),
        _table_row(COLUMNS)
        + _table_row(["---"] * len(COLUMNS))
        + "".join(_line(row) for s in standings for row in s.rows),
        LEGEND,
        _exceptions(standings),
        AGAIN,
        _versions(rows),
    ]
    return "\n".join(parts)


def _order() -> list[str]:
    """Architectures as the two registries name them: by package, then by name."""
    found = sorted(architectures().items(), key=lambda item: (item[1], item[0].lower()))
    return [name for name, _ in found]


def _summary(standings: Sequence[Standing]) -> str:
    counted = [s for s in standings if s.counts]
    exported = [s for s in counted if s.exported]
    share = 100 * len(exported) / len(counted) if counted else 0.0
    free = sum(all(r.published and r.published.batch for r in s.asked) for s in exported)
    networks = [row for s in counted for row in s.asked]
    passed = [row.published for row in networks if row.published and row.published.size]
    exact = sum(published.halo is not None for published in passed)
    return f"""\
**{len(exported)} of {len(counted)} architectures ({share:.1f} %) export with height and width
free**, every one of their networks equal to PyTorch on the grid; {free} of them with the batch
free as well. {_measured(standings)}; {len(standings) - len(counted)} of these are not
counted, as PyTorch itself can't run them on pictures of any size, or not twice alike; they are
below, with the reasons. Of the {len(passed)} networks that passed, {exact} have an exact halo,
{len(passed) - exact} look at the whole picture.
"""


def _measured(standings: Sequence[Standing]) -> str:
    """How many are measured, and which are still to come."""
    measured = {row.architecture for standing in standings for row in standing.rows}
    waiting = [name for name in _order() if name not in measured]
    said = f"Of {len(_order())} architectures {len(measured)} are measured"
    return said + (f" so far, without {', '.join(waiting)}" if waiting else "")


def _line(row: Row) -> str:
    cells = _published_cells(row.published) if row.published else [_shortcoming(row), *["–"] * 6]
    scale = "–" if row.scale is None else str(row.scale)
    return _table_row([row.architecture, row.name, scale, *cells, f"{row.seconds:.0f}"])


def _table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _published_cells(published: Published) -> list[str]:
    size = "free" if published.size else "fixed"
    if published.pads:
        size += ", pads"
    if published.size_maximum:
        size += f", at most {published.size_maximum}"
    if published.compared_up_to:
        size += ", compared up to {}×{} alone, see below".format(*published.compared_up_to)
    return [
        published.way,
        "free" if published.batch else "1",
        size,
        str(published.max_codes),
        "∞" if published.psnr is None else f"{published.psnr:.1f}",
        "non-local" if published.halo is None else f"{published.halo} px",
        str(published.nodes),
    ]


def _shortcoming(row: Row) -> str:
    if not _runs_anywhere(row):
        return "not counted, see below"
    return f"none: {_shortened(row.fault or 'not measured')}"


def _shortened(text: str, most: int = 120) -> str:
    text = text.replace("|", "¦").replace("\n", " ")
    return text if len(text) <= most else text[: most - 1] + "…"


def _exceptions(standings: Sequence[Standing]) -> str:
    left_out = [_left_out(row) for s in standings for row in s.rows if not _runs_anywhere(row)]
    failed = [_failed(row) for s in standings for row in s.asked if not _free(row)]
    single = [_single(row) for s in standings for row in s.asked if _free(row) and not _batch(row)]
    short = [_too_large(row) for s in standings for row in s.asked if _free(row)]
    return "\n".join(
        part
        for title, lines in (
            ("## Not counted: PyTorch itself does not run it at any size", left_out),
            ("## Exceptions: no file with height and width free", failed),
            ("## Not compared at every size: memory was not enough", [*filter(None, short)]),
            ("## One picture at a time", single),
            ("## Why", _reasons(standings)),
        )
        if lines
        for part in (title, "", *lines, "")
    )


def _free(row: Row) -> bool:
    return row.published is not None and row.published.size


def _too_large(row: Row) -> str:
    """Which sizes were not compared; nothing where all were."""
    told = row.published.too_large if row.published else ()
    return f"- {row.name}: {'; '.join(told)}" if told else ""


def _batch(row: Row) -> bool:
    return row.published is not None and row.published.batch


def _left_out(row: Row) -> str:
    if row.masked or row.pytorch is None:
        why = "fills holes under a mask: it takes two pictures, not one"
    else:
        why = row.pytorch.fault or "draws random numbers: no two runs agree"
    return f"- {row.architecture} ({row.name}): {_shortened(why, 240)}"


def _failed(row: Row) -> str:
    tried = "; ".join(f"{way}: {_shortened(why)}" for way, why, _ in row.tried if why)
    return f"- {row.architecture} ({row.name}): {tried or _shortened(row.fault or '', 300)}"


def _single(row: Row) -> str:
    why = row.pytorch.batch if row.pytorch else None
    if why:
        return f"- {row.name}: in PyTorch too ({_shortened(why)})"
    faults = [why for _, why, _ in row.tried if why]
    return f"- {row.name}: {_shortened(faults[-1], 200) if faults else 'the batch is baked in'}"


def _reasons(standings: Sequence[Standing]) -> list[str]:
    """What is known about the exceptions: the part of this page that is typed in."""
    here = {row.architecture for s in standings for row in s.rows if not _batch(row)}
    return [
        f"- {reason.architecture}: {reason.text}" + "".join(f" <{u}>" for u in reason.upstream)
        for reason in _typed_in()
        if reason.architecture in here
    ]


def _typed_in() -> list[Reason]:
    entries = tomllib.loads(CONFIGURATIONS.read_text("utf-8")).get("reason", [])
    return [Reason(e["architecture"], e["text"], tuple(e.get("upstream", ()))) for e in entries]


def _versions(rows: Sequence[Row]) -> str:
    """Which versions the rows were measured with; several where they differ."""
    seen = sorted({item for row in rows for item in row.versions.items() if item[1]})
    grouped = groupby(seen, key=lambda item: item[0])
    listed = ", ".join(
        f"{name} {' and '.join(v for _, v in group if v)}" for name, group in grouped
    )
    return f"Measured with {listed}.\n" if listed else ""
