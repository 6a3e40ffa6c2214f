"""The parent: forks a batch, and watches it for what a process can't say of itself."""

import json
import os
import selectors
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from tests.robustness.batch import run_batch
from tests.robustness.case import CaseEnd, Fault, Verdict
from tests.robustness.kinds import Kind
from tests.robustness.signature import sign_text

CPU_LIMIT = 5.0
"""Seconds of processor time that a case may take."""

WALL_LIMIT = 180.0
"""Seconds after which even a case that waits is a hang: machines are shared. What a case may take
besides counts ten times."""

POLL = 0.2
DUMP_SECONDS = 1.0


@dataclass
class _Watch:
    """A batch while it runs."""

    process: int
    place: Path
    cpu_limit: float
    number: int | None = None
    """Of the case that is being done."""
    began: float = 0.0
    cpu: float = 0.0
    """What the process had used when the case began."""
    allowed: float = 0.0
    """Seconds that this case may take besides."""
    ends: list[CaseEnd] = field(default_factory=list)
    broken: str = ""

    def hear(self, line: dict[str, Any]) -> None:
        match line.pop("state"):
            case "begin":
                self.number, self.cpu = line["number"], line["cpu"]
                self.began, self.allowed = time.monotonic(), 0.0
            case "allow":
                self.allowed += line["seconds"]
            case "end":
                self.ends.append(CaseEnd.from_json(line))
                self.number = None
            case "broken":
                self.broken = line["detail"]

    def used(self) -> float:
        return _used_by(self.process) - self.cpu

    def is_hanging(self) -> bool:
        if self.number is None:
            return False
        limit = self.cpu_limit + self.allowed
        waited = time.monotonic() - self.began
        return self.used() > limit or waited > WALL_LIMIT + 10 * self.allowed


def run_batch_watched(
    kind: Kind,
    seed: int,
    start: int,
    count: int,
    seconds: float,
    cpu_limit: float = CPU_LIMIT,
) -> Iterator[CaseEnd]:
    """Cases from ``start`` on, ``count`` at the most, for about so many seconds; the last one may
    be one that killed its process."""
    with TemporaryDirectory(prefix="subpixel-case-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        reading, writing = os.pipe()
        process = os.fork()
        if not process:
            os.close(reading)
            run_batch(place, writing, kind, seed, start, count)
        os.close(writing)
        watch = _Watch(process, place, cpu_limit)
        with os.fdopen(reading, "rb") as stream:
            yield from _follow(watch, stream.fileno(), time.monotonic() + seconds)


def _follow(watch: _Watch, descriptor: int, deadline: float) -> Iterator[CaseEnd]:
    selector, rest = selectors.DefaultSelector(), b""
    selector.register(descriptor, selectors.EVENT_READ)
    while True:
        if selector.select(POLL):
            data = os.read(descriptor, 1 << 16)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                watch.hear(json.loads(line))
            ends, watch.ends = watch.ends, []
            yield from ends
            if ends and time.monotonic() > deadline:
                _end_group(watch.process)
                return
        if watch.is_hanging():
            yield _stop_hanging(watch)
            return
    yield from _judge_end(watch)


def _judge_end(watch: _Watch) -> Iterator[CaseEnd]:
    _, status = os.waitpid(watch.process, 0)
    _kill_group(watch.process)
    if watch.broken:
        raise SystemExit(f"the campaign itself is broken:\n{watch.broken}")
    if watch.number is not None:
        name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "exit"
        detail = _messages(watch.place)
        yield _fatal(watch, Fault("crash", f"{name}: {_innermost(detail)}", detail))
    elif status:
        raise SystemExit(f"a batch ended with status {status}:\n{_messages(watch.place)}")


def _stop_hanging(watch: _Watch) -> CaseEnd:
    """With the stack of the process, as far as it still tells it."""
    used = watch.used()
    os.kill(watch.process, signal.SIGUSR1)
    time.sleep(DUMP_SECONDS)
    detail = _messages(watch.place)
    _end_group(watch.process)
    word = f"{used:.0f} s of processor time, {time.monotonic() - watch.began:.0f} s in all"
    return _fatal(watch, Fault("hang", _innermost(detail), f"{word}\n{detail}"))


def _fatal(watch: _Watch, fault: Fault) -> CaseEnd:
    seconds = time.monotonic() - watch.began
    return CaseEnd(watch.number or 0, Verdict(fault.kind, faults=(fault,)), 0, seconds, 0.0)


def _end_group(process: int) -> None:
    _kill_group(process)
    os.waitpid(process, 0)


def _kill_group(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _messages(place: Path) -> str:
    file = place / "stderr"
    return file.read_text("utf-8", "replace")[-6000:] if file.exists() else ""


def _innermost(text: str) -> str:
    """The first line of subpixel's in a dump of the stack, of the thread that was running."""
    running = text.rpartition("Current thread")[2]
    lines = [line for line in running.splitlines() if "/subpixel/" in line and "line" in line]
    return sign_text(lines[0].rpartition("/")[2]) if lines else "outside subpixel"


def _used_by(process: int) -> float:
    """Seconds of processor time of a process, its children alive and dead."""
    try:
        own = psutil.Process(process)
        total = sum(own.cpu_times()[:4])
        for descendant in own.children(recursive=True):
            total += sum(descendant.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0
    return float(total)
