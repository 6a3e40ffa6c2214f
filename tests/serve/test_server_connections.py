"""A real server on loopback, and clients that are slow, gone, too many or malicious."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection

import httpx2
import pytest

from networks import BoxBlur
from served import (
    PATIENCE,
    GatedOp,
    await_true,
    gated_service,
    picture_file,
    threaded_server,
)
from subpixel.runtime.op import Pixels
from subpixel.serve.http.access import Access
from subpixel.serve.limits import ServerLimits
from subpixel.serve.service import Service

PNG = picture_file()

DEFAULT = ServerLimits()

HEAD = "POST /v1/upscale HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n"


@contextmanager
def gated_server(
    op: GatedOp, limits: ServerLimits = DEFAULT, tile: int = 64
) -> Iterator[tuple[Service, int]]:
    with gated_service(op, limits, tile) as service, threaded_server(service) as port:
        try:
            yield service, port
        finally:
            op.gate.set()


def post(port: int, content: bytes = PNG) -> httpx2.Response:
    return httpx2.post(f"http://127.0.0.1:{port}/v1/upscale", content=content, timeout=PATIENCE)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def read_all(connection: socket.socket) -> bytes:
    """To its end, which is a reset where the server left some of the request unread."""
    whole = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            whole += part
    return whole


def expect_well(port: int) -> None:
    """Others are served."""
    assert post(port).status_code == 200


@pytest.mark.slow
def test_queue_is_bounded() -> None:
    op, limits = GatedOp(), ServerLimits(jobs=1, queue=2)
    with gated_server(op, limits) as (service, port), ThreadPoolExecutor(3) as threads:
        taken = [threads.submit(post, port) for _ in range(3)]
        await_true(lambda: (service.queue.running, service.queue.waiting) == (1, 2))
        for _ in range(3):
            refused = post(port)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert refused.json()["error"]
        assert httpx2.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
        op.gate.set()
        assert [each.result(PATIENCE).status_code for each in taken] == [200] * 3
        expect_well(port)


def test_two_at_a_time() -> None:
    op = GatedOp()
    with gated_server(op) as (service, port), ThreadPoolExecutor(2) as threads:
        both = [threads.submit(post, port) for _ in range(2)]
        await_true(lambda: service.queue.running == 2)
        op.gate.set()
        first, second = (each.result(PATIENCE) for each in both)
        assert first.content == second.content


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_work_ends_between_tiles_when_the_client_goes(accept: str) -> None:
    op, tile = GatedOp(), 16
    with gated_server(op, tile=tile) as (service, port):
        tiles = op.runs
        connection = connect(port)
        body = picture_file(200, 200)
        head = HEAD.format(len(body)).replace("\r\n\r\n", f"\r\nAccept: {accept}\r\n\r\n")
        connection.sendall(head.encode() + body)
        assert op.entered.wait(PATIENCE)
        connection.close()
        log = service.log
        await_true(lambda: '"route": "/v1/upscale"' in log._stream.getvalue())  # type: ignore[attr-defined]
        op.gate.set()
        await_true(lambda: service.queue.running == 0)
        assert op.runs - tiles < 60  # of some three hundred; three rows of tiles were under way
        assert service.bodies.held == 0
        expect_well(port)


@dataclass
class SteppedOp(GatedOp):
    """One whose runs each take a permit, until the gate is open."""

    permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __call__(self, pixels: Pixels, /) -> Pixels:
        while not self.gate.is_set() and not self.permits.acquire(timeout=0.05):
            pass
        return BoxBlur(2, 2)(pixels)


def test_progress_of_a_large_picture_comes_while_it_is_computed() -> None:
    """Each tile is computed only when the client has heard of the one before."""
    op, done, names = SteppedOp(), list[tuple[int, int]](), list[str]()
    with gated_server(op, tile=64) as (_, port):
        with httpx2.stream(
            "POST",
            f"http://127.0.0.1:{port}/v1/upscale",
            content=picture_file(64, 400),
            headers={"accept": "text/event-stream"},
            timeout=PATIENCE,
        ) as answer:
            for line in answer.iter_lines():
                field_name, _, value = line.partition(": ")
                if field_name == "event":
                    names.append(value)
                elif field_name == "data" and names[-1] == "progress":
                    told = json.loads(value)
                    done.append((told["done"], told["total"]))
                    op.permits.release()
        total = done[-1][1]
        assert total > 4
        assert done == sorted(set(done))
        assert len(done) >= total - 1
        assert names == ["progress"] * len(done) + ["data"] * names.count("data") + ["done"]
        op.gate.set()
        expect_well(port)


def test_waiting_request_leaves_when_its_client_goes() -> None:
    op, limits = GatedOp(), ServerLimits(jobs=1, queue=1)
    with gated_server(op, limits) as (service, port), ThreadPoolExecutor(2) as threads:
        running = threads.submit(post, port)
        assert op.entered.wait(PATIENCE)
        connection = connect(port)
        connection.sendall(HEAD.format(len(PNG)).encode() + PNG)
        await_true(lambda: service.queue.waiting == 1)
        assert post(port).status_code == 429
        connection.close()
        await_true(lambda: service.queue.waiting == 0)
        op.gate.set()
        assert running.result(PATIENCE).status_code == 200


QUICK = ServerLimits(max_body=1 << 20, idle_seconds=0.3, transfer_seconds=1.5)


@pytest.fixture(scope="module")
def quick() -> Iterator[tuple[Service, int]]:
    """A server with short times, whose network is open."""
    op = GatedOp()
    op.gate.set()
    with gated_server(op, QUICK) as (service, port):
        yield service, port


@pytest.mark.parametrize("length", [10_000_000_000, (1 << 20) + 1, 10**19])
def test_large_length_is_refused_unread(quick: tuple[Service, int], length: int) -> None:
    with connect(quick[1]) as connection:
        connection.sendall(HEAD.format(length).encode())
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()
    expect_well(quick[1])


def test_chunked_body_is_cut_off(quick: tuple[Service, int]) -> None:
    head = b"POST /v1/upscale HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(quick[1]) as connection:
        connection.sendall(head)
        try:
            for _ in range(4000):
                connection.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        except OSError:
            pass  # it was closed in our face, as it may be
        else:
            pytest.fail("260 MB were taken")
    await_true(lambda: quick[0].bodies.held == 0)
    expect_well(quick[1])


@pytest.mark.parametrize("start", [b"", b"P", b"POST /v1/upscale HTTP/1.1\r\nHost: a\r\nX-A: "])
def test_head_by_drops_is_ended(quick: tuple[Service, int], start: bytes) -> None:
    with connect(quick[1]) as connection:
        connection.sendall(start)
        assert read_all(connection) == b""
    expect_well(quick[1])


def test_body_that_stops_is_ended(quick: tuple[Service, int]) -> None:
    with connect(quick[1]) as connection:
        connection.sendall(HEAD.format(len(PNG)).encode() + PNG[:50])
        assert read_all(connection).startswith(b"HTTP/1.1 408")
    await_true(lambda: quick[0].bodies.held == 0)
    expect_well(quick[1])


def test_body_by_drops_is_ended(quick: tuple[Service, int]) -> None:
    with connect(quick[1]) as connection:
        connection.sendall(HEAD.format(10_000).encode())
        connection.settimeout(0.1)
        answer = b""
        for _ in range(200):
            try:
                answer = connection.recv(1 << 16)
                break
            except TimeoutError:
                connection.sendall(b"a")
        assert answer.startswith(b"HTTP/1.1 408")
    expect_well(quick[1])


def test_truncated_bodies(quick: tuple[Service, int]) -> None:
    for end in (0, 1, 20, len(PNG) - 1):
        with connect(quick[1]) as connection:
            connection.sendall(HEAD.format(len(PNG)).encode() + PNG[:end])
            connection.shutdown(socket.SHUT_WR)
            answer = read_all(connection)
        assert not answer or answer[9:10] == b"4", answer[:40]
    await_true(lambda: quick[0].bodies.held == 0)
    expect_well(quick[1])


@pytest.mark.parametrize(
    "text",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"POST /v1/upscale HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST /v1/upscale HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\nabc",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 1000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(quick: tuple[Service, int], text: bytes) -> None:
    with connect(quick[1]) as connection:
        with suppress(ConnectionError):
            connection.sendall(text)
        answer = read_all(connection)
    assert not answer or answer[9:10] in (b"4", b"5"), answer[:40]
    expect_well(quick[1])


def test_connection_is_kept_for_further_requests(quick: tuple[Service, int]) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{quick[1]}", timeout=PATIENCE) as client:
        for content in (PNG, b"", PNG[:50], PNG):
            client.post("/v1/upscale", content=content)
            client.get("/v1/models")
        (pool,) = {id(client._transport._pool)}  # type: ignore[attr-defined]
        assert pool
        assert client.get("/health/live").status_code == 200


@pytest.mark.slow
def test_answer_that_nobody_takes_is_given_up() -> None:
    op = GatedOp()
    op.gate.set()
    limits = ServerLimits(transfer_seconds=1.0)
    with gated_server(op, limits) as (service, port):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        body = picture_file(1000, 1000)
        head = HEAD.format(len(body)).replace("upscale", "upscale?format=bmp")
        connection.sendall(head.encode() + body)
        log = service.log._stream  # type: ignore[attr-defined]
        await_true(lambda: '"route": "/v1/upscale"' in log.getvalue())
        event = json.loads(next(line for line in log.getvalue().splitlines() if "upscale" in line))
        connection.close()
        assert event["fault"].startswith("TimeoutError")
        expect_well(port)


@pytest.mark.slow
def test_bodies_are_within_their_budget() -> None:
    op = GatedOp()
    op.gate.set()
    with gated_server(op) as (service, port):
        room = service.bodies.total - service.bodies.held
        service.bodies.take(room - len(PNG) + 1)
        answer = post(port)
        assert answer.status_code == 429
        assert answer.headers["retry-after"]
        service.bodies.give_back(room - len(PNG) + 1)
        expect_well(port)


def ask(connection: HTTPConnection) -> int:
    """The status of one request, after which the connection is kept where the server keeps it."""
    connection.request("GET", "/v1/models")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def ask_once(port: int) -> httpx2.Response:
    return httpx2.get(f"http://127.0.0.1:{port}/v1/models", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        *(("http://a/v1/models", b"200"), ("HTTP://a:80/v1/models?x=http://b", b"200")),
        *(("https://a/v1/%6Dodels", b"200"), ("http://a", b"200"), ("http://a/no", b"404")),
        *(("http://evil/v1/models", b"421"), ("http://b@a/v1/models", b"421"), ("http://", b"421")),
        *(("ftp://a/v1/models", b"404"), ("/http://a/v1/models", b"404")),
    ],
)
def test_target_may_be_a_whole_url(quick: tuple[Service, int], target: str, status: bytes) -> None:
    """Its host counts, and not that of the header."""
    with threaded_server(quick[0], Access(hosts=("a",))) as port, connect(port) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        assert read_all(connection)[9:12] == status


@pytest.mark.parametrize("most", [1, 3])
def test_as_many_connections_as_are_named(most: int) -> None:
    with gated_server(GatedOp(), ServerLimits(connections=most)) as (service, port):
        served = [HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for _ in range(most)]
        assert [ask(connection) for connection in served] == [200] * most
        refused = ask_once(port)
        assert refused.status_code == 503
        assert refused.json()["error"].startswith("too many connections")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["connection"] == "close"
        counted = 'subpixel_requests_total{method="GET",route="/v1/models",status="503"} 1.0'
        log = service.log._stream  # type: ignore[attr-defined]
        await_true(lambda: "CrowdedError" in log.getvalue())  # behind the answer
        assert counted in service.metrics.text().decode()
        lines = log.getvalue().splitlines()
        (event,) = (line for line in map(json.loads, lines) if line["status"] == 503)
        assert event["request"] == refused.headers["x-request-id"]
        assert event["fault"] == "CrowdedError"
        assert [ask(connection) for connection in served] == [200] * most  # they keep their places
        served[0].close()
        await_true(lambda: ask_once(port).status_code == 200)
        for connection in served:
            connection.close()


def test_connection_gets_the_place_that_another_leaves() -> None:
    with gated_server(GatedOp(), ServerLimits(connections=1)) as (_, port):
        first, second = (HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for _ in range(2))
        assert ask(first) == 200
        second.connect()
        first.close()
        await_true(lambda: ask(second) == 200)
        second.close()
