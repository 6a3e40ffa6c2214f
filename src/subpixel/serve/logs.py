"""Lines of JSON for whoever collects logs: never a picture's data, a file's name or a query."""

import json
import logging
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TextIO


@dataclass(frozen=True)
class ServerEvent:
    """Something about the server itself."""

    event: str
    """``"listening"``, ``"draining"``, ``"stopped"``, ``"warning"``."""
    detail: str = ""


@dataclass(frozen=True)
class RequestEvent:
    """One request at its end."""

    request: str
    """The number that its answer's ``X-Request-Id`` has."""
    method: str
    route: str
    """The pattern of its path, not what was asked for."""
    status: int
    """0: its client went before there was one."""
    seconds: float
    body_bytes: int
    answer_bytes: int
    fault: str | None = None
    """The kind of an error, and where in the code it was raised if nobody expected it."""
    event: str = "request"


class JsonLog:
    """Writes one line for each event; threads may share it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def write(self, event: ServerEvent | RequestEvent) -> None:
        """A line in ASCII: control characters are escaped. Where nobody can read it, a terminal
        that has gone, a full disk, the work still goes on."""
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        fields = {name: value for name, value in asdict(event).items() if value not in (None, "")}
        line = json.dumps({"time": now, **fields})
        with self._lock, suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()


class ForwardToLog(logging.Handler):
    """What uvicorn and asyncio warn of, as lines of a :class:`JsonLog`."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """The first line of the message: no traceback, whose values may be anything."""
        detail = record.getMessage().partition("\n")[0][:300]
        self._log.write(ServerEvent("warning", detail))
