"""The folder of subpixel's caches, what is kept in it, and how that is removed."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's folder for subpixel's caches, which need not exist: ``$XDG_CACHE_HOME/subpixel``
    on Linux, the platform's place elsewhere."""
    return platformdirs.user_cache_path("subpixel", appauthor=False)


@dataclass(frozen=True)
class Cache:
    """Something that subpixel keeps and can make or get again."""

    name: str
    purpose: str
    folders: tuple[str, ...]
    """Below :func:`cache_folder`."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Those of its folders that there are."""
        return tuple(
            path for name in self.folders if os.path.lexists(path := cache_folder() / name)
        )


CACHES: tuple[Cache, ...] = (
    Cache("gallery", "networks of OpenModelDB, and its catalogue", ("gallery",)),
    Cache(
        "tuning",
        "what `tune` found, the networks it made for that, and which device `auto` is",
        ("tuning", "networks", "devices"),
    ),
    Cache("sessions", "engines that TensorRT built", ("tensorrt", "tensorrt-rtx")),
    Cache("jobs", "where the journals of jobs lie", ("jobs",)),
    Cache("training", "photographs in the sizes that are trained on", ("training",)),
    Cache("page", "what npm fetched for the web page", ("page",)),
)


@dataclass(frozen=True)
class CacheSize:
    """What a cache holds."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class CacheRemoval:
    """What came of removing a cache."""

    space: CacheSize
    """What was freed."""
    faults: tuple[str, ...]
    """A line for each file or folder that stayed."""


def measure_cache(cache: Cache) -> CacheSize:
    """How many files a cache holds, and their bytes; links are not followed."""
    sizes = [size for path in cache.paths for size in _file_sizes(path)]
    return CacheSize(len(sizes), sum(sizes))


def remove_cache(cache: Cache) -> CacheRemoval:
    """Remove a cache's folders; nothing that lies elsewhere, be there a link to it."""
    before, faults = measure_cache(cache), list[str]()
    for path in cache.paths:
        if path.is_symlink():
            faults.append(f"{path} is a link to {path.readlink()}; remove it yourself")
        else:
            shutil.rmtree(path, onerror=lambda _, file, error: faults.append(f"{file}: {error[1]}"))
    after = measure_cache(cache)
    space = CacheSize(before.files - after.files, before.bytes - after.bytes)
    return CacheRemoval(space, tuple(faults))


def _file_sizes(folder: Path) -> Iterator[int]:
    """Of the files in a folder and below it, each."""
    if folder.is_symlink():
        return
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(place) / name).lstat().st_size
            except OSError:  # removed meanwhile
                continue
