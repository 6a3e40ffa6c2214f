"""Errors on their way from a decoder to who asked it."""

from pathlib import Path

from subpixel.errors import (
    MemoryLimitError,
    PictureError,
    PictureTooLargeError,
    SubpixelError,
    one_line,
)
from subpixel.media.apart.messages.answer import FailureAnswer

_ERROR_KINDS = {
    kind.__name__: kind for kind in (PictureError, PictureTooLargeError, MemoryLimitError)
}
_NO_MEMORY = MemoryError.__name__


def to_failure(error: Exception, file: Path) -> FailureAnswer:
    """For the decoder: what to say of ``error``."""
    if isinstance(error, MemoryError):
        return FailureAnswer(_NO_MEMORY, str(error))
    if isinstance(error, SubpixelError):
        kind = next(name for name in (type(error).__name__, "PictureError") if name in _ERROR_KINDS)
        return FailureAnswer(kind, str(error))
    fault = f"{file} can't be read: {type(error).__name__}: {one_line(error)}"
    return FailureAnswer("PictureError", fault)


def to_exception(failure: FailureAnswer, file: Path) -> Exception:
    """The error that a decoder says it had; one that no decoder has is a :class:`PictureError`.

    A lack of memory is one of the decoder's limit: smaller tiles would not mend it.
    """
    if failure.kind == _NO_MEMORY:
        return MemoryLimitError(
            f"{file} can't be read: its decoder was refused memory ({failure.message}); allow it "
            "more (--max-memory), or the file is damaged"
        )
    kind = _ERROR_KINDS.get(failure.kind, PictureError)
    message = failure.message if str(file) in failure.message else f"{file}: {failure.message}"
    return kind(message)
