"""``subpixel models``."""

from collections.abc import Mapping
from dataclasses import asdict

import click

from subpixel.cli.messages import SuggestingGroup
from subpixel.cli.options.choices import JSON
from subpixel.cli.output import print_json, print_table
from subpixel.cli.pictures.gallery import get, remove, search
from subpixel.zoo.gallery.store import Entry, entries
from subpixel.zoo.manifest import BundledNetwork, read_manifest

BUNDLED_COLUMNS = (
    "name",
    "scale",
    "kB",
    "multiply-adds/px",
    "Y-PSNR, dB (bicubic)",
    "licence",
    "path",
)
GALLERY_COLUMNS = ("name", "scale", "kB", "architecture", "authors", "licence", "proven", "path")


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the networks that are here: the bundled ones, and those got from the gallery.

    Multiply-adds are per pixel of the small picture. Y-PSNR is by the literature's protocol.
    """
    if context.invoked_subcommand is not None:
        return
    others, faults = entries()
    for fault in faults:
        click.echo(f"subpixel: {fault}", err=True)
    if as_json:
        print_json([*map(_network_facts, read_manifest()), *map(_gallery_facts, others)])
        return
    print_table(
        "Bundled networks", BUNDLED_COLUMNS, [_network_cells(row) for row in read_manifest()]
    )
    if others:
        print_table("From the gallery", GALLERY_COLUMNS, [_gallery_cells(e) for e in others])


command.add_command(search)
command.add_command(get)
command.add_command(remove)


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
        "yes" if entry.report.get("proven") else "no: third-party ONNX",
        str(entry.path),
    )


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
