"""``subpixel cache``."""

import sys
from collections.abc import Sequence

import click

from subpixel.cli.messages import SuggestingGroup
from subpixel.cli.options.choices import JSON
from subpixel.cli.output import format_file_size, print_json, print_table
from subpixel.cli.streams import print_line
from subpixel.errors import UsageError
from subpixel.plain_text import escape_controls
from subpixel.system.files.cache import (
    CACHES,
    Cache,
    CacheSize,
    cache_folder,
    measure_cache,
    remove_cache,
)

CACHE_COLUMNS = ("cache", "for", "files", "size")


@click.group(cls=SuggestingGroup, invoke_without_command=True)
@JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List what subpixel keeps on this machine, where, and how large it is.

    All of it can be made or fetched again; `subpixel cache clear` removes it.
    """
    if context.invoked_subcommand is not None:
        return
    if as_json:
        print_json({"folder": cache_folder(), "caches": cache_facts()})
    else:
        print_caches()


@command.command()
@click.argument(
    "names", nargs=-1, type=click.Choice([cache.name for cache in CACHES]), metavar="[NAME...]"
)
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
def clear(names: Sequence[str], yes: bool) -> int:
    """Remove the caches of these names, which `subpixel cache` lists. [default: all of them]

    Nothing outside of subpixel's own cache folder is touched.
    """
    caches = [cache for cache in CACHES if cache.paths and (not names or cache.name in names)]
    if not caches:
        print_line("nothing to remove")
        return 0
    _ask(caches, yes)
    faults: list[str] = []
    for cache in caches:
        removal = remove_cache(cache)
        faults += removal.faults
        print_line(f"{cache.name}: {_describe_cache(removal.space)} freed")
    for fault in faults:
        print_line(f"subpixel: {fault}", err=True)
    return 1 if faults else 0


def _ask(caches: Sequence[Cache], yes: bool) -> None:
    """Go on only where it is agreed to."""
    names = ", ".join(f"{cache.name} ({_describe_cache(measure_cache(cache))})" for cache in caches)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this would remove {names}; say so with --yes, as nobody can be asked")
    if not click.confirm(escape_controls(f"Remove {names} from {cache_folder()}?"), err=True):
        raise click.exceptions.Exit(1)


def cache_facts() -> list[dict[str, object]]:
    """Each cache with its size, as JSON values."""
    return [
        {
            "name": cache.name,
            "purpose": cache.purpose,
            "folders": [cache_folder() / folder for folder in cache.folders],
            "files": size.files,
            "bytes": size.bytes,
        }
        for cache in CACHES
        for size in [measure_cache(cache)]
    ]


def print_caches() -> None:
    """The caches as a table on stdout."""
    sizes = [(cache, measure_cache(cache)) for cache in CACHES]
    rows = [(c.name, c.purpose, f"{s.files:,}", format_file_size(s.bytes)) for c, s in sizes]
    print_table(f"Caches in {cache_folder()}", CACHE_COLUMNS, rows)


def _describe_cache(size: CacheSize) -> str:
    return f"{size.files:,} file{'' if size.files == 1 else 's'}, {format_file_size(size.bytes)}"
