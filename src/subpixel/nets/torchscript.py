"""TorchScript archives: programs, run by PyTorch's interpreter to compare with, never unpickled.

An archive's code is TorchScript's own small language; ``torch.jit.load`` reads it without running
Python's pickle. Still it is somebody else's program, so only comparisons load it.
"""

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError, NetworkError, one_line
from subpixel.nets.architectures.architecture import Checkpoint
from subpixel.nets.checkpoints.containers import is_program
from subpixel.nets.factory import probe_module


def is_torchscript(file: Path) -> bool:
    """Whether ``file`` is an archive of TorchScript, whatever it is called."""
    try:
        with zipfile.ZipFile(file) as archive:
            return is_program(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


class Program(nn.Module):
    """The program in an archive, ``data`` its bytes, as a module that can be copied."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated, which is for its makers
            self.net: nn.Module = torch.jit.load(io.BytesIO(data), map_location="cpu")  # type: ignore[no-untyped-call]

    def forward(self, pictures: Tensor) -> Tensor:
        result: Tensor = self.net(pictures)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> "Program":
        return Program(self.data).train(self.training)


def load_torchscript(file: Path) -> Checkpoint:
    """The network in an archive, with the facts that running it shows.

    Raises :class:`~subpixel.errors.CheckpointError` for an archive that can't be read, or whose
    program is no super-resolution network.
    """
    try:
        return probe_module(Program(file.read_bytes()), file.name)
    except NetworkError as error:
        raise CheckpointError(f"{file}: {error}") from error
    except Exception as error:  # RuntimeError of many kinds
        raise CheckpointError(
            f"{file}: is no TorchScript archive that PyTorch can read: {one_line(error)}"
        ) from error
