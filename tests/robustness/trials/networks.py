"""A network file is described and opened, and enlarges a small picture.

A third-party file is identified apart, in a process whose limits of time and memory are there to be
reached. Starting one takes seconds, so most cases fork this process instead and do there what the
child does.
"""

import json
import os
import resource
import signal
import traceback
from pathlib import Path

import numpy as np
from tests.robustness.case import Fault, Verdict
from tests.robustness.kinds import Budget, Trial
from tests.robustness.mutation.plain import Dice
from tests.robustness.signature import sign

from subpixel.cli.main import run
from subpixel.convention import UNKNOWN_CONVENTION
from subpixel.errors import NetworkError, SubpixelError
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import read_picture
from subpixel.media.photograph import photograph
from subpixel.network.identify import is_ort_file, read_declared_spec
from subpixel.system.processes.children import limit_memory
from subpixel.thirdparty import child
from subpixel.thirdparty.apart import ProbeLimits, identify_apart
from subpixel.upscaling.upscaler import Upscaler

COMMAND_SHARE = 0.03
APART_SHARE = 0.02
SECONDS_APART = 4
MEMORY_APART = 200 << 20

PICTURE = to_picture(np.random.default_rng(0).integers(0, 256, (15, 21, 3), np.uint8))


def open_trial() -> Trial:
    photograph()  # a fork can't decode it once a case before has written a picture
    return _try_network


def open_plain_trial() -> Trial:
    """Without the command line, and never in a process of its own."""
    photograph()
    return lambda dice, file, budget: _try_network_by(1.0, file, budget)


def _try_network(dice: Dice, file: Path, budget: Budget) -> Verdict:
    return _try_network_by(dice.random(), file, budget)


def _try_network_by(draw: float, file: Path, budget: Budget) -> Verdict:
    """``draw``, 0 … 1, says by which way."""
    budget.allow(2 * SECONDS_APART if draw < COMMAND_SHARE + APART_SHARE else SECONDS_APART)
    if draw < COMMAND_SHARE:
        return _by_command(file)
    try:
        declared = not is_ort_file(file) and read_declared_spec(file) is not None
        if declared:
            return _enlarge(file, budget.memory)
        if draw < COMMAND_SHARE + APART_SHARE:
            return _identify_apart(file)
    except SubpixelError as error:
        return Verdict("refused", str(error))
    return _identify_in_fork(file)


def _by_command(file: Path) -> Verdict:
    import subpixel.thirdparty.apart as apart

    apart.TIME_LIMIT = SECONDS_APART  # of a process that ends soon
    code = run(["info", str(file)])
    return Verdict({0: "ok", 1: "refused"}.get(code, f"exit {code}"), "by the command line")


def _enlarge(file: Path, memory: int) -> Verdict:
    """As a file that states its facts; all pixels are there, and are numbers."""
    upscaler = Upscaler(file, threads=1, tuning=False)
    if upscaler.spec.scale > 16:
        return Verdict("left", f"enlarges by {upscaler.spec.scale}")
    target = file.parent / "result.png"
    upscaler.file(PICTURE, target, max_memory=memory)
    shape = read_picture(target).frames.shape
    if shape[1:3] != tuple(upscaler.spec.scale * side for side in PICTURE.frames.shape[1:3]):
        return Verdict("ok", faults=(Fault("exception", "a result of another size"),))
    return Verdict("ok")


def _identify_apart(file: Path) -> Verdict:
    """In the process that is there for it."""
    try:
        identify_apart(
            file, file.stem, UNKNOWN_CONVENTION, ProbeLimits(SECONDS_APART, MEMORY_APART)
        )
    except NetworkError as error:
        word = "stopped" if "did not end within" in str(error) else "refused"
        return Verdict(word, str(error), _find_blame(str(error)))
    return Verdict("ok", "apart")


def _find_blame(message: str) -> tuple[Fault, ...]:
    """A fault of ours that passes for one of ONNX Runtime's."""
    ours = "ended with exit code 1" in message and "Error" in message
    return (Fault("exception", "apart: " + message.rpartition("code 1: ")[2][:80]),) if ours else ()


def _identify_in_fork(file: Path) -> Verdict:
    """As :mod:`subpixel.thirdparty.child` does it: crashes and limits concern that process."""
    place = file.parent / "answer"
    number = os.fork()
    if not number:
        _answer(file, place)
    _, status = os.waitpid(number, 0)
    if os.WIFSIGNALED(status):
        return Verdict("stopped", f"apart: {signal.Signals(os.WTERMSIG(status)).name}")
    if status:
        return Verdict("stopped", f"apart: exit {os.waitstatus_to_exitcode(status)}")
    word, detail, sign_ = json.loads(place.read_text())
    place.unlink()
    return Verdict(word, detail, (Fault("exception", sign_, detail),) if sign_ else ())


def _answer(file: Path, place: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the child says goes to a file of its own
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_APART, SECONDS_APART + 1))
    limit_memory(MEMORY_APART)
    try:
        answer = child._identify_file(file.parent, file, file.stem, UNKNOWN_CONVENTION)
        lines = ("ok", answer.remark, "")
        (file.parent / "network.onnx").unlink(missing_ok=True)
    except SubpixelError as error:
        lines = ("refused", str(error), "")
    except MemoryError:
        lines = ("stopped", "memory", "")
    except BaseException as error:
        lines = ("exception", traceback.format_exc(), sign(error))
    place.write_text(json.dumps(lines))
    os._exit(0)
