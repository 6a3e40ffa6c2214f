"""Who may ask: a bearer token, compared in constant time, and the names that the server has."""

import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from subpixel.errors import UsageError

MIN_TOKEN = 16
"""Characters of a token, at least."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

HEALTH_PATHS = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")
"""What is answered under any name: load balancers ask by address."""

OPEN_PATHS = ("/", *HEALTH_PATHS)
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


def read_host_name(text: str) -> str:
    """A name or an address as it stands in ``Host``, without the port. Raises :class:`UsageError`
    for what never stands there."""
    name = text.strip().lower()
    with suppress(ValueError):
        address = ip_address(name.removeprefix("[").removesuffix("]"))
        return f"[{address}]" if address.version == 6 else str(address)
    if re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?", name) is None:
        raise UsageError(
            f"{text!r} is no name of a host; write the name alone, such as pictures.example.org: "
            "without a port, which may be any, and with xn-- where it has other letters"
        )
    return name


@dataclass(frozen=True)
class Access:
    """Who may ask what."""

    token: str | None = None
    """None: everybody."""
    hosts: tuple[str, ...] | None = None
    """The names in ``Host`` that are answered, in lower case, without a port (None: all): a web
    page elsewhere, whose name somebody points here, can't ask."""

    def expect_allowed(self, path: str, headers: Mapping[str, str], *, guarded: bool) -> None:
        """Raises :class:`AccessError`: 421 for another host, but for checks of health, 403 for
        another site's page, 401 without the token where ``guarded``."""
        known = self.hosts is None or _without_port(headers.get("host", "")) in self.hosts
        if not known and path not in HEALTH_PATHS:
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
