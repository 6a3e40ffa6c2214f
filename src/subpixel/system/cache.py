"""Where subpixel keeps what it can make again."""

from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's folder for subpixel's caches, which need not exist: ``$XDG_CACHE_HOME/subpixel``
    on Linux, and where the system wants it elsewhere."""
    return platformdirs.user_cache_path("subpixel", appauthor=False)
