"""``POST /v1/upscale``: the same file as the command line's, and what is refused."""

import base64
import gzip
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from served import PATIENCE, picture_file
from subpixel.cli.main import run
from subpixel.serve.http.pictures import FileAnswer, accepts_events
from subpixel.serve.service import Service
from subpixel.serve.work.job_queue import Watch
from subpixel.serve.work.options import read_options

PNG = picture_file()


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", []),
        ("?scale=2", ["--scale", "2"]),
        ("?scale=3", ["--scale", "3"]),
        ("?scale=1.5", ["--scale", "1.5"]),
        ("?width=50", ["--width", "50"]),
        ("?height=70&format=webp&lossless=true", ["--height", "70", "--format", "webp"]),
        ("?scale=2&format=jpg&quality=70", ["--scale", "2", "--format", "jpg", "--quality", "70"]),
    ],
)
@pytest.mark.parametrize("model", ["fast", "auto"])
def test_file_is_the_command_lines(
    client: TestClient, tmp_path: Path, query: str, options: list[str], model: str
) -> None:
    source, result = tmp_path / "in.png", tmp_path / "out"
    source.write_bytes(PNG)
    if "lossless" in query:
        options = [*options, "--lossless"]
    form = options[options.index("--format") + 1] if "--format" in options else "png"
    file = result.with_suffix(f".{form}")
    own = [word for word in options if word not in ("--format", form)]
    assert run(["upscale", str(source), "-o", str(file), "--model", model, "-q", *own]) == 0
    end = f"{'&' if query else '?'}model={model}"
    answer = client.post(f"/v1/upscale{query}{end}", content=PNG)
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(file.read_bytes()).digest()


def test_answer_says_what_it_is(client: TestClient) -> None:
    answer = client.post("/v1/upscale?scale=2&format=jpg", content=PNG)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-subpixel-size"] == "64x48"
    assert answer.headers["x-subpixel-network"] == "fast-int8"
    assert Image.open(io.BytesIO(answer.content)).size == (64, 48)
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("scale", ["2.00000000", "2e0", "1.9999999999999999999"])
def test_scale_comes_as_programs_write_it(client: TestClient, scale: str) -> None:
    answer = client.post(f"/v1/upscale?scale={scale}", content=PNG)
    assert answer.headers["x-subpixel-size"] == "64x48"


def test_losses_are_named_or_refused(client: TestClient) -> None:
    stream = io.BytesIO()
    Image.new("RGBA", (8, 8), (1, 2, 3, 99)).save(stream, "PNG")
    answer = client.post("/v1/upscale?format=jpg", content=stream.getvalue())
    assert answer.headers["x-subpixel-losses"] == "alpha"
    refused = client.post("/v1/upscale?format=jpg&strict=true", content=stream.getvalue())
    assert refused.status_code == 422
    assert "/tmp" not in refused.text
    assert "subpixel-" not in refused.text


def test_form_is_taken(client: TestClient) -> None:
    plain = client.post("/v1/upscale?scale=2", content=PNG).content
    form = client.post("/v1/upscale", files={"file": ("x.png", PNG)}, data={"scale": "2"})
    assert form.content == plain
    query = client.post("/v1/upscale?scale=2", files={"picture": ("../../x", PNG)})
    assert query.content == plain


@pytest.mark.parametrize(
    ("files", "data"),
    [
        ([("a", ("a", PNG)), ("b", ("b", PNG))], {}),
        ([("a", ("a", b""))], {}),
        ([("a", ("a", PNG))], {"size": "2"}),
        ([("a", ("a", PNG))], {"scale": ["2", "3"]}),
    ],
)
def test_odd_form_is_refused(
    client: TestClient, files: list[object], data: dict[str, object]
) -> None:
    answer = client.post("/v1/upscale", files=files, data=data)  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_broken_form_is_refused(client: TestClient) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        answer = client.post("/v1/upscale", content=b"--y\r\n\r\n", headers={"content-type": kind})
        assert answer.status_code == 400


def test_packed_body_is_refused_as_such(client: TestClient) -> None:
    headers = {"content-encoding": "GZIP"}
    answer = client.post("/v1/upscale", content=gzip.compress(PNG), headers=headers)
    assert answer.status_code == 415
    assert "'GZIP'; send the picture file as it is" in answer.json()["error"]
    assert answer.headers["accept-encoding"] == "identity"
    plain = client.post("/v1/upscale", content=PNG, headers={"content-encoding": "Identity"})
    assert plain.status_code == 200


@pytest.mark.parametrize(
    ("accept", "events"),
    [
        *(("text/event-stream", True), ("image/*, Text/Event-Stream; q=0.5", True)),
        *(("text/event-stream;q=1.0", True), ("text/event-stream;q=0.001", True)),
        *(("text/event-stream;q=0, image/*", False), ("text/event-stream; Q=0.000", False)),
        *(("image/*", False), ("*/*", False), ("x-text/event-stream", False), ("", False)),
    ],
)
def test_events_are_for_those_who_accept_them(accept: str, events: bool) -> None:
    assert accepts_events(Headers({"accept": accept})) == events


