"""Who may ask: a bearer token, compared in constant time, and the names that the server has."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from subpixel.errors import UsageError

MIN_TOKEN = 16
"""Characters of a token, at least."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

OPEN_PATHS = ("/", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")
"""What is answered without a token; so is the page's folder."""


CROWDED = "subpixel.crowded"
"""In a request's state: whether more connections are open than are served."""


class CrowdedError(Exception):
    """As many connections are open as may."""


class AccessError(Exception):
    """Somebody may not ask; :attr:`status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def is_loopback(host: str) -> bool:
    """Whether a host to bind to can't be reached from elsewhere."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(file: Path) -> str:
    """The token that a file holds, without white space around it. Raises :class:`UsageError` for a
    file that can't be read, and a token that can't be one."""
    try:
        token = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} can't be read as a token: {error}") from error
    if len(token) < MIN_TOKEN or len(token.split()) != 1:
        raise UsageError(
            f"{file} holds no token; write one of at least {MIN_TOKEN} ASCII characters without "
            "spaces into it, such as openssl rand -hex 32 makes"
        )
    return token


@dataclass(frozen=True)
class Access:
    """Who may ask what."""

    token: str | None = None
    """None: everybody."""
    hosts: tuple[str, ...] | None = None
    """The names in ``Host`` that are answered, in lower case, without a port (None: all): a web
    page elsewhere, whose name somebody points here, can't ask."""

    def expect_allowed(self, path: str, headers: Mapping[str, str], *, guarded: bool) -> None:
        """Raises :class:`AccessError`: 421 for another host, 403 for another site's page, 401
        without the token where ``guarded``."""
        if self.hosts is not None and _without_port(headers.get("host", "")) not in self.hosts:
            raise AccessError(421, "the server isn't called so; see --allow-host")
        if headers.get("sec-fetch-site") == "cross-site" and path != "/":
            raise AccessError(403, "pages of other sites may not ask")
        if guarded and self.token is not None and not self._matches(headers):
            raise AccessError(401, "a token is needed: Authorization: Bearer TOKEN")

    def _matches(self, headers: Mapping[str, str]) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(token.encode(), (self.token or "").encode())
        return same and kind.lower() == "bearer"


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()
