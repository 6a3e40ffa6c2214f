"""Where a cluster's pictures lie, and where their results go: folders, and URLs."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.jobs.cluster.store import FolderStore, Store

URL = re.compile(r"(?P<protocol>[a-z][a-z0-9+]*)://?(?P<rest>[^/].*)")
"""Path takes the two slashes of a URL for one. A drive of Windows is no protocol."""


def open_store(name: str | Path) -> Store:
    """A folder, or a URL that fsspec opens: ``s3://bucket/photos``.

    Raises :class:`~subpixel.errors.ProviderError` where a package is missing for it, and
    :class:`UsageError` for an unknown protocol.
    """
    url = read_url(name)
    if url is None:
        return FolderStore(Path(name).absolute())
    from subpixel.jobs.cluster.url_store import UrlStore

    return UrlStore.open(url)


def read_url(name: str | Path) -> str | None:
    """``name`` as a URL, with both of its slashes; None for a path of the file system."""
    match = URL.fullmatch(name.as_posix() if isinstance(name, Path) else name)
    if match is None or len(match["protocol"]) == 1:
        return None
    return f"{match['protocol']}://{match['rest'].rstrip('/')}"


def expect_no_urls(names: Sequence[Path]) -> None:
    """Raise :class:`UsageError` for URLs where files are meant."""
    for name in names:
        url = read_url(name)
        if url is not None and not os.path.lexists(name):
            raise UsageError(
                f"{url} is a URL, which --engine ray reads and writes; without it name files"
            )
