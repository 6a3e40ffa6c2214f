"""An export in a process of its own: what it hands over, and how it ends."""

import os
import pickle
import signal
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import ExportError
from subpixel.nets.export.attempt import Attempt
from subpixel.nets.export.child_process import JOB, REASON, export_apart, run_job
from subpixel.nets.export.export import export_attempt
from subpixel.spec import ModelSpec

SPEC = ModelSpec("small", 2, "rgb", "rgb")
TRACE = Attempt("trace", (1, 51, 67))


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))


@pytest.mark.slow
def test_it_is_the_same_file_as_in_this_process() -> None:
    module = net()
    apart = export_apart(module, SPEC, TRACE, 18)
    here = export_attempt(module, SPEC, TRACE, 18)
    assert apart.model.SerializeToString() == here.model.SerializeToString()
    assert (apart.spec, apart.attempt, apart.opset) == (here.spec, here.attempt, here.opset)


@pytest.mark.slow
def test_a_class_of_this_very_function_goes_too() -> None:
    class Local(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return nn.functional.interpolate(pixels, scale_factor=2.0)

    assert export_apart(Local(), SPEC, TRACE, 18).spec.halo is not None


class Dying(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        os.kill(os.getpid(), signal.SIGSEGV)
        return pixels


class Endless(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        time.sleep(600)
        return pixels


class Leaving(nn.Module):
    def forward(self, _: Tensor) -> Tensor:
        os._exit(3)


class Failing(nn.Module):
    def forward(self, _: Tensor) -> Tensor:
        raise ValueError("no picture\nlikes me")


ENDING = "its code asks for the end of the process (SystemExit: 0)"


class Ending(nn.Module):
    def forward(self, _: Tensor) -> Tensor:
        sys.exit(0)


class Vanishing(nn.Module):
    def forward(self, _: Tensor) -> Tensor:
        os._exit(0)


class Arrival:
    """Can be sent, and not received."""

    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, (0,)


def arriving() -> nn.Module:
    module = net()
    module.arrival = Arrival()  # type: ignore[assignment]
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Dying(), "the exporter trace crashed on this network: Segmentation fault"),
        (Leaving(), "the exporter trace ended with exit code 3"),
        (Failing(), "the exporter trace failed on this network: no picture likes me"),
        (Ending(), f"the exporter trace failed on this network: {ENDING}"),
        (Vanishing(), "the exporter trace ended with exit code 0"),
    ],
)
def test_how_it_ends(module: nn.Module, message: str) -> None:
    with pytest.raises(ExportError) as caught:
        export_apart(module, SPEC, TRACE, 18)
    assert str(caught.value) == message


@pytest.mark.slow
def test_it_is_stopped_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(ExportError, match="trace was stopped after 5 s, the time limit"):
        export_apart(Endless(), SPEC, TRACE, 18, time_limit=5)
    assert time.monotonic() - began < 300


def test_a_module_that_cannot_leave_this_process_is_named() -> None:
    module = net()
    module.generator = (number for number in range(3))
    with pytest.raises(ExportError, match=r"can't be sent to another process \(.*generator"):
        export_apart(module, SPEC, TRACE, 18)


@pytest.mark.slow
def test_the_weights_arrive() -> None:
    module = net()
    found = export_apart(module, SPEC, TRACE, 18).model.graph.initializer
    weights = {p.detach().numpy().tobytes() for p in module.parameters()}
    assert weights <= {bytes(tensor.raw_data) for tensor in found} | {
        np.frombuffer(tensor.raw_data, np.float32).tobytes() for tensor in found
    }


def test_a_module_that_ends_the_other_process_is_a_failure(tmp_path: Path) -> None:
    job = cloudpickle.dumps((arriving(), SPEC, TRACE, 18))
    (tmp_path / JOB).write_bytes(pickle.dumps(sys.path) + job)
    run_job(tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.name != JOB] == [REASON]
    assert "by another process (AskedToEndError: its code asks" in (tmp_path / REASON).read_text()
