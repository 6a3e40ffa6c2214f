"""``subpixel serve`` as a process: its end under load, its lines, what it refuses to start."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest

from served import PATIENCE, ServerProcess, await_true, picture_file, server_process
from subpixel.cli.main import run

PNG = picture_file(64, 64)


def post(url: str) -> int | None:
    """The status; None where the connection was not taken, or closed before it was heard."""
    try:
        return httpx2.post(f"{url}/v1/upscale", content=PNG, timeout=PATIENCE).status_code
    except (httpx2.ConnectError, httpx2.ReadError, httpx2.RemoteProtocolError):
        return None


def accepted(server: ServerProcess) -> list[int]:
    """The statuses of all requests whose head was read."""
    return [line["status"] for line in server.lines if line["event"] == "request"]


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGHUP,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_end_under_load_loses_nothing(number: signal.Signals) -> None:
    with server_process(["--queue", "50"]) as server, ThreadPoolExecutor(8) as threads:
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children
        answers = [threads.submit(post, server.url) for _ in range(40)]
        await_true(lambda: any(each.done() for each in answers))
        server.process.send_signal(number)
        statuses = [each.result(PATIENCE) for each in answers]
        assert server.process.wait(PATIENCE) == 0
        await_true(lambda: bool(server.lines) and server.lines[-1]["event"] == "stopped")
    events = [line["event"] for line in server.lines]
    assert events.count("draining") == 1
    assert "warning" not in events
    assert set(accepted(server)) == {200}
    assert statuses.count(200) == len(accepted(server))
    assert set(statuses) <= {200, None}
    assert not any(child.is_running() for child in children)


@pytest.mark.slow
def test_terminal_that_goes_ends_it_in_order() -> None:
    """With the terminal its log has gone, too."""
    master, slave = pty.openpty()
    code = "from subpixel.cli.main import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--model", "fast"]
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(slave)
    assert process.stderr is not None
    with process:
        try:
            url = process.stderr.readline().split()[3]
            os.close(master)
            assert post(url) == 200
            process.send_signal(signal.SIGHUP)
            assert process.wait(PATIENCE) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.slow
def test_ready_says_that_the_end_comes() -> None:
    with server_process(["--notice", "600"]) as server:
        ready = f"{server.url}/health/ready"
        assert httpx2.get(ready, timeout=PATIENCE).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        await_true(lambda: httpx2.get(ready, timeout=PATIENCE).status_code == 503)
        assert post(server.url) == 200  # load balancers may still send some
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_crashed_decoders_cost_their_requests() -> None:
    with server_process(["--model", "auto"]) as server, ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(post, server.url) for _ in range(12)]
        parent = psutil.Process(server.process.pid)
        while not all(each.done() for each in answers):
            for child in parent.children(recursive=True):
                try:
                    if child.ppid() != server.process.pid:
                        child.kill()
                except psutil.Error:
                    continue
        assert {each.result() for each in answers} <= {200, 422}
        assert post(server.url) == 200
        assert server.metrics()["subpixel_running"] == 0


@pytest.mark.slow
def test_page_folder_and_token(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("our page")
    token = tmp_path / "token"
    token.write_text("a-token-of-enough-characters\n")
    options = ["--page", str(tmp_path), "--token-file", str(token)]
    with server_process(options) as server:
        assert httpx2.get(server.url, timeout=PATIENCE).text == "our page"
        assert httpx2.get(f"{server.url}/v1/models").status_code == 401
        headers = {"authorization": f"Bearer {token.read_text().strip()}"}
        assert httpx2.get(f"{server.url}/v1/models", headers=headers).status_code == 200
        other = httpx2.get(f"{server.url}/v1/models", headers={**headers, "host": "evil.example"})
        assert other.status_code == 421
    assert "token" not in json.dumps(server.lines)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--notice", "inf"), ("--notice", "nan"), ("--notice", "86401"), ("--timeout", "0")),
        *(("--transfer-timeout", "inf"), ("--idle-timeout", "-1"), ("--connections", "0")),
        *(("--max-pixels", "0"), ("--max-output-pixels", "-1"), ("--max-frames", "1.5")),
        *(("--queue", "-1"), ("--jobs", "65"), ("--allow-host", "a.org:8000")),
    ],
)
def test_message_says_the_options_name(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--model", "fast", option, value]) == 2
    said = capsys.readouterr().err
    assert option in said
    assert repr(value) in said
    assert "seconds is" not in said


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--model", "nothing-of-the-kind"], 2),
        (["--max-memory", "10M"], 2),
        (["--token-file", "missing"], 2),
        (["--jobs", "0"], 2),
        (["--timeout", "nan"], 2),
        (["--host", "203.0.113.1"], 2),
        (["--page", "missing"], 2),
        (["--port", "99999"], 2),
    ],
)
def test_what_cant_be_is_refused(
    options: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--model", "fast", *options]) == code
    assert capsys.readouterr().err.strip()


@pytest.mark.slow
def test_extra_is_named_where_it_is_missing() -> None:
    hide = "import sys; sys.modules.update(starlette=None, uvicorn=None, prometheus_client=None); "
    call = "from subpixel.cli.main import main; main()"
    for options, code in (["--help"], 0), (["--model", "fast"], 1):
        command = [sys.executable, "-c", hide + call, "serve", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == code, done.stderr
        assert code == 0 or "'.[serve]'" in done.stderr


def test_taken_port_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run(["serve", "--model", "fast", "--port", str(port)]) == 2
    assert "--port" in capsys.readouterr().err


def test_open_address_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    run(["serve", "--model", "fast", "--host", "203.0.113.1"])
    assert "can be reached from other machines" in capsys.readouterr().err
