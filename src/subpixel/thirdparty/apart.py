"""A third-party file is identified in a process of its own, with limits of time and memory: its
graph may never end, or fill the memory, and no thread of a runtime can be stopped from outside."""

import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from subpixel.convention import Convention
from subpixel.errors import NetworkError, SubpixelError, UsageError
from subpixel.spec import ModelSpec, spec_from_metadata
from subpixel.strict_json import JsonError, parse_json, read_value
from subpixel.system.machine_memory import free_memory
from subpixel.system.processes.children import run_child

TIME_LIMIT = 600.0
"""Seconds; window networks of some hundred layers take a minute on two cores."""

MEMORY_SHARE = 0.5
"""Of the memory that is free, what the process may take."""

PROBE_CHILD = "subpixel.thirdparty.child"
"""The module that runs as the child."""

SHORTAGES = ("cannot allocate memory", "std::bad_alloc")
"""Last words of a process that ends where memory is refused: of the C library, of C++."""

JOB, ANSWER, MODEL = "job.pickle", "answer.json", "network.onnx"
"""The files in the folder that both processes share."""


@dataclass(frozen=True)
class ProbeLimits:
    """What identifying may take."""

    seconds: float
    memory: int
    """Bytes beside what the process holds at its start."""


@dataclass(frozen=True)
class ProbeAnswer:
    """What the child found, as JSON."""

    facts: Mapping[str, str]
    """:meth:`~subpixel.spec.ModelSpec.to_metadata`; empty where there is an error."""
    remark: str
    unchanged: bool
    """Whether the file can be opened as it is; else the converted one is beside the answer."""
    error: str | None = None
    is_usage: bool = False
    """Whether the error is a :class:`UsageError`."""


@dataclass(frozen=True)
class ProbeVerdict:
    """A third-party file identified."""

    spec: ModelSpec
    remark: str
    content: bytes | None
    """The converted file; None where it can be opened as it is."""


def default_limits() -> ProbeLimits:
    """A time that no network needs, and half of the memory that is free."""
    return ProbeLimits(TIME_LIMIT, int(MEMORY_SHARE * free_memory()))


def identify_apart(
    file: Path, name: str, convention: Convention, limits: ProbeLimits | None = None
) -> ProbeVerdict:
    """Find out what a third-party file is, in a process of its own.

    Raises :class:`NetworkError` for a file that is no super-resolution network, crashes the
    process or goes beyond ``limits`` (None: :func:`default_limits`), and :class:`UsageError` for a
    ``convention`` that it can't have.
    """
    limits = limits or default_limits()
    with tempfile.TemporaryDirectory(prefix="subpixel-probe-") as place:
        folder = Path(place)
        (folder / JOB).write_bytes(pickle.dumps((str(file.absolute()), name, convention, limits)))
        _run(folder, limits)
        return _read_verdict(folder)


def _run(folder: Path, limits: ProbeLimits) -> None:
    try:
        end = run_child([sys.executable, "-m", PROBE_CHILD, str(folder)], folder, limits.seconds)
    except subprocess.TimeoutExpired as error:
        raise NetworkError(
            f"it did not end within {limits.seconds:g} s on small pictures, so it was stopped; it "
            "is no network for pictures"
        ) from error
    if not (folder / ANSWER).exists():
        is_short = any(words in end.last_line for words in SHORTAGES)
        told = tell_shortage(limits) if is_short else f"ONNX Runtime {end.describe()}"
        raise NetworkError(f"{told}; it can't be used")


def tell_shortage(limits: ProbeLimits) -> str:
    """In words, that the memory of ``limits`` is too little."""
    needs = f"it needs more than {limits.memory / 1e9:.1f} GB of memory on small pictures"
    return f"{needs}, half of what is free"


def _read_verdict(folder: Path) -> ProbeVerdict:
    try:
        answer = read_value(parse_json((folder / ANSWER).read_bytes()), ProbeAnswer, "the answer")
    except (OSError, JsonError) as error:  # the file's own code may have written it
        raise NetworkError(f"the process that ran it answers no facts: {error}") from error
    if answer.error is not None:
        raise (UsageError if answer.is_usage else NetworkError)(answer.error)
    spec = spec_from_metadata(answer.facts)
    if spec is None:
        raise NetworkError("the process that ran it answers no facts")
    content = None if answer.unchanged else (folder / MODEL).read_bytes()
    return ProbeVerdict(spec, answer.remark, content)


def write_answer(folder: Path, answer: ProbeAnswer) -> None:
    """For the child: leave ``answer`` in the folder."""
    (folder / ANSWER).write_text(json.dumps(asdict(answer)), "utf-8")


def to_answer(error: SubpixelError) -> ProbeAnswer:
    """For the child: an error as an answer."""
    return ProbeAnswer(
        {}, "", unchanged=True, error=str(error), is_usage=isinstance(error, UsageError)
    )