def test_accept_may_be_there_twice() -> None:
    raw = [(b"accept", b"image/*"), (b"accept", b"text/event-stream")]
    assert accepts_events(Headers(raw=raw))


@pytest.mark.parametrize(
    "query",
    [
        *("scale=0", "scale=-1", "scale=nan", "scale=1e9", "scale=65", "scale=²", "scale="),
        *(f"scale=1.{'3' * 5000}", "scale=1e", "width=000", f"quality={'9' * 5000}"),
        *("width=0", "width=1.5", "width=1&height=1", "scale=2&width=9", "width=9999999999"),
        *("format=exe", "format=.png", "quality=0", "quality=101&format=jpg", "quality=90"),
        *("model=nothing", "model=../../etc/passwd", "model=", "strict=yes", "url=http://a/b"),
        *("scale=2&scale=3", "max_pixels=1"),
    ],
)
def test_wrong_parameter_is_refused(client: TestClient, query: str) -> None:
    answer = client.post(f"/v1/upscale?{query}", content=PNG)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"GIF89a", 422),
        (PNG[:60], 422),
        (PNG[:-200], 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", 422),
        (b"%PDF-1.4", 422),
        (b"\0" * 5000, 422),
        (picture_file(400, 300), 413),
        (b"\0" * ((1 << 20) + 1), 413),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused(
    client: TestClient, content: bytes, status: int
) -> None:
    answer = client.post("/v1/upscale", content=content)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def test_result_and_frames_are_limited(client: TestClient) -> None:
    answer = client.post("/v1/upscale?scale=60", content=PNG)
    assert answer.status_code == 413
    assert "1,000,000" in answer.json()["error"]
    frames = [Image.new("RGB", (4, 4), (n, n, n)) for n in range(4)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    assert client.post("/v1/upscale", content=stream.getvalue()).status_code == 413


def test_bomb_is_refused_before_it_is_decoded(client: TestClient) -> None:
    stream = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(stream, "PNG")
    answer = client.post("/v1/upscale", content=stream.getvalue())
    assert answer.status_code == 413
    assert answer.json()["error"] == (
        "the picture has 9000 x 9000 pixels in 1 frame(s), 81,000,000 in all; 100,000 are allowed; "
        "send a smaller one"
    )


def test_progress_comes_as_events(client: TestClient) -> None:
    plain = client.post("/v1/upscale?scale=2", content=PNG)
    accept = {"accept": "text/event-stream"}
    answer = client.post("/v1/upscale?scale=2", content=PNG, headers=accept)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _parse_events(answer.text)
    names = [name for name, _ in events]
    assert names[0] == "progress"
    assert names[-1] == "done"
    whole = base64.b64decode("".join(data for name, data in events if name == "data"))
    facts = json.loads(events[-1][1])
    assert whole == plain.content
    assert facts["sha256"] == hashlib.sha256(whole).hexdigest()
    assert (facts["width"], facts["height"], facts["size"]) == (64, 48, len(whole))


def test_event_says_what_failed(client: TestClient) -> None:
    accept = {"accept": "text/event-stream"}
    answer = client.post("/v1/upscale", content=PNG[:60], headers=accept)
    name, data = _parse_events(answer.text)[-1]
    assert name == "error"
    assert json.loads(data)["status"] == 422
    assert client.post("/v1/upscale?scale=x", content=PNG, headers=accept).status_code == 400


def test_failure_told_by_an_event_is_logged_and_counted(
    client: TestClient, service: Service, log_text: io.StringIO
) -> None:
    ended = 'subpixel_requests_total{method="POST",route="/v1/upscale",status="422"}'

    def count() -> float:
        rows = dict(line.rsplit(" ", 1) for line in service.metrics.text().decode().splitlines())
        return float(rows.get(ended, 0))

    before = count()
    headers = {"accept": "text/event-stream"}
    answer = client.post("/v1/upscale", content=PNG[:60], headers=headers)
    assert answer.status_code == 200
    event = json.loads(log_text.getvalue().splitlines()[-1])
    assert event["request"] == answer.headers["x-request-id"]
    assert (event["status"], event["fault"]) == (422, "PictureError")
    assert count() == before + 1


def _parse_events(text: str) -> list[tuple[str, str]]:
    """By the standard's rules for the two fields that are used here."""
    events = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line[0] != ":")
        if fields:
            events.append((fields["event"], fields["data"]))
    return events


def test_nothing_stays(client: TestClient, service: Service) -> None:
    client.post("/v1/upscale", content=PNG)
    client.post("/v1/upscale", content=PNG[:50])
    assert service.bodies.held == 0
    assert (service.queue.running, service.queue.waiting) == (0, 0)


def test_odd_names_are_quoted_in_headers(service: Service) -> None:
    result = service.pictures.upscale(PNG, read_options({}), Watch(PATIENCE))
    odd = replace(result, network="nétz\r\nX-Other: 1")
    assert FileAnswer(odd, service).headers["x-subpixel-network"] == "n%C3%A9tz%0D%0AX-Other%3A%201"
    result.close()
