import socket
from collections.abc import Callable
from typing import Any

import pytest

from loopback import Gallery, redirect, status, whole
from subpixel import __version__
from subpixel.errors import GalleryError
from subpixel.zoo.gallery import transport
from subpixel.zoo.gallery.transport import expect_allowed, open_url, read_chunks


def fetched(url: str) -> bytes:
    with open_url(url) as response:
        return b"".join(read_chunks(response))


def test_who_asks_is_said(gallery: Gallery) -> None:
    assert fetched(gallery.serve("/a", whole(b"file"))) == b"file"
    assert gallery.requests[0][1]["user-agent"] == f"subpixel/{__version__}"


@pytest.mark.parametrize(
    "url", ["https://host/x", "http://127.0.0.1:80/x", "http://localhost/x", "http://[::1]/x"]
)
def test_what_may_be_asked(url: str) -> None:
    expect_allowed(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://host/x", "http://127.0.0.1.host/x", "http://10.0.0.1/x", "http://0.0.0.0/"),
        *("file:///etc/passwd", "ftp://host/x", "data:,x", "//host/x", "host/x", "", "https:///x"),
        *("https://me:secret@host/x", "https://[bad/x", "https://host:port/x"),
    ],
)
def test_what_may_not(url: str) -> None:
    with pytest.raises(GalleryError) as refused:
        open_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_with_what_was_asked(gallery: Gallery, code: int) -> None:
    gallery.serve("/b", whole(b"file"))
    with open_url(gallery.serve("/a", redirect("b", code)), {"If-Range": '"x"'}) as response:
        assert response.read() == b"file"
    assert [headers["if-range"] for _, headers in gallery.requests] == ['"x"', '"x"']


def test_redirects_in_a_circle(gallery: Gallery) -> None:
    gallery.serve("/b", redirect("/a"))
    with pytest.raises(GalleryError, match=r"redirects in a circle, to 'http.*/a' again"):
        open_url(gallery.serve("/a", redirect("/b")))
    assert len(gallery.requests) == 2


def test_redirects_that_never_end(gallery: Gallery) -> None:
    for i in range(100):
        gallery.serve(f"/{i}", redirect(f"/{i + 1}"))
    with pytest.raises(GalleryError, match="redirects more than 5 times"):
        open_url(f"{gallery.url}/0")
    assert len(gallery.requests) == 6


@pytest.mark.parametrize(
    "target", ["http://host.invalid/x", "file:///etc/passwd", "ftp://host.invalid/x", "http://[x/"]
)
def test_a_redirect_may_lead_only_where_one_may_ask(gallery: Gallery, target: str) -> None:
    with pytest.raises(GalleryError, match=r"is not https|is no URL"):
        open_url(gallery.serve("/a", redirect(target)))


def test_a_redirect_with_an_endless_body_is_followed(gallery: Gallery) -> None:
    def route(handler: Any) -> None:  # noqa: ANN401
        redirect("/b")(handler)
        for _ in range(1 << 12):
            handler.wfile.write(bytes(1 << 16))

    gallery.serve("/b", whole(b"file"))
    assert fetched(gallery.serve("/a", route)) == b"file"


class Answer:
    """What a server that can't be had in a test would answer."""

    def __init__(self, code: int, location: str | None) -> None:
        self.status, self.headers = code, {"Location": location}
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("https://other/x", True),
        ("/y", True),
        ("//other/x", True),
        ("http://host/x", False),
        ("http://127.0.0.1/x", False),
    ],
)
def test_nothing_leads_from_https_to_http(
    monkeypatch: pytest.MonkeyPatch, target: str, allowed: bool
) -> None:
    answers = [Answer(302, target), Answer(200, None)]
    asked: list[str] = []
    monkeypatch.setattr(
        transport,
        "_send_request",
        lambda url, headers: (asked.append(url), answers[len(asked) - 1])[1],
    )
    if allowed:
        assert open_url("https://host/x").status == 200
    else:
        with pytest.raises(GalleryError, match="redirects from https to 'http://"):
            open_url("https://host/x")
    assert answers[0].closed
    assert len(asked) == 1 + allowed


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(GalleryError, match=r"can't be reached: .*refused"):
            open_url(f"http://127.0.0.1:{free.getsockname()[1]}/x")


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "TIMEOUT", 0.05)
    late = pytest.raises(GalleryError, match="can't be reached: timed out")
    with socket.create_server(("127.0.0.1", 0)) as silent, late:
        open_url(f"http://127.0.0.1:{silent.getsockname()[1]}/x")


def test_a_server_that_dribbles_is_given_up(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PATIENCE", 0.0)
    monkeypatch.setattr(transport, "MIN_RATE", 1e12)
    with pytest.raises(GalleryError, match="bytes in 0 s: too slow to go on"):
        fetched(gallery.serve("/a", whole(b"file")))


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH\r\n", b"\xff" * 100_000, b"HTTP/1.1 x\r\n"])
def test_a_server_that_speaks_something_else(
    greeting: bytes, answering: Callable[[bytes], str]
) -> None:
    with pytest.raises(GalleryError, match="can't be reached"):
        open_url(answering(greeting))


def test_proxies_are_the_environments_but_not_for_loopback(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = gallery.serve("/a", whole(b"file"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{free.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        assert fetched(url) == b"file"
        with pytest.raises(GalleryError, match=r"can't be reached: .*refused"):
            open_url("https://host.invalid/x")  # refused by the proxy: the name is not looked up


def test_a_status_is_the_callers_business(gallery: Gallery) -> None:
    with open_url(gallery.serve("/a", status(404))) as response:
        assert response.status == 404
