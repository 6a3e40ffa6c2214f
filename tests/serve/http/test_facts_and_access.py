"""What the server says of itself, to whom, and what its log holds."""

import io
import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from served import picture_file
from subpixel.errors import UsageError
from subpixel.serve.app import make_app
from subpixel.serve.http.access import (
    LOOPBACK_NAMES,
    Access,
    is_loopback,
    read_host_name,
    read_token,
)
from subpixel.serve.page_files import HEADERS
from subpixel.serve.service import Service, ServiceState

TOKEN = "a-token-of-enough-characters"


def test_models_and_health(client: TestClient) -> None:
    models = client.get("/v1/models").json()["models"]
    assert [(row["name"], row["scales"], row["default"]) for row in models] == [
        ("fast", [2, 3, 4], True),
        ("auto", [2, 3, 4], False),
    ]
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["providers"]["fast"] == "CPUExecutionProvider"


def test_ready_ends_with_the_notice(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.state, "draining", ServiceState(draining=True).draining)
    assert client.get("/health/ready").status_code == 503
    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200


def test_metrics_are_prometheus(client: TestClient) -> None:
    client.post("/v1/upscale?scale=2", content=picture_file())
    families = {
        family.name: family
        for family in text_string_to_metric_families(client.get("/metrics").text)
    }
    routes = {sample.labels["route"] for sample in families["subpixel_requests"].samples}
    assert "/v1/upscale" in routes
    stages = {sample.labels["stage"] for sample in families["subpixel_stage_seconds"].samples}
    assert {"open", "choose", "upscale", "send"} <= stages
    for name in ("running", "waiting", "body_bytes"):
        assert families[f"subpixel_{name}"].samples[0].value == 0
    assert families["subpixel_megapixels"].samples
    assert families["process_resident_memory_bytes"].samples[0].value > 0


def test_unknown_paths_are_one_route(client: TestClient) -> None:
    assert client.get("/secret/a").status_code == 404
    assert client.get("/v1/upscale").status_code == 405
    assert "error" in client.get("/secret/b").json()
    assert "secret" not in client.get("/metrics").text


def test_nobody_is_sent_to_another_address(service: Service, tmp_path: Path) -> None:
    """The server doesn't know its own: a proxy that speaks TLS asks it by HTTP."""
    (tmp_path / "index.html").write_text("our page")
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "index.html").write_text("another")
    with TestClient(make_app(service, Access()), follow_redirects=False) as client:
        assert client.post("/v1/upscale/", content=picture_file()).status_code == 404
        assert client.get("/v1/models/").status_code == 404
    with TestClient(make_app(service, Access(), tmp_path), follow_redirects=False) as client:
        answer = client.get("/a%20b")
        assert answer.headers["location"] == "./a%20b/"
        assert client.get("/a%20b/").text == "another"


def test_log_has_no_names(client: TestClient, log_text: io.StringIO) -> None:
    client.post("/v1/upscale?model=private-name", content=b"private-data")
    client.post("/v1/upscale", files={"private-field": ("private-file.png", b"private-data")})
    client.get("/private-path", headers={"user-agent": "private-agent"})
    lines = [json.loads(line) for line in log_text.getvalue().splitlines()]
    assert {"time", "request", "route", "status", "seconds"} <= lines[-1].keys()
    assert "private" not in log_text.getvalue()


def test_page_is_plain_or_a_folder(service: Service, tmp_path: Path) -> None:
    with TestClient(make_app(service, Access())) as client:
        page = client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert "/v1/upscale" in page.text
    with pytest.raises(UsageError):
        make_app(service, Access(), tmp_path)
    (tmp_path / "index.html").write_text("our page")
    (tmp_path / "a.js").write_text("1")
    with TestClient(make_app(service, Access(TOKEN), tmp_path)) as client:
        page = client.get("/")
        assert page.text == "our page"
        assert HEADERS.items() <= {name: page.headers[name] for name in HEADERS}.items()
        assert client.get("/a.js").status_code == 200
        assert client.get("/../conftest.py").status_code == 404
        assert client.get("/%2e%2e/conftest.py").status_code == 404
        assert client.get("/v1/models").status_code == 401


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
    ],
)
def test_token(service: Service, header: str | None, status: int) -> None:
    headers = {} if header is None else {"authorization": header}
    with TestClient(make_app(service, Access(TOKEN)), headers=headers) as client:
        for path in ("/v1/models", "/metrics", "/openapi.json", "/v2", "/v2/models/fast"):
            answer = client.get(path)
            assert answer.status_code == status, path
        assert client.post("/v1/upscale", content=picture_file()).status_code == status
        assert client.get("/nothing").status_code == (404 if status == 200 else 401)
        for path in ("/", "/health/live", "/health/ready", "/v2/health/ready"):
            assert client.get(path).status_code == 200
        assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("LOCALHOST:8000", 200), ("127.0.0.1:1", 200), ("[::1]:8000", 200)),
        *(("evil.example", 421), ("localhost.evil.example", 421), ("", 421), ("[::1", 421)),
    ],
)
def test_other_names_are_refused(service: Service, host: str, status: int) -> None:
    with TestClient(make_app(service, Access(hosts=LOOPBACK_NAMES))) as client:
        assert client.get("/v1/models", headers={"host": host}).status_code == status
        for path in ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"):
            assert client.get(path, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("Pictures.example.org", "pictures.example.org"), ("host_1", "host_1")),
        *(("10.0.0.7", "10.0.0.7"), ("::1", "[::1]"), ("[FE80:0::1]", "[fe80::1]")),
    ],
)
def test_allowed_name_is_what_stands_in_host(text: str, name: str) -> None:
    assert read_host_name(text) == name


@pytest.mark.parametrize(
    "text",
    ["a:8000", "[::1]:8000", "http://a", "a/b", "*", "*.a.org", "a b", "", "bücher.example", ".a"],
)
def test_allowed_name_that_never_stands_in_host_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write the name alone"):
        read_host_name(text)


def test_pages_of_other_sites_are_refused(client: TestClient) -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    answer = client.post("/v1/upscale", content=picture_file(), headers=headers)
    assert answer.status_code == 403
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    assert client.options("/v1/upscale", headers=asked).status_code == 405
    plain = client.get("/v1/models", headers={"origin": "https://evil.example"})
    assert not [name for name in plain.headers if name.startswith("access-control")]


@pytest.mark.parametrize("content", [b"", b"short", b"two words of some length", b"\xff" * 40])
def test_token_file_must_hold_one(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(UsageError):
        read_token(file)
    with pytest.raises(UsageError):
        read_token(tmp_path / "none")
    file.write_text(f" {TOKEN}\n")
    assert read_token(file) == TOKEN


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.1", "example.org", "")))
