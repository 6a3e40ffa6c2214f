"""A PyTorch module as a NetOp."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from subpixel.runtime.op import Pixels

Module = nn.Module
"""For the rooms above, which handle PyTorch's modules without knowing PyTorch."""


@dataclass(frozen=True, eq=False)
class TorchOp:
    """Runs ``module``, which must be in eval mode and on the CPU. PyTorch's threads stay as set."""

    module: Module

    def __call__(self, pixels: Pixels, /) -> Pixels:
        # A copy: some networks (RCAN's mean shift) change their input in place.
        pixels = np.array(pixels, dtype=np.float32)
        with torch.inference_mode():
            result: Pixels = self.module(torch.from_numpy(pixels)).float().numpy()
        return result


def rounding_noise(module: Module, pixels: Pixels) -> float:
    """How far float32's rounding moves ``module``'s result: the largest difference from float64.

    0 where the module's code is for float32 alone.
    """
    double = copy.deepcopy(module).double()
    try:
        with torch.inference_mode():
            exact = double(torch.from_numpy(pixels.astype(np.float64))).numpy()
    except RuntimeError:  # two dtypes meet in its code
        return 0.0
    return float(np.abs(TorchOp(module)(pixels) - exact).max(initial=0.0))
