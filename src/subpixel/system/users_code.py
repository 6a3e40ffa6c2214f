"""Users' code, which may ask for the end of the process: that is a failure of it, and no end."""

from collections.abc import Iterator
from contextlib import contextmanager

from subpixel.errors import one_line


class Ended(BaseException):
    """A signal that asks for the end has come, number :attr:`signal`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


class AskedToEndError(RuntimeError):
    """Users' code raised what ends a process, such as ``sys.exit(0)``."""


@contextmanager
def users_code() -> Iterator[None]:
    """Raise :class:`AskedToEndError` for what isn't caught as an :class:`Exception`, such as
    SystemExit: it would end the process, at times with exit code 0, as if all were well.

    Ctrl-C and :class:`Ended` end the process as ever.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt, Ended):
        raise
    except BaseException as error:
        kind, text = type(error).__name__, one_line(error)
        raise AskedToEndError(
            f"its code asks for the end of the process ({kind}: {text})"
        ) from error
