"""What a shell completes where the name of a network is wanted (see docs/installing.md)."""

import click
from click.shell_completion import CompletionItem

from subpixel.zoo import manifest


def complete_network(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of bundled networks, what chooses among them, the gallery's in the cache, and files."""
    names = [manifest.AUTO, manifest.DRAWING, *manifest.network_names(), *gallery_names()]
    items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*items, CompletionItem(incomplete, type="file")]


def complete_gallery_network(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of networks in the gallery's cache."""
    return [CompletionItem(name) for name in gallery_names() if name.startswith(incomplete)]


def gallery_names() -> list[str]:
    """The IDs of the networks in the gallery's cache, sorted."""
    from subpixel.zoo.gallery import store  # only who completes pays for it

    entries, _ = store.entries()
    return sorted(entry.id for entry in entries)
