"""Names of networks in a gallery: untrusted strings that become file names."""

import difflib
import re
from collections.abc import Callable, Collection

from subpixel.errors import UsageError

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,98}[A-Za-z0-9_+])?")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FILE_SUFFIXES = (".onnx", ".ort", ".pth", ".pt", ".ckpt", ".safetensors")
"""A name with such a suffix would be a file on the command line."""

MAX_SHOWN = 8


def is_valid_id(text: str) -> bool:
    """Whether ``text`` can name a network, and be part of a file's name on every system.

    1 to 100 letters, digits and ``. _ + -`` of ASCII, the first a letter or digit and the last no
    dot or hyphen; no device of Windows, no suffix of a network's file.
    """
    return (
        _ID.fullmatch(text) is not None
        and _DEVICE.fullmatch(text) is None
        and not text.lower().endswith(_FILE_SUFFIXES)
    )


def is_sha256(text: str) -> bool:
    """Whether ``text`` is 64 hexadecimal digits in lower case."""
    return _DIGEST.fullmatch(text) is not None


def match_id(name: str, ids: Collection[str]) -> str:
    """The one of ``ids`` that ``name`` refers to: equal to it, or equal ignoring case, or the only
    one that begins with it, or the only one that contains it.

    Raises :class:`UsageError` for none, with suggestions, and for several.
    """
    for fits in _STAGES:
        hits = sorted(candidate for candidate in ids if name and fits(candidate, name))
        if len(hits) == 1:
            return hits[0]
        if hits:
            raise UsageError(f"{name!r} may be any of {_shorten(hits)}; write the whole name")
    close = close_ids(name, ids)
    hint = f"; did you mean {_shorten(close)}?" if close else ""
    raise UsageError(f"no network is called {name!r}{hint or '; see subpixel models search'}")


def close_ids(name: str, ids: Collection[str]) -> list[str]:
    """The ``ids`` most similar to a mistyped ``name``, the closest first."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(ids)}
    close = difflib.get_close_matches(name.lower()[:100], list(by_lower), n=MAX_SHOWN)
    return [by_lower[candidate] for candidate in close]


def _shorten(ids: Collection[str]) -> str:
    text = ", ".join(list(ids)[:MAX_SHOWN])
    return text if len(ids) <= MAX_SHOWN else f"{text} and {len(ids) - MAX_SHOWN} more"


_STAGES: tuple[Callable[[str, str], bool], ...] = (
    lambda candidate, name: candidate == name,
    lambda candidate, name: candidate.lower() == name.lower(),
    lambda candidate, name: candidate.lower().startswith(name.lower()),
    lambda candidate, name: name.lower() in candidate.lower(),
)
