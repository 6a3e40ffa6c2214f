"""docs/platforms.md, from what was seen."""

from collections.abc import Iterator, Sequence

from places.jobs import FLOAT_SIDES, INTEGER_SIDES
from places.place import Place
from places.rows import Records, Row
from subpixel.zoo.manifest import INT8

HEAD = f"""\
# The same pixels everywhere

<!-- Written by tests/platforms/table.py: change that, not this. -->

Every bundled network on every platform that could be tried here, on a part of a photograph,
against what NumPy alone computes from the file's graph: for the networks of 8-bit integers exactly
({INTEGER_SIDES[0]}×{INTEGER_SIDES[1]} pixels), for those of floats in float64
({FLOAT_SIDES[0]}×{FLOAT_SIDES[1]} pixels, as some processors are emulated). What each cell
rests on stands in
[platforms.json](https://github.com/subpixel-sr/subpixel/blob/main/docs/platforms.json):
the file's sha256, the picture's, and where it was seen.

<!-- not run: takes an hour, and sets up other systems -->
```sh
python tests/platforms/table.py --only python node windows
python tests/platforms/systems/setup_arm.py build/arm
python tests/platforms/systems/setup_windows.py build/windows -m subpixel upscale in.jpg -o out.png
```

The first sets up each platform from packages, runs what is missing, one platform at a time, and
writes this page; it may be stopped, and go on elsewhere. The others make an aarch64 Debian and a
Windows Python for whatever you want to try.

"""

INTEGERS = """\
## Networks of integers: sha256 equal

How many of the three factors (×2, ×3, ×4) have the picture's sha256. On processors it must be all;
their kernels differ in sums of codes alone, and no sum here lies where they would
([Fewer bits](quantizing.md)).

"""

FLOATS = """\
## Networks of floats: largest difference

In 8-bit code values (0 … 255), over the three factors; in brackets how many of a million code
values differ. One is what rounding a value near the middle between two codes can make.

"""


def write_page(places: Sequence[Place], records: Records) -> str:
    return (
        HEAD
        + "".join([*_integers(places, records), *_floats(places, records)])
        + _gaps(places, records)
    )


def _integers(places: Sequence[Place], records: Records) -> Iterator[str]:
    rows = [row for row in records.rows if _is_integer(row)]
    families = sorted({_family(row) for row in rows})
    yield INTEGERS
    yield _line("platform", *(name.removesuffix(INT8) for name in families), "all")
    yield _line(*["---"] * (len(families) + 2))
    for place in places:
        own = [row for row in rows if row.platform == place.key]
        if own:
            cells = [_equal([row for row in own if _family(row) == name]) for name in families]
            yield _line(place.title, *cells, _equal(own))
    yield "\n"


def _floats(places: Sequence[Place], records: Records) -> Iterator[str]:
    rows = [row for row in records.rows if not _is_integer(row)]
    families = sorted({_family(row) for row in rows})
    yield FLOATS
    yield _line("platform", *families)
    yield _line(*["---"] * (len(families) + 1))
    for place in places:
        own = [row for row in rows if row.platform == place.key]
        if own:
            cells = [_largest([row for row in own if _family(row) == name]) for name in families]
            yield _line(place.title, *cells)
    yield "\n"


def _gaps(places: Sequence[Place], records: Records) -> str:
    titles = {place.key: place.title for place in places}
    lines = [_line(titles.get(s.platform, s.platform), s.reason) for s in records.skips]
    missing = [place.title for place in places if not _was_seen(place, records)]
    lines += [_line(title, "not run yet") for title in missing]
    head = f"## Not seen\n\n{_line('platform', 'why')}{_line('---', '---')}"
    return head + "".join(lines) if lines else ""


def _was_seen(place: Place, records: Records) -> bool:
    skipped = any(skip.platform == place.key for skip in records.skips)
    return skipped or bool(records.find_rows(place.key))


def _equal(rows: Sequence[Row]) -> str:
    return f"{sum(row.equal for row in rows)} of {len(rows)}" if rows else ""


def _largest(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    largest = max(row.largest for row in rows)
    share = sum(row.differing for row in rows) / sum(row.values for row in rows)
    return f"{largest} ({share * 1e6:.0f})" if largest else "0"


def _family(row: Row) -> str:
    return row.network.rpartition("-")[0]


def _is_integer(row: Row) -> bool:
    return _family(row).endswith(INT8)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"
