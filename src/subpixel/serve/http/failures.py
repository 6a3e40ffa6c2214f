"""What went wrong, as an answer: a status, and one line of JSON."""

from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from subpixel.errors import (
    MemoryLimitError,
    NetworkError,
    PictureError,
    PictureTooLargeError,
    ProviderError,
    SubpixelError,
    UsageError,
)
from subpixel.serve.http.access import AccessError
from subpixel.serve.work.budget import OutOfBytesError
from subpixel.serve.work.job_queue import JobCancelledError, QueueFullError, TimeLimitError

NO_ANSWER = 0
"""In place of a status, where nobody waits for one."""

RETRY_AFTER = "Retry-After"

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (PictureTooLargeError, 413),
    (MemoryLimitError, 413),
    (PictureError, 422),
    (UsageError, 400),
    (NetworkError, 500),
    (ProviderError, 500),
    (TimeLimitError, 503),
)
"""The first that fits."""


@dataclass(frozen=True)
class Failure:
    """What is answered, and what is logged."""

    status: int
    message: str
    retry_seconds: int | None = None
    fault: str | None = None
    """For the log: the kind, and for what nobody expected the place in the code."""

    def answer(self) -> JSONResponse:
        """As the Open Inference Protocol has it, and all else here."""
        headers = {} if self.retry_seconds is None else {RETRY_AFTER: str(self.retry_seconds)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse({"error": self.message}, self.status, headers)


def explain_failure(error: Exception) -> Failure:
    """What to say of ``error``; nothing of what the system or a library says in it."""
    kind = type(error).__name__
    if isinstance(error, ClientDisconnect | JobCancelledError):
        return Failure(NO_ANSWER, "", fault=kind)
    if isinstance(error, AccessError):
        return Failure(error.status, str(error), fault=kind)
    if isinstance(error, HTTPException):
        retry = (error.headers or {}).get(RETRY_AFTER)
        return Failure(error.status_code, error.detail, None if retry is None else int(retry))
    if isinstance(error, QueueFullError):
        return Failure(429, str(error), error.seconds, kind)
    if isinstance(error, OutOfBytesError):
        return Failure(429, "too many bytes are being received; try again in 1 s", 1, kind)
    for each, status in _STATUSES:
        if isinstance(error, each):
            return Failure(status, str(error), fault=kind)
    if isinstance(error, MemoryError | OSError):
        return Failure(503, "the server lacks memory or room on disk; try again", 10, _place(error))
    words = str(error) if isinstance(error, SubpixelError) else "the server failed"
    return Failure(500, words, fault=_place(error))


def _place(error: Exception) -> str:
    """The kind of an error and where it was raised, without what it says."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-4:])}"
