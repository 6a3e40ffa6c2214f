"""The folder of subpixel's caches."""

from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's folder for subpixel's caches, which need not exist: ``$XDG_CACHE_HOME/subpixel``
    on Linux, the platform's place elsewhere."""
    return platformdirs.user_cache_path("subpixel", appauthor=False)
