"""HTTP with restrictions: https only, few redirects, no file or FTP URLs, timeouts."""

import ipaddress
import time
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from urllib.parse import urljoin, urlsplit

from subpixel import __version__
from subpixel.errors import GalleryError, one_line

USER_AGENT = f"subpixel/{__version__}"

TIMEOUT = 30.0
"""Seconds without data after which a request fails."""

MIN_RATE = 1000.0
"""Bytes per second below which a request fails after :data:`PATIENCE`."""

PATIENCE = 60.0
"""Seconds for which :data:`MIN_RATE` is not enforced."""

MAX_REDIRECTS = 5

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 18


def open_url(url: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    """GET ``url``; return the response, of any status except redirects, its body unread, to be
    closed.

    https only, except http from loopback, which bypasses proxies. Other proxies are those of the
    environment. Redirects are followed by the same rules, at most :data:`MAX_REDIRECTS` of them,
    and from https only to https. Raises :class:`GalleryError` for what these rules forbid, and
    where there is no response.
    """
    visited: list[str] = []
    while True:
        expect_allowed(url)
        visited.append(url)
        response = _send_request(url, {"User-Agent": USER_AGENT, **(headers or {})})
        location = response.headers.get("Location")
        if response.status not in _REDIRECTS or location is None:
            return response
        response.close()
        url = _resolve_redirect(visited, location)


def read_chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body in chunks, until it ends.

    Raises :class:`GalleryError` where the connection fails, or is slower than :data:`MIN_RATE`. A
    truncated body may end without an error: the caller must check its length.
    """
    began, received = time.monotonic(), 0
    while True:
        try:
            data = response.read1(_CHUNK)
        except (OSError, HTTPException, ValueError) as error:
            raise GalleryError(f"the connection broke: {one_line(error)}") from error
        if not data:
            return
        yield data
        received += len(data)
        elapsed = time.monotonic() - began
        if elapsed > PATIENCE and received < MIN_RATE * elapsed:
            raise GalleryError(f"{received} bytes in {elapsed:.0f} s: too slow to go on")


def expect_allowed(url: str) -> None:
    """Raise :class:`GalleryError` for a URL that is neither https nor http from loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise GalleryError(f"{url!r} is no URL: {error}") from error
    if parts.username is not None:
        raise GalleryError(f"{parts.scheme}://…@{host} carries a user's name; that is not sent")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise GalleryError(f"{url!r} is not https; http is for loopback alone")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _resolve_redirect(visited: list[str], location: str) -> str:
    try:
        url = urljoin(visited[-1], location)
        secure = not visited[-1].lower().startswith("https:") or urlsplit(url).scheme == "https"
    except ValueError as error:
        raise GalleryError(f"redirects to {location[:100]!r}, which is no URL") from error
    if not secure:
        raise GalleryError(f"redirects from https to {url[:200]!r}")
    if url in visited:
        raise GalleryError(f"redirects in a circle, to {url[:200]!r} again")
    if len(visited) > MAX_REDIRECTS:
        raise GalleryError(f"redirects more than {MAX_REDIRECTS} times")
    return url


def _send_request(url: str, headers: Mapping[str, str]) -> HTTPResponse:
    try:
        request = urllib.request.Request(url, headers=dict(headers))
        response: HTTPResponse = _opener(url).open(request, timeout=TIMEOUT)
    except (OSError, HTTPException, ValueError) as error:
        raise GalleryError(f"can't be reached: {one_line(error)}") from error
    return response


def _opener(url: str) -> urllib.request.OpenerDirector:
    """An opener for http, https and proxies only: urllib's default also opens files and FTP, and
    reads the body of a redirect to its end, though it may have none."""
    opener = urllib.request.OpenerDirector()
    own = _is_loopback(urlsplit(url).hostname or "")
    opener.add_handler(urllib.request.ProxyHandler({} if own else None))
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler())
    return opener
