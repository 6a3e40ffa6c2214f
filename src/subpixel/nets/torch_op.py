"""A PyTorch module as a NetOp."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from subpixel.errors import NetworkError, one_line
from subpixel.runtime.op import Pixels

Module = nn.Module
"""For the packages above, which pass PyTorch's modules on without importing PyTorch."""

OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "bad_alloc",
    "not enough memory",
    "out of memory",
    "could not create a primitive",  # oneDNN, for the code of a convolution
)
"""What PyTorch's exceptions say where memory was refused."""


@dataclass(frozen=True, eq=False)
class TorchOp:
    """Runs ``module``, which must be in eval mode and on the CPU, with PyTorch's current
    threads. Raises :class:`MemoryError` where the system has no memory for it."""

    module: Module

    def __call__(self, pixels: Pixels, /) -> Pixels:
        # A copy: some networks (RCAN's mean shift) modify their input in place.
        pixels = np.array(pixels, dtype=np.float32)
        try:
            with torch.inference_mode():
                result: Pixels = self.module(torch.from_numpy(pixels)).float().numpy()
        except RuntimeError as error:
            if is_torch_out_of_memory(error):
                raise MemoryError(one_line(error)) from error
            raise
        return result


@dataclass(frozen=True, eq=False)
class ExactOp:
    """Runs ``module`` in float64: its result without the rounding of float32.

    Raises :class:`~subpixel.errors.NetworkError` where its code supports only float32, and
    :class:`MemoryError` where the system has no memory for it.
    """

    module: Module

    def __call__(self, pixels: Pixels, /) -> NDArray[np.float64]:
        module = copy.deepcopy(self.module).double()
        try:
            with torch.inference_mode():
                exact = module(torch.from_numpy(pixels.astype(np.float64)))
        except RuntimeError as error:  # its code mixes dtypes
            if is_torch_out_of_memory(error):
                raise MemoryError(one_line(error)) from error
            raise NetworkError(f"it does not run in float64: {one_line(error)}") from error
        result: NDArray[np.float64] = exact.double().numpy()
        return result


def is_torch_out_of_memory(error: Exception) -> bool:
    """Whether a network failed for want of memory: PyTorch's own allocator, oneDNN's, C++'s and
    Python's say so in different words."""
    text = str(error)
    return isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY)
