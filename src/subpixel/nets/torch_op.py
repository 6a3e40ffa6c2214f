"""A PyTorch module as a NetOp."""

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
