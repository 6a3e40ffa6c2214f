"""The process that serves: connections with time limits, and an orderly end."""

import asyncio
import logging
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import cast
from urllib.parse import unquote

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from subpixel.errors import UsageError
from subpixel.serve.http.access import CROWDED
from subpixel.serve.limits import ServerLimits
from subpixel.serve.logs import ForwardToLog, ServerEvent
from subpixel.serve.service import Service

KEEP_ALIVE_SECONDS = 15
"""Between two requests of one connection."""

MAX_HEAD_BYTES = 32 << 10
"""Bytes of a request's head."""


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int
    """0: any that is free."""
    notice_seconds: float = 0.0
    """From a signal that asks for the end until no more connections are taken; ``/health/ready``
    says so meanwhile."""


def run_server(
    app: ASGIApp, service: Service, address: Address, announce: Callable[[str], None]
) -> None:
    """Serve until SIGTERM, SIGHUP or SIGINT comes and what was accepted is answered; a second one
    ends at once. ``announce`` gets the URL once connections are taken.

    Raises :class:`UsageError` for an address that can't be had.
    """
    connection = _bind_socket(address)
    config = make_config(app, service.limits)
    host, port = connection.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def tell_address() -> None:
        service.log.write(ServerEvent("listening", url))
        announce(url)

    handler = ForwardToLog(service.log)
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        _OrderlyServer(config, service, address.notice_seconds, tell_address).run([connection])
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        connection.close()
    service.log.write(ServerEvent("stopped"))


def make_config(app: ASGIApp, limits: ServerLimits) -> Config:
    """uvicorn's settings."""

    class BoundedProtocol(_BoundedProtocol):
        head_seconds, places = limits.idle_seconds, _Places(limits.connections)

    return Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )


def _bind_socket(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        connection.bind((address.host.strip("[]"), address.port))
    except (OSError, TypeError, ValueError) as error:  # what is no name of a host at all
        connection.close()
        raise UsageError(
            f"{address.host}, port {address.port}, can't be had: {error}; name another with --host "
            "and --port"
        ) from error
    return connection


class _Places:
    """As many connections as are served at a time; what asks for one is in the event loop."""

    def __init__(self, most: int) -> None:
        self._most, self._holders = most, set[object]()

    def take(self, holder: object) -> bool:
        """Whether ``holder`` has a place, now or from before."""
        if len(self._holders) < self._most:
            self._holders.add(holder)
        return holder in self._holders

    def give_back(self, holder: object) -> None:
        """``holder`` has gone."""
        self._holders.discard(holder)


class _BoundedProtocol(H11Protocol):
    """uvicorn's, which waits for ever for a head that comes by drops, and whose own limit to
    connections refuses those that it has as well as a further one, in plain text."""

    head_seconds = 10.0
    places = _Places(1)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._inner_app = cast(ASGIApp, self.app)
        self.app = self._call_app
        self.places.take(self)
        self._timer: asyncio.TimerHandle | None = None
        self._await_head()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_timer()
        elif self._timer is None and (before is None or before.response_complete):
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.places.give_back(self)
        super().connection_lost(exc)

    async def _call_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, which answers that there are too many where no place is left."""
        scope["state"][CROWDED] = not self.places.take(self)
        await self._inner_app(_name_host(scope), receive, send)

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._end)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def _name_host(scope: Scope) -> Scope:
    """A request whose target is a whole URL (RFC 9112, 3.2.2) as one whose target is a path, to the
    host of the URL: what it says counts, and not its header."""
    match = re.fullmatch(rb"(?i:https?)://([^/]*)(.*)", scope["raw_path"])
    if match is None:
        return scope
    others = [pair for pair in scope["headers"] if pair[0] != b"host"]
    path = match[2] or b"/"
    places = {"raw_path": path, "path": unquote(path.decode("ascii"))}
    return {**scope, **places, "headers": [(b"host", match[1]), *others]}


class _OrderlyServer(uvicorn.Server):
    """Says that it will end before it takes no more connections."""

    def __init__(
        self, config: Config, service: Service, notice: float, tell_address: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service, self._notice, self._tell_address = service, notice, tell_address
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Announce the start."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._tell_address()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGHUP, too, where there is one and it isn't ignored, as under nohup."""
        hangup = getattr(signal, "SIGHUP", None)  # not on Windows
        before = signal.getsignal(hangup) if hangup else None
        heard = threading.current_thread() is threading.main_thread() and before != signal.SIG_IGN
        if hangup and heard:
            signal.signal(hangup, self.handle_exit)
        try:
            with super().capture_signals():
                yield
        finally:
            if hangup and heard:
                signal.signal(hangup, before or signal.SIG_DFL)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A signal: the end begins. It isn't raised again at the end, which is as asked for. A
        terminal that closes sends SIGHUP more than once: that hurries nothing."""
        hurries = sig != getattr(signal, "SIGHUP", None)
        if self._loop is None:
            self.force_exit = self.should_exit = True
        else:  # whatever was interrupted may hold the log's lock: nothing is written here
            self._loop.call_soon_threadsafe(self._drain, hurries)

    def _drain(self, hurries: bool) -> None:
        state = self._service.state
        if state.draining:
            if hurries:
                self.force_exit = self.should_exit = True
            return
        state.draining = True
        asyncio.get_running_loop().call_later(self._notice, self._stop)
        self._service.log.write(ServerEvent("draining"))

    def _stop(self) -> None:
        self.should_exit = True
