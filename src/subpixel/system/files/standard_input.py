"""Standard input in the place of a file."""

import sys
from pathlib import Path

from subpixel.errors import UsageError

PIPE = Path("-")
"""As an input what standard input gives, as an output what standard output takes."""

INPUT_NAME = "standard input"
"""What messages call it."""


def expect_piped(example: str) -> None:
    """Raise :class:`UsageError`, with a command line that would be right, where standard input is
    a terminal, or none."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            f"no picture comes from standard input; redirect a file into it ({example}), or name "
            "the file"
        )
