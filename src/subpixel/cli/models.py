"""``subpixel models``."""

from collections.abc import Mapping
from dataclasses import asdict

import click

from subpixel.cli.options import JSON
from subpixel.cli.output import print_json, print_table
from subpixel.zoo.manifest import Bundled, bundled

COLUMNS = ("name", "scale", "kB", "multiply-adds/px", "Y-PSNR, dB (bicubic)", "licence", "path")


@click.command()
@JSON
def command(as_json: bool) -> None:
    """List the bundled networks.

    Multiply-adds are per pixel of the small picture. Y-PSNR is by the literature's protocol.
    """
    if as_json:
        print_json([{**asdict(row), "path": row.path, "bytes": _size(row)} for row in bundled()])
        return
    print_table("Bundled networks", COLUMNS, [_cells(row) for row in bundled()])


def _cells(row: Bundled) -> tuple[str, ...]:
    return (
        row.name,
        f"x{row.scale}",
        f"{_size(row) / 1000:.0f}",
        f"{row.multiply_adds:,}",
        _quality(row.psnr, row.bicubic_psnr),
        row.licence,
        str(row.path),
    )


def _quality(psnr: Mapping[str, float], bicubic: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f} ({bicubic[name]:.2f})" for name, value in psnr.items())


def _size(row: Bundled) -> int:
    return row.path.stat().st_size
