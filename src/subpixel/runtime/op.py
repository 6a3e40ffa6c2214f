"""NetOp, the interface between pixels and networks, and CodeOp, the same for 8-bit pictures."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""float32 NCHW, 0 … 1."""

Codes = NDArray[np.uint8]
"""uint8 NHWC: a picture's 8-bit code values."""

Samples = NDArray[Any]
"""A picture's samples: ``(H, W, C)`` of its own dtype."""


class NetOp(Protocol):
    """A network as a function: ``(N, C, H, W)`` → ``(N, C, H * scale, W * scale)``.

    Pixels are float32 in 0 … 1; the result may overshoot that range. The input is not modified. An
    ONNX Runtime session, a PyTorch module and a three-line fake in a test are all NetOps.
    """

    def __call__(self, pixels: Pixels, /) -> Pixels: ...


class Probeable(NetOp, Protocol):
    """An op with a declared input shape: a session, or a PyTorch module wrapped as one."""

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """NCHW: a number where fixed, a name or None where free."""
        ...


class CodeOp(Protocol):
    """A network on 8-bit pictures: ``(N, H, W, 3)`` → ``(N, H * scale, W * scale, 3)``, RGB.

    The input is not modified.
    """

    def __call__(self, codes: Codes, /) -> Codes: ...
