"""What people see at ``/``: a page's folder, or how to use the server."""

from html import escape
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from subpixel.errors import UsageError
from subpixel.serve.page_files import HEADERS

_PLAIN = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>subpixel</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto; padding: .75rem; border: 1px solid }
</style>
<main>
<h1>subpixel</h1>
<p>This server enlarges pictures. Send one, and its larger self comes back:</p>
<pre tabindex="0">curl --data-binary @photo.jpg "http://HOST/v1/upscale?scale=2" -o larger.jpg</pre>
<p>Parameters: <code>model</code>, <code>scale</code> or <code>width</code> or <code>height</code>,
<code>format</code>, <code>quality</code>, <code>lossless</code>, <code>strict</code>.</p>
<ul>
<li><a href="/v1/models">The networks</a></li>
<li><a href="/openapi.json">The interface, in OpenAPI</a></li>
<li><a href="/health/ready">Whether it is ready, and what computes</a></li>
<li><a href="/metrics">Metrics, for Prometheus</a></li>
</ul>
</main>
</html>
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def make_page_route(folder: Path | None) -> BaseRoute:
    """The route of the page in ``folder``; None: a plain one. Raises :class:`UsageError` for a
    folder without ``index.html``."""
    if folder is None:
        return Route("/", _show_plain, methods=["GET"])
    if not (folder / "index.html").is_file():
        raise UsageError(f"{folder} holds no index.html; name a folder with a page")
    return Mount("/", _IsolatedFiles(directory=folder, html=True))


async def _show_plain(request: Request) -> Response:
    text = _PLAIN.replace("HOST", escape(request.headers.get("host", "")))
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})


class _IsolatedFiles(StaticFiles):
    """Files with the headers that the page should have."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_isolated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Cache-Control"] = "no-cache"
                if "location" in headers:  # of a folder, at http://HOST as a proxy asks for it
                    folder = scope["path"].rpartition("/")[2]
                    headers["Location"] = f"./{quote(folder)}/"
            await send(message)

        await super().__call__(scope, receive, send_isolated)
