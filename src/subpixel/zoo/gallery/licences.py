"""The licences that are permissive; all others must be accepted by the user."""

from collections.abc import Collection

from subpixel.errors import UsageError

PERMISSIVE = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "Artistic-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSD-3-Clause-Clear",
        "BSL-1.0",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "Unlicense",
        "WTFPL",
        "Zlib",
    }
)
"""SPDX identifiers; everything else, including expressions, must be accepted."""

UNKNOWN_LICENCE = "unknown"
"""The name of a licence that the catalogue doesn't state."""

_PERMISSIVE = frozenset(licence.lower() for licence in PERMISSIVE)


def is_permissive(licence: str | None) -> bool:
    """Whether ``licence`` is on the list, ignoring case."""
    return licence is not None and licence.lower() in _PERMISSIVE


def expect_accepted(licence: str | None, accepted: Collection[str], whose: str) -> None:
    """Raise :class:`UsageError` for a licence that is neither permissive nor in ``accepted``."""
    name = licence or UNKNOWN_LICENCE
    if is_permissive(name) or name.lower() in {text.lower() for text in accepted}:
        return
    is_spdx = licence is not None and all(c.isalnum() or c in ".-+" for c in licence)
    where = f" (https://spdx.org/licenses/{licence}.html)" if is_spdx else ""
    raise UsageError(
        f"the licence of {whose} is {name}{where}, which is not on the list of permissive ones; "
        f'read it, and if you agree add --accept-licence "{name}"'
    )
