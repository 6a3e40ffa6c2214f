"""NetOp: the one seam between pixels and networks."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""float32 NCHW, 0 … 1."""

Samples = NDArray[Any]
"""A picture's own numbers: ``(H, W, C)`` of its dtype."""


class NetOp(Protocol):
    """A network as a function: ``(N, C, H, W)`` → ``(N, C, H * scale, W * scale)``.

    Pixels are float32 in 0 … 1; the result may overshoot that range. The input is left
    untouched. An ONNX Runtime session, a PyTorch module and a three-line fake in a test are
    all NetOps.
    """

    def __call__(self, pixels: Pixels, /) -> Pixels: ...
