"""``subpixel serve`` under load, on loopback: does its memory stay, and what does too much get?

First many mixed requests, sound and broken, from several clients at once: the memory after the
first hundred and at the end. Then requests at twice the rate that it can answer: their statuses,
and how long they took. Prints JSON; the exit code is 1 where memory grew by more than a tenth,
something else than 200 and 429 was answered under the overload, or somebody waited longer than the
queue explains.

    python benchmarks/serve_load.py --requests 2000 --clients 16 --seconds 60
"""

import argparse
import http.client
import io
import itertools
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import numpy as np
import psutil
from PIL import Image

FIRST = 100
"""Requests after which the memory is what it is to stay."""

MAX_GROWTH = 0.10
"""Of the memory, from then on."""

SLACK = 2.0
"""Times the wait that the queue explains, which somebody may wait: rates drift."""

QUEUE, JOBS = 16, 2


@dataclass(frozen=True)
class Case:
    """One kind of request, and what may be answered."""

    path: str
    body: bytes
    statuses: tuple[int, ...] = (200,)
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    status: int
    """0: the connection broke."""
    seconds: float


@dataclass(frozen=True)
class MemoryReport:
    """Of the mixed requests."""

    requests: int
    clients: int
    statuses: dict[int, int]
    unexpected: int
    first_bytes: int
    """Resident, after the first :data:`FIRST`; the median of several looks."""
    last_bytes: int
    growth: float
    per_second: float


@dataclass(frozen=True)
class OverloadReport:
    """Of requests at more than the capacity."""

    capacity: float
    """Answers in a second, by as many clients as there are jobs."""
    rate: float
    """Requests in a second."""
    statuses: dict[int, int]
    seconds: dict[str, float]
    """Of those answered with 200: p50, p95, p99, most."""
    refused_seconds: dict[str, float]
    explained: float
    """Seconds that a full queue takes."""


def make_cases(seed: int) -> list[Case]:
    """Sound and broken requests, of several sizes and formats."""
    random = np.random.default_rng(seed)
    files = {
        (side, form): encode_noise(random, side, form)
        for side in (16, 80, 200)
        for form in ("PNG", "JPEG", "WEBP", "TIFF", "GIF")
    }
    sound = [
        Case(f"/v1/upscale?scale={scale}", body)
        for scale, body in itertools.product((2, 3), files.values())
    ]
    large = encode_noise(random, 700, "JPEG")
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    return [
        *sound,
        Case("/v1/upscale?scale=2&model=fast", large),
        Case("/v1/upscale", files[80, "PNG"], headers=(("Accept", "text/event-stream"),)),
        make_tensor_case(random),
        Case("/v1/upscale", b"", (400,)),
        Case("/v1/upscale", b"no picture", (422,)),
        Case("/v1/upscale", files[200, "PNG"][:-500], (422,)),
        Case("/v1/upscale", bomb.getvalue(), (413,)),
        Case("/v1/upscale?scale=0", files[16, "PNG"], (400,)),
    ]


