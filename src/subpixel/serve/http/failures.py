"""What went wrong, as an answer: a status, and one line of JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from subpixel.serve.http.access import AccessError, CrowdedError
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
class HttpFailure:
    """What is answered, and what is logged."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    """For the log: the kind, and for what nobody expected the place in the code."""

    def answer(self) -> JSONResponse:
        """As the Open Inference Protocol has it, and all else here."""
        return JSONResponse({"error": self.message}, self.status, self.headers)


def explain_http_failure(error: Exception) -> HttpFailure:
    """What to say of ``error``; nothing of what the system or a library says in it."""
    kind = type(error).__name__
    if isinstance(error, ClientDisconnect | JobCancelledError):
        return HttpFailure(NO_ANSWER, "", fault=kind)
    if isinstance(error, AccessError):
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        return HttpFailure(error.status, str(error), headers, kind)
    if isinstance(error, HTTPException):
        return HttpFailure(error.status_code, error.detail, error.headers or {})
    if isinstance(error, QueueFullError):
        return HttpFailure(429, str(error), {RETRY_AFTER: str(error.seconds)}, kind)
    if isinstance(error, OutOfBytesError):
        return HttpFailure(
            429, "too many bytes are being received; try again in 1 s", {RETRY_AFTER: "1"}, kind
        )
    if isinstance(error, CrowdedError):
        headers = {RETRY_AFTER: "1", "Connection": "close"}
        return HttpFailure(503, "too many connections are open; try again in 1 s", headers, kind)
    for each, status in _STATUSES:
        if isinstance(error, each):
            return HttpFailure(status, _without_options(str(error), status), fault=kind)
    if isinstance(error, MemoryError | OSError):
        words = "the server lacks memory or room on disk; try again in 10 s"
        return HttpFailure(503, words, {RETRY_AFTER: "10"}, _place(error))
    words = str(error) if isinstance(error, SubpixelError) else "the server failed"
    return HttpFailure(500, words, fault=_place(error))


MAX_MESSAGE = 2000
"""Characters of a message that are sent."""
_IN_BRACKETS = re.compile(r" \([^()]*--[a-z][^()]*\)")
_ADVICE = re.compile(r"[:;] [^:;]*--[a-z].*", re.DOTALL)


def _without_options(message: str, status: int) -> str:
    """A message without advice that names options of the command line, which a client hasn't."""
    message = message[:MAX_MESSAGE]
    plain = _ADVICE.sub("", _IN_BRACKETS.sub("", message))
    return f"{plain}; send a smaller one" if plain != message and status == 413 else plain


def _place(error: Exception) -> str:
    """The kind of an error and where it was raised, without what it says."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__} at {' > '.join(frames[-4:])}"
