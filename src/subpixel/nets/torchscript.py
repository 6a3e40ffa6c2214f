"""TorchScript archives: programs, run by PyTorch's interpreter to compare with, never unpickled.

An archive's code is TorchScript's own small language; ``torch.jit.load`` reads it without running
Python's pickle. Still it is somebody else's program, so only comparisons load it.
"""

import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

from subpixel.errors import CheckpointError, NetworkError, one_line
from subpixel.nets.architecture import Checkpoint
from subpixel.nets.checkpoints.containers import is_program
from subpixel.nets.factory import probed


def is_torchscript(file: Path) -> bool:
    """Whether ``file`` is an archive of TorchScript, whatever it is called."""
    try:
        with zipfile.ZipFile(file) as archive:
            return is_program(archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


def load_torchscript(file: Path) -> Checkpoint:
    """The network in an archive, with the facts that running it shows.

    Raises :class:`~subpixel.errors.CheckpointError` for an archive that can't be read, or whose
    program is no super-resolution network.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated, which is for its makers
            module: nn.Module = torch.jit.load(file, map_location="cpu")  # type: ignore[no-untyped-call]
        return probed(module, file.name)
    except NetworkError as error:
        raise CheckpointError(f"{file}: {error}") from error
    except Exception as error:  # RuntimeError of many kinds
        raise CheckpointError(
            f"{file}: is no TorchScript archive that PyTorch can read: {one_line(error)}"
        ) from error
