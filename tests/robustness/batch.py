"""The child: cases one after the other in one process, each in an empty folder.

It tells its parent, a line of JSON each, that it is ready, that a case begins, what that may take
beside the usual, and what came of it.
"""

import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from tests.robustness.case import CaseEnd, Fault, Verdict
from tests.robustness.kinds import Budget, Case, Kind, Trial, open_trial
from tests.robustness.seeds.seed import Seed
from tests.robustness.signature import sign, sign_text

from subpixel.errors import SubpixelError

MEMORY_ROOM = 300 << 20
"""What a case may take beside what the process holds when it is ready."""

TOLERANCE = 1.05
"""How far over its budget a process may be: what the kernel counts in batches."""

HARD_ROOM = 4 << 30
"""At which memory is refused, so that a bomb harms this machine's other work little."""

SHORTAGE = ("not enough memory", "memory was refused", "close other programs", "out of memory")


@dataclass(frozen=True)
class Child:
    """The process's places and its way to its parent."""

    place: Path
    """A folder of its own; cases lie in ``case``, messages in ``stderr``."""
    parent: TextIO

    def tell(self, state: str, **values: Any) -> None:  # noqa: ANN401 - JSON
        print(json.dumps({"state": state, **values}), file=self.parent, flush=True)


def run_batch(place: Path, descriptor: int, kind: Kind, seed: int, start: int, count: int) -> None:
    """In a process that was forked for it: ``count`` cases from ``start`` on; never returns."""
    os.setpgid(0, 0)
    with os.fdopen(descriptor, "w") as parent:
        child = Child(place, parent)
        try:
            _prepare(place)
            _run_cases(child, [Case(kind, seed, start + i) for i in range(count)])
        except BaseException:
            child.tell("broken", detail=traceback.format_exc())
    os._exit(0)


def _prepare(place: Path) -> None:
    for name in ("cache", "tmp"):
        (place / name).mkdir()
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    os.environ["TMPDIR"] = str(place / "tmp")
    errors = os.open(place / "stderr", os.O_CREAT | os.O_RDWR | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(errors, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    faulthandler.enable(sys.stderr)
    faulthandler.register(signal.SIGUSR1, sys.stderr)


def _run_cases(child: Child, cases: list[Case]) -> None:
    trial = open_trial(cases[0].kind)
    for case in cases:
        case.draw()  # the seeds are made, all that is held at rest is held
        break
    reset_peak_memory()
    held = peak_memory()
    budget = held + MEMORY_ROOM
    resource.setrlimit(resource.RLIMIT_DATA, (budget + HARD_ROOM, budget + HARD_ROOM))
    child.tell("ready", held=held)
    for case in cases:
        drawn = case.draw()  # before the time counts
        child.tell("begin", number=case.number, cpu=used_cpu())
        end = _run_case(child, case, drawn, trial, budget)
        child.tell("end", **end.to_json())
        if any(fault.kind == "memory" for fault in end.verdict.faults):
            return  # what is held now isn't given back


def _run_case(child: Child, case: Case, drawn: Seed, trial: Trial, budget: int) -> CaseEnd:
    folder = child.place / "case"
    folder.mkdir()
    file = folder / drawn.name
    file.write_bytes(drawn.data)
    start, cpu, messages = time.perf_counter(), used_cpu(), _size(child.place / "stderr")
    reset_peak_memory()
    allowance = Budget(budget, lambda seconds: child.tell("allow", seconds=seconds))
    verdict = _try(trial, case, file, allowance)
    peak = max(peak_memory(), children_peak())
    faults = [*verdict.faults, *_judge_memory(peak, budget), *_judge_message(verdict)]
    faults += _judge_folder(folder, file, child.place / "tmp")
    faults += _judge_noise(child.place / "stderr", messages)
    shutil.rmtree(folder, ignore_errors=True)
    seconds, used = time.perf_counter() - start, used_cpu() - cpu
    return CaseEnd(case.number, replace(verdict, faults=tuple(faults)), peak, seconds, used)


def _try(trial: Trial, case: Case, file: Path, budget: Budget) -> Verdict:
    try:
        return trial(case.dice("trial"), file, budget)
    except MemoryError as error:
        return Verdict("shortage", faults=(Fault("shortage", sign(error), traceback.format_exc()),))
    except SubpixelError as error:
        return Verdict("refused", str(error))
    except BaseException as error:
        return Verdict(
            "exception", faults=(Fault("exception", sign(error), traceback.format_exc()),)
        )


def _judge_memory(peak: int, budget: int) -> list[Fault]:
    if peak <= budget * TOLERANCE:
        return []
    return [Fault("memory", "over the budget", f"{peak >> 20} MB of {budget >> 20} MB")]


def _judge_message(verdict: Verdict) -> list[Fault]:
    lower = verdict.detail.lower()
    is_called_damaged = "damaged" in lower  # the decoder's own words may follow
    if verdict.word == "refused" and any(words in lower for words in SHORTAGE) > is_called_damaged:
        return [Fault("shortage", sign_text(verdict.detail), verdict.detail)]
    return []


def _judge_folder(folder: Path, file: Path, temporary: Path) -> list[Fault]:
    """Files that lie beside the input and the result, or among the temporary ones."""
    strange = [f for f in folder.iterdir() if f != file and f.stem != "result"]
    strange += list(temporary.iterdir())
    for path in strange:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return [Fault("leftover", sign_text(path.name), path.name) for path in strange]


def _judge_noise(file: Path, start: int) -> list[Fault]:
    sys.stderr.flush()
    with file.open("rb") as stream:
        stream.seek(start)
        text = stream.read(1 << 16).decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line and not line.startswith("subpixel: ")]
    return [Fault("noise", sign_text(lines[0]), "\n".join(lines[:40]))] if lines else []


def _size(file: Path) -> int:
    return file.stat().st_size


def used_cpu() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def reset_peak_memory() -> None:
    """proc(5), clear_refs: 5 sets the peak to what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Most bytes that were held since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


def children_peak() -> int:
    """Of any child so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
