"""The sliding window of convolution and pooling, along one axis."""

from collections.abc import Iterable
from dataclasses import dataclass

from subpixel.graph.geometry.lines import Line


@dataclass(frozen=True)
class KernelWindow:
    """Taps ``stride * o - before + dilation * j``, ``0 ≤ j < taps``, for output sample ``o``."""

    taps: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def extent(self) -> int:
        return (self.taps - 1) * self.dilation + 1

    def same(self, length: int, *, more_after: bool) -> "KernelWindow":
        """The window with ONNX's ``auto_pad`` SAME_UPPER (``more_after``) or SAME_LOWER for an
        input length."""
        covered = (-(-length // self.stride) - 1) * self.stride + self.extent
        padding = max(covered - length, 0)
        half = padding // 2
        before = half if more_after else padding - half
        return KernelWindow(self.taps, self.stride, self.dilation, before, padding - before)

    def slide(self, line: Line) -> Line:
        """The axis after a convolution or a pooling with this window."""
        return line.through(self._read, self._length, (self.stride, 1))

    def spread(self, line: Line, output_padding: int) -> Line:
        """The axis after a transposed convolution, which spreads each sample over the window."""

        def length(n: int) -> int:
            padding = self.before + self.after - output_padding
            return self.stride * (n - 1) + self.extent - padding

        return line.through(self._written_by, length, (1, self.stride))

    def _length(self, n: int) -> int:
        return (n + self.before + self.after - self.extent) // self.stride + 1

    def _read(self, o: int) -> Iterable[int]:
        begin = o * self.stride - self.before
        return range(begin, begin + self.extent, self.dilation)

    def _written_by(self, o: int) -> Iterable[int]:
        ends = (o + self.before - tap * self.dilation for tap in range(self.taps))
        return [end // self.stride for end in ends if end % self.stride == 0]
