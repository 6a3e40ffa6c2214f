"""Where text leaves: nothing that a terminal would obey gets through, in any encoding.

What is printed may have names of files, and texts of networks, checkpoints and other libraries in
it. :func:`print_line` is for all of our lines; the streams themselves are guarded for what others
write to them, as warnings and tracebacks.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TextIO, TypeVar, cast

import click

from subpixel.plain_text import escape_controls

Arguments = ParamSpec("Arguments")
GuardedResult = TypeVar("GuardedResult")


def print_line(text: str = "", *, err: bool = False) -> None:
    """One line on stdout, or stderr; a newline inside is shown as ``\\n``."""
    click.echo(escape_controls(text), err=err)


def print_lines(text: str, *, err: bool = False) -> None:
    """Several lines on stdout, or stderr."""
    click.echo(escape_controls(text, keep_newlines=True), err=err)


def show_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001 - Python names them
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """A warning as one line on stderr, in place of :func:`warnings.showwarning`."""
    print_line(f"subpixel: {message}", err=True)


class EncodableStream:
    """A text stream whose encoding may lack characters: they are written as escapes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write all of ``text``, and return its length."""
        encoding = self.stream.encoding
        if encoding and not text.isascii():
            self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        else:
            self.stream.write(text)
        return len(text)


class GuardedStream(EncodableStream):
    """A text stream that control characters but newlines don't get through."""

    encoding, errors = "utf-8", "backslashreplace"
    """What Click takes as it is; beneath one of ASCII it would write by itself."""

    def write(self, text: str) -> int:
        """Write all of ``text``, and return its length."""
        super().write(escape_controls(text, keep_newlines=True))
        return len(text)


def bypass_guard(stream: TextIO) -> TextIO:
    """The stream for what moves the terminal's cursor on purpose; texts are escaped beforehand."""
    inner = stream.stream if isinstance(stream, GuardedStream) else stream
    return cast(TextIO, EncodableStream(inner))


@contextmanager
def guard_streams() -> Iterator[None]:
    """Guard ``sys.stdout`` and ``sys.stderr``."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, GuardedStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def guards_output(
    function: Callable[Arguments, GuardedResult],
) -> Callable[Arguments, GuardedResult]:
    """A function during which the streams are guarded."""

    @wraps(function)
    def run_guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> GuardedResult:
        with guard_streams():
            return function(*args, **kwargs)

    return run_guarded