def encode_noise(random: np.random.Generator, side: int, form: str) -> bytes:
    """Smooth noise, as a file."""
    small = random.integers(0, 256, (side // 8 + 1, side // 8 + 1, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(stream, form)
    return stream.getvalue()


def make_tensor_case(random: np.random.Generator) -> Case:
    """A request of the Open Inference Protocol with raw bytes."""
    raw = random.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8).tobytes()
    row = {"name": "image", "shape": [1, 64, 64, 3], "datatype": "UINT8"}
    inputs = [{**row, "parameters": {"binary_data_size": len(raw)}}]
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    size = ("Inference-Header-Content-Length", str(len(text)))
    return Case("/v2/models/fast/infer", text + raw, headers=(size,))


@contextmanager
def running_server(options: Sequence[str]) -> Iterator[tuple[str, psutil.Process]]:
    """A server's address, and its process."""
    code = "from subpixel.cli.main import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = urlsplit(json.loads(process.stdout.readline())["detail"]).netloc
        drain = threading.Thread(target=lambda: Counter(process.stdout or ()))
        drain.start()
        try:
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()
            drain.join()


def send(address: str, case: Case) -> Answer:
    """One request on a connection of its own."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection(address, timeout=300)
    try:
        connection.request("POST", case.path, case.body, dict(case.headers))
        answer = connection.getresponse()
        answer.read()
        return Answer(answer.status, time.perf_counter() - start)
    except (OSError, http.client.HTTPException):
        return Answer(0, time.perf_counter() - start)
    finally:
        connection.close()


def in_threads(count: int, work: Callable[[], None]) -> None:
    """Have ``work`` done ``count`` times at once."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure_memory(cases: Sequence[Case], requests: int, clients: int) -> MemoryReport:
    """Mixed requests, none of which finds the queue full."""
    options = ["--model", "auto", "--model", "fast", "--queue", str(2 * clients)]
    with running_server(options) as (address, process):
        start = time.perf_counter()
        answers = send_all(address, cases, min(FIRST, requests), clients)
        first = look_at_memory(process)
        answers += send_all(address, cases, max(0, requests - FIRST), clients)
        seconds, last = time.perf_counter() - start, look_at_memory(process)
    unexpected = sum(answer.status not in case.statuses for case, answer in answers)
    statuses = Counter(answer.status for _, answer in answers)
    return MemoryReport(
        *(requests, clients, dict(sorted(statuses.items())), unexpected),
        *(first, last, last / first - 1, requests / seconds),
    )


def send_all(
    address: str, cases: Sequence[Case], requests: int, clients: int
) -> list[tuple[Case, Answer]]:
    """The cases in turn, so many requests in all."""
    todo: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in itertools.islice(itertools.cycle(cases), requests):
        todo.put(case)
    answers: list[tuple[Case, Answer]] = []

    def work() -> None:
        while True:
            try:
                case = todo.get_nowait()
            except queue.Empty:
                return
            answers.append((case, send(address, case)))

    in_threads(clients, work)
    return answers


def look_at_memory(process: psutil.Process) -> int:
    """Of the server's process and those that it started, at rest."""
    looks = []
    for _ in range(5):
        time.sleep(0.2)
        looks.append(process.memory_info().rss)
    return int(statistics.median(looks))


def measure_overload(case: Case, seconds: float, factor: float) -> OverloadReport:
    """Requests at ``factor`` times the capacity."""
    options = ["--model", "auto", "--queue", str(QUEUE), "--jobs", str(JOBS)]
    with running_server(options) as (address, _):
        send_all(address, [case], 10, JOBS)
        start = time.perf_counter()
        count = len(send_all(address, [case], max(20, int(seconds)), JOBS))
        capacity = count / (time.perf_counter() - start)
        answers = send_at_rate(address, case, factor * capacity, seconds)
    good = [answer.seconds for answer in answers if answer.status == 200]
    refused = [answer.seconds for answer in answers if answer.status == 429]
    statuses = dict(sorted(Counter(answer.status for answer in answers).items()))
    explained = (QUEUE + JOBS) / capacity
    percentiles = percentiles_of(good), percentiles_of(refused)
    return OverloadReport(capacity, factor * capacity, statuses, *percentiles, explained)


def send_at_rate(address: str, case: Case, rate: float, seconds: float) -> list[Answer]:
    """Each request at its time, whether or not those before it are answered."""
    answers: list[Answer] = []
    threads = []
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, start + number / rate - time.perf_counter()))
        threads.append(threading.Thread(target=lambda: answers.append(send(address, case))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return answers


def percentiles_of(values: Sequence[float]) -> dict[str, float]:
    """Rounded to milliseconds."""
    if not values:
        return {}
    points = {"p50": 50, "p95": 95, "p99": 99, "most": 100}
    return {name: round(float(np.percentile(values, point)), 3) for name, point in points.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=2000, help="mixed ones")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0, help="of overload; 0: none")
    parser.add_argument("--factor", type=float, default=2.0, help="times the capacity")
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cases = make_cases(options.seed)
    memory = measure_memory(cases, options.requests, options.clients)
    print(json.dumps({"memory": asdict(memory)}, indent=2))
    faults = [f"{memory.unexpected} unexpected answers"] if memory.unexpected else []
    if memory.growth > MAX_GROWTH:
        faults.append(f"memory grew by {memory.growth:.0%}")
    if options.seconds:
        case = Case("/v1/upscale?scale=2", encode_noise(np.random.default_rng(0), 200, "PNG"))
        overload = measure_overload(case, options.seconds, options.factor)
        print(json.dumps({"overload": asdict(overload)}, indent=2))
        if not set(overload.statuses) <= {200, 429}:
            faults.append(f"statuses {overload.statuses}")
        if overload.seconds["most"] > SLACK * overload.explained:
            faults.append(f"somebody waited {overload.seconds['most']} s")
    sys.exit("; ".join(faults) or 0)


if __name__ == "__main__":
    main()
