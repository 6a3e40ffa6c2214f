"""Export in a separate process: some networks crash an exporter, or make it hang."""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import cloudpickle
import onnx
from torch import nn
from torch.jit import ScriptModule

from subpixel.errors import ExportError, NetworkError, one_line
from subpixel.graph.metadata import read_spec
from subpixel.nets.export.attempt import Attempt
from subpixel.nets.export.export import ExportResult, export_attempt
from subpixel.spec import ModelSpec
from subpixel.system.processes.children import run_child
from subpixel.system.users_code import users_code

EXPORT_TIME_LIMIT = 900.0
"""The time limit of one attempt in seconds; window networks take up to 200 on two cores."""

CHILD = "subpixel.nets.export.child"
"""The module that runs as the child."""

JOB, MODEL, REASON = "job.pickle", "network.onnx", "reason.txt"
"""The files in the folder that both processes share."""


def export_apart(
    module: nn.Module,
    spec: ModelSpec,
    attempt: Attempt,
    opset: int,
    *,
    time_limit: float = EXPORT_TIME_LIMIT,
) -> ExportResult:
    """:func:`~subpixel.nets.export.export.export_attempt` in a new process of this Python.

    ``module`` may be of any class, even one defined in the running script. Raises
    :class:`ExportError` when the attempt fails, crashes, takes more than ``time_limit`` seconds, or
    when the module can't be pickled.
    """
    with tempfile.TemporaryDirectory(prefix="subpixel-export-") as name:
        folder = Path(name)
        _hand_over(folder, module, spec, attempt, opset)
        _start_process(folder, attempt, time_limit)
        model = onnx.load(folder / MODEL)
    completed = read_spec(model)
    assert completed is not None, "the attempt writes its facts into the model"
    return ExportResult(model, completed, attempt, opset)


def expect_sendable(module: nn.Module) -> None:
    """Raise :class:`ExportError` for a module that can't be sent to another process, before any
    attempt is made."""
    try:
        _pickle((module,))
    except ExportError as error:
        raise _find_torchscript(module) or error from error.__cause__


def expect_float(module: nn.Module) -> None:
    """Raise :class:`ExportError` for a module that computes with PyTorch's own quantised layers,
    whose operators no exporter knows."""
    for name, part in module.named_modules():
        package, *rest = type(part).__module__.split(".")
        if package == "torch" and "quantized" in rest:
            raise ExportError(
                f"the network is quantised already ({name or 'all of it'} is a "
                f"{type(part).__name__} of PyTorch's), which can't be exported; export the float "
                "module that it was made from, and make fewer bits of the file: subpixel quantize"
            )


def _find_torchscript(module: nn.Module) -> ExportError | None:
    """What to say of a module that is TorchScript, or contains any; None for others."""
    names = [name for name, each in module.named_modules() if isinstance(each, ScriptModule)]
    if not names:
        return None
    kind = f"contains TorchScript, at {names[0]}," if names[0] else "is TorchScript,"
    return ExportError(
        f"the network {kind} which can't be exported; take the torch.nn.Module that it was made "
        "from, before torch.jit.script or torch.jit.trace"
    )


def _pickle(job: tuple[object, ...]) -> bytes:
    try:
        with users_code():
            return bytes(cloudpickle.dumps(job))
    except Exception as error:  # pickling raises almost anything
        raise ExportError(
            f"the network can't be sent to another process ({type(error).__name__}: "
            f"{one_line(error)}); build it from plain nn.Modules, without locks, open files or "
            "connections among its attributes (in Python, subpixel.export with isolated=False "
            "exports it in this process)"
        ) from error


def _hand_over(
    folder: Path, module: nn.Module, spec: ModelSpec, attempt: Attempt, opset: int
) -> None:
    job = _pickle((module, spec, attempt, opset))
    (folder / JOB).write_bytes(pickle.dumps(sys.path) + job)


def _start_process(folder: Path, attempt: Attempt, time_limit: float) -> None:
    try:
        end = run_child([sys.executable, "-m", CHILD, str(folder)], folder, time_limit)
    except subprocess.TimeoutExpired as error:
        raise ExportError(
            f"the exporter {attempt.exporter} was stopped after {time_limit:g} s, the time limit"
        ) from error
    if (folder / REASON).exists():
        raise ExportError((folder / REASON).read_text("utf-8"))
    if end.code or not (folder / MODEL).exists():  # code may end a process as if all were well
        raise ExportError(f"the exporter {attempt.exporter} {end.describe()}")


def run_job(folder: Path) -> None:
    """Run the job in ``folder``, in the other process, and leave a model or a reason there."""
    try:
        with (folder / JOB).open("rb") as stream:
            module, spec, attempt, opset = _unpickle(stream)
        onnx.save(export_attempt(module, spec, attempt, opset).model, folder / MODEL)
    except NetworkError as error:
        (folder / REASON).write_text(str(error), "utf-8")


def _unpickle(stream: BinaryIO) -> tuple[nn.Module, ModelSpec, Attempt, int]:
    """The job, for which the modules of its classes are imported. Raises :class:`ExportError` where
    that fails."""
    sys.path[:] = pickle.load(stream)
    try:
        with users_code():
            module, spec, attempt, opset = pickle.load(stream)
    except Exception as error:  # users' code, which raises anything
        raise ExportError(
            f"the network can't be taken up by another process ({type(error).__name__}: "
            f"{one_line(error)}); its modules must be importable there (in Python, "
            "subpixel.export with isolated=False exports it in this process)"
        ) from error
    return module, spec, attempt, opset
