"""What every request passes: who may ask, errors as answers, a line in the log, the metrics."""

import time
import uuid
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from subpixel.serve.http.access import CROWDED, OPEN_PATHS, Access, CrowdedError
from subpixel.serve.http.failures import HttpFailure, explain_http_failure
from subpixel.serve.logs import RequestEvent
from subpixel.serve.service import Service

UNKNOWN_ROUTE = "none"
"""In logs and metrics, for paths that nobody has: they would be without end."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass
class _Exchange:
    """One request and its answer, as they pass by."""

    method: str
    route: str
    number: str
    start: float
    whole: bool
    """Whether all of the request has come."""
    status: int = 0
    complete: bool = False
    """Whether all of the answer was sent."""
    received: int = 0
    sent: int = 0
    fault: str | None = None

    @property
    def event(self) -> RequestEvent:
        seconds = round(time.monotonic() - self.start, 6)
        sizes = self.received, self.sent
        return RequestEvent(
            self.number, self.method, self.route, self.status, seconds, *sizes, self.fault
        )


class Gate:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, service: Service, access: Access) -> None:
        self._app, self._service, self._access = app, service, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = self._begin(scope)

        async def receive_counting() -> Message:
            message = await receive()
            exchange.received += len(message.get("body", b""))
            exchange.whole = not message.get("more_body", False)
            return message

        async def send_counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = exchange.number
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                if not exchange.whole:
                    headers["Connection"] = "close"  # the rest would be read, however long it is
            await send(message)
            if message["type"] == "http.response.body":
                exchange.complete = not message.get("more_body", False)
            exchange.sent += len(message.get("body", b""))

        try:
            await self._pass(scope, receive_counting, send_counting, exchange)
        finally:
            self._record(exchange)

    def _begin(self, scope: Scope) -> _Exchange:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        headers = Headers(scope=scope)
        whole = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        number = uuid.uuid4().hex[:16]
        return _Exchange(method, find_route(scope), number, time.monotonic(), whole)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange) -> None:
        path, headers = scope["path"], Headers(scope=scope)
        guarded = path not in OPEN_PATHS and exchange.route != "/"
        try:
            if scope.get("state", {}).get(CROWDED):
                raise CrowdedError
            self._access.expect_allowed(path, headers, guarded=guarded)
            await self._app(scope, receive, send)
        except Exception as error:
            failure = explain_http_failure(error)
            exchange.fault = failure.fault
            await self._answer(failure, scope, receive, send, exchange)

    async def _answer(
        self, failure: HttpFailure, scope: Scope, receive: Receive, send: Send, exchange: _Exchange
    ) -> None:
        if exchange.complete:  # an answer of 200 that told of the failure itself
            exchange.status = failure.status or exchange.status
            return
        if exchange.status:  # the answer has begun: that it breaks off says that it failed
            raise ConnectionAbortedError
        if failure.status:
            await failure.answer()(scope, receive, send)

    def _record(self, exchange: _Exchange) -> None:
        metrics = self._service.metrics
        metrics.requests.labels(exchange.method, exchange.route, str(exchange.status)).inc()
        metrics.seconds.labels(exchange.route).observe(time.monotonic() - exchange.start)
        self._service.log.write(exchange.event)


def find_route(scope: Scope) -> str:
    """The pattern of the path that is asked for; ``"/"`` for the page, its files included."""
    routes: list[BaseRoute] = scope["app"].routes
    for route in routes:
        if route.matches(scope)[0] != Match.NONE:
            if isinstance(route, Route):
                return route.path
            if isinstance(route, Mount):
                return "/"
    return UNKNOWN_ROUTE
