"""Where the files of the reference's network lie that networks.py makes."""

from dataclasses import dataclass
from pathlib import Path

SCALE = 3
CHECKED = 128
"""Side of the picture on which results are compared."""


@dataclass(frozen=True)
class Files:
    """Where the files lie; all are made from ``checkpoint``."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        return self.folder / "network.pth"

    @property
    def luma(self) -> Path:
        """One channel, as the reference exports it: traced, opset 10."""
        return self.folder / "luma.onnx"

    @property
    def luma_new(self) -> Path:
        """One channel, by today's exporter: the sub-pixel convolution's end is one operator."""
        return self.folder / "luma-new.onnx"

    @property
    def luma_int8(self) -> Path:
        return self.folder / "luma-int8.onnx"

    @property
    def rgb(self) -> Path:
        """What ``subpixel export`` makes."""
        return self.folder / "rgb.onnx"

    @property
    def rgb_int8(self) -> Path:
        """What ``subpixel quantize`` makes of that."""
        return self.folder / "rgb-int8.onnx"

    @property
    def tuned(self) -> Path:
        """The user's cache for rows that are tuned; the others have an empty one."""
        return self.folder / "tuned"

    @property
    def expected(self) -> Path:
        """PyTorch's luma of the photograph of side ``CHECKED``, ``(H, W)``, for NumPy."""
        return self.folder / "expected.npy"

    @property
    def ncnn_parameters(self) -> Path:
        return self.folder / "luma.param"

    @property
    def ncnn_weights(self) -> Path:
        return self.folder / "luma.bin"
