"""TorchScript archives: programs that PyTorch's interpreter runs for comparisons, never unpickled.

An archive's code is in TorchScript's own language; ``torch.jit.load`` reads it without Python's
pickle. It is still third-party code, so only comparisons load it.
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
    """Whether ``file`` is a TorchScript archive, whatever its name."""
    try:
        with zipfile.ZipFile(file) as archive:
            return is_program(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


class Program(nn.Module):
    """The program in an archive, whose bytes are ``data``, as a module that can be copied."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated
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
