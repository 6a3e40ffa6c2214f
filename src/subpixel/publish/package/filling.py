"""The files of a package, from templates that are shipped as data.

A file ``NAME.template`` becomes ``NAME``, with ``${key}`` replaced (:class:`string.Template`: a
dollar is ``$$``); ``${key}`` in the names of files and folders is replaced too. Other files are
copied byte by byte, and Python's own (``__init__.py``) left out.
"""

from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from string import Template

SUFFIX = ".template"


def fill_templates(package: str, values: Mapping[str, str]) -> Mapping[str, bytes]:
    """Every file of the folder of templates ``package``, a dotted name, by its path in the result.

    Raises :class:`KeyError` for a key that ``values`` lacks.
    """
    return {
        Template(path.removesuffix(SUFFIX)).substitute(values): _fill_file(path, file, values)
        for path, file in _list_files(resources.files(package), "")
    }


def _list_files(folder: Traversable, above: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in ("__pycache__", "__init__.py"):
            continue
        path = above + entry.name
        if entry.is_dir():
            yield from _list_files(entry, path + "/")
        else:
            yield path, entry


def _fill_file(path: str, file: Traversable, values: Mapping[str, str]) -> bytes:
    if not path.endswith(SUFFIX):
        return file.read_bytes()
    return Template(file.read_text(encoding="utf-8")).substitute(values).encode()
