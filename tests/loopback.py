"""A gallery on loopback: the API's answer and files by path, well served or badly."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Route = Callable[[BaseHTTPRequestHandler], None]

API = "/api/v1/models.json"


@dataclass
class Gallery:
    """A server that runs; what it serves may be changed while it does."""

    url: str
    routes: dict[str, Route] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The paths that were asked for and the headers, in order."""

    def serve(self, path: str, route: Route) -> str:
        """Answer ``path`` so from now on; its URL."""
        self.routes[path] = route
        return self.url + path

    def publish(self, models: dict[str, Any]) -> None:
        """Serve ``models`` as the API does."""
        self.serve(API, whole(json.dumps(models).encode(), etag=None))

    def ranges(self, path: str) -> list[str | None]:
        """The ranges that ``path`` was asked for, in order."""
        return [headers.get("range") for asked, headers in self.requests if asked == path]


@contextmanager
def running_gallery() -> Iterator[Gallery]:
    gallery = Gallery("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            gallery.requests.append((self.path, headers))
            with suppress(ConnectionError):  # a client that has read enough
                gallery.routes.get(self.path, status(404))(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gallery.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield gallery
        finally:
            server.shutdown()
            thread.join()


def whole(data: bytes, *, etag: str | None = '"1"', ranges: bool = True) -> Route:
    """The file, or the part that is asked for; else all of it, as servers without ranges do."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        tag = etag or f'"{hashlib.sha256(data).hexdigest()}"'
        if handler.headers.get("If-None-Match") == tag:
            return begin(handler, 304, {"ETag": tag})
        start = asked_start(handler, tag) if ranges else 0
        headers = {"ETag": tag, "Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        begin(handler, 206 if start else 200, headers)
        handler.wfile.write(data[start:])
        return None

    return route


def cut(data: bytes, at: int, **options: Any) -> Route:  # noqa: ANN401
    """The connection ends once ``at`` bytes of the file are there; a range begins where asked."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        tag = options.get("etag", '"1"')
        start = asked_start(handler, tag)
        headers = {"Content-Length": str(len(data) - start)} | ({"ETag": tag} if tag else {})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        begin(handler, 206 if start else 200, headers)
        handler.wfile.write(data[start:at])

    return route


def lying(data: bytes, length: int) -> Route:
    """``data`` under a header that says ``length`` bytes."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, 200, {"Content-Length": str(length)})
        handler.wfile.write(data)

    return route


def endless(limit: int = 1 << 28) -> Route:
    """A body without a length that goes on until the client hangs up; never beyond ``limit``."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, 200, {})
        for _ in range(limit >> 16):
            handler.wfile.write(bytes(1 << 16))

    return route


def redirect(to: str, code: int = 302) -> Route:
    return lambda handler: begin(handler, code, {"Location": to})


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Route:
    def route(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, code, headers or {})
        handler.wfile.write(body)

    return route


def begin(handler: BaseHTTPRequestHandler, code: int, headers: dict[str, str]) -> None:
    handler.send_response(code)
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.end_headers()


def asked_start(handler: BaseHTTPRequestHandler, tag: str | None) -> int:
    """Where the part begins that is asked for, 0 where the file is another by now."""
    asked = handler.headers.get("Range", "")
    same = tag is not None and handler.headers.get("If-Range", tag) == tag
    return int(asked.removeprefix("bytes=").partition("-")[0]) if asked and same else 0


def listed(urls: list[str], data: bytes, kind: str = "pth", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A model's entry as the API has it, with one file."""
    resource = {
        "platform": "onnx" if kind == "onnx" else "pytorch",
        "type": kind,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "urls": urls,
    }
    return {
        "name": "A network",
        "author": "somebody",
        "license": "MIT",
        "tags": ["photo", "test"],
        "description": "Made for a test.",
        "date": "2026-11-29",
        "architecture": "compact",
        "size": ["64nf"],
        "scale": 2,
        "inputChannels": 3,
        "outputChannels": 3,
        "resources": [resource],
        "images": [],
    } | changes
