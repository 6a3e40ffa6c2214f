"""``subpixel models``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import click

from subpixel.cli.messages import SuggestingGroup
from subpixel.cli.options.choices import JSON
from subpixel.cli.output import print_json, print_table
from subpixel.cli.pictures.gallery import get, remove, search
from subpixel.cli.streams import print_line
from subpixel.zoo.family import find_mixture
from subpixel.zoo.gallery.store import Entry, entries
from subpixel.zoo.manifest import INT8, BundledNetwork, read_manifest


@dataclass(frozen=True)
class Column:
    """Of a plain table: its title and its width."""

    title: str
    width: int
    right: bool = False

    def pad(self, text: str) -> str:
        return text.rjust(self.width) if self.right else text.ljust(self.width)


BUNDLED_COLUMNS = (
    "name",
    "scale",
    "kB",
    "multiply-adds/px",
    "Y-PSNR, dB (bicubic)",
    "licence",
    "path",
)
SHORT_COLUMNS = (
    Column("name", 15),
    Column("scale", 5),
    Column("for", 33),
    Column("kB", 4, right=True),
    Column("dB x3", 5, right=True),
    Column("cost x3", 7, right=True),
)
"""With a blank between them they fill no more than 80 columns. dB: Y-PSNR on Set5; cost: thousands
of multiply-adds per pixel of the small picture."""
SHORT_GALLERY_COLUMNS = (
    Column("name", 30),
    Column("scale", 5),
    Column("architecture", 16),
    Column("kB", 6, right=True),
    Column("proven", 19),
)
PURPOSES = {
    "balanced": "photographs",
    "denoise": "JPEGs of quality below 81",
    "denoise-75": "JPEGs of quality 81 to 90",
    "denoise-50": "JPEGs of quality 91 to 93",
    "denoise-25": "JPEGs of quality 94 to 97",
    "fast": "films, slow machines",
    "espcn": "comparisons (PyTorch's tutorial)",
}
"""Of each bundled network, without regard to its precision."""
SHOWN_SCALE = 3
SHOWN_SET = "Set5"
GALLERY_COLUMNS = ("name", "scale", "kB", "architecture", "authors", "licence", "proven", "path")


VERBOSE = click.option(
    "-v", "--verbose", is_flag=True, help="Every scale by itself, with its licence and its file."
)


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@VERBOSE
@JSON
@click.pass_context
def command(context: click.Context, verbose: bool, as_json: bool) -> None:
    """List the networks that are here: the bundled ones, and those got from the gallery.

    Multiply-adds are per pixel of the small picture. Y-PSNR is by the literature's protocol.
    `upscale` takes a network's -int8 form by itself for 8-bit pictures on the processor.
    `--model auto`, its default, chooses among balanced, denoise-25, denoise-50, denoise-75 and
    denoise by how a picture was compressed; `--model drawing` takes denoise-50. `subpixel info
    NAME` says more of one.
    """
    if context.invoked_subcommand is None:
        _print_networks(verbose, as_json)


@click.command("list")
@VERBOSE
@JSON
@click.pass_context
def list_networks(context: click.Context, verbose: bool, as_json: bool) -> None:
    """List the networks that are here, as `subpixel models` does by itself."""
    group = context.parent.params if context.parent else {}
    _print_networks(verbose or group["verbose"], as_json or group["as_json"])


command.add_command(list_networks)
command.add_command(search)
command.add_command(get)
command.add_command(remove)


def _print_networks(verbose: bool, as_json: bool) -> None:
    """As JSON, or as lines, or as tables with every scale by itself."""
    others, faults = entries()
    for fault in faults:
        print_line(f"subpixel: {fault}", err=True)
    if as_json:
        print_json([*map(_network_facts, read_manifest()), *map(_gallery_facts, others)])
        return
    if verbose:
        rows = [_network_cells(row) for row in read_manifest()]
        print_table("Bundled networks", BUNDLED_COLUMNS, rows)
    else:
        _print_lines(SHORT_COLUMNS, [_short_cells(rows) for rows in _by_name()])
    if others and verbose:
        print_table("From the gallery", GALLERY_COLUMNS, [_gallery_cells(e) for e in others])
    elif others:
        print_line()
        print_line("From the gallery")
        _print_lines(SHORT_GALLERY_COLUMNS, [_short_gallery_cells(entry) for entry in others])


def _network_facts(row: BundledNetwork) -> dict[str, object]:
    return {**asdict(row), "path": row.path, "bytes": _file_size(row), "from": "bundled"}


def _gallery_facts(entry: Entry) -> dict[str, object]:
    facts = {key: value for key, value in asdict(entry).items() if key != "report"}
    return {
        **facts,
        "name": entry.id,
        "title": entry.name,
        "path": entry.path,
        "bytes": entry.size,
        "proven": entry.report.get("proven"),
        "from": "gallery",
    }


def _gallery_cells(entry: Entry) -> tuple[str, ...]:
    return (
        entry.id,
        f"x{entry.scale}",
        f"{entry.size / 1000:.0f}",
        entry.architecture,
        ", ".join(entry.authors),
        entry.licence,
        _proven(entry),
        str(entry.path),
    )


def _by_name() -> Iterator[Sequence[BundledNetwork]]:
    """The bundled networks, all scales of one name together, in the manifest's order."""
    rows = read_manifest()
    for name in dict.fromkeys(row.name for row in rows):
        yield [row for row in rows if row.name == name]


def _short_cells(rows: Sequence[BundledNetwork]) -> tuple[str, ...]:
    shown = next((row for row in rows if row.scale == SHOWN_SCALE), rows[0])
    name = shown.name.removesuffix(INT8)
    purpose = PURPOSES.get(name, "")
    return (
        shown.name,
        ",".join(str(row.scale) for row in rows),
        purpose if name == shown.name or find_mixture(name) else "the same in 8-bit integers",
        f"{_file_size(shown) / 1000:.0f}",
        f"{shown.psnr[SHOWN_SET]:.2f}",
        f"{shown.multiply_adds / 1000:.0f}",
    )


def _short_gallery_cells(entry: Entry) -> tuple[str, ...]:
    size, proven = f"{entry.size / 1000:.0f}", _proven(entry)
    return (entry.id, str(entry.scale), entry.architecture, size, proven)


def _print_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """A line for each row; what is wider than its column pushes the rest of its line."""
    titles = [column.title for column in columns]
    for cells in (titles, *rows):
        line = " ".join(c.pad(text) for c, text in zip(columns, cells, strict=True))
        print_line(line.rstrip())


def _proven(entry: Entry) -> str:
    return "yes" if entry.report.get("proven") else "no: third-party ONNX"


def _network_cells(row: BundledNetwork) -> tuple[str, ...]:
    return (
        row.name,
        f"x{row.scale}",
        f"{_file_size(row) / 1000:.0f}",
        f"{row.multiply_adds:,}",
        _quality(row.psnr, row.bicubic_psnr),
        row.licence,
        str(row.path),
    )


def _quality(psnr: Mapping[str, float], bicubic: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f} ({bicubic[name]:.2f})" for name, value in psnr.items())


def _file_size(row: BundledNetwork) -> int:
    return row.path.stat().st_size
