"""A network whose result lacks a border becomes one whose result has exactly ``scale`` times the
size."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx.helper import make_attribute

from subpixel.graph.adopt.frame import Chain, frame_model, picture_input
from subpixel.spec import next_multiple

TO_THE_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Border:
    """The border that is missing from a network's result, the same at every size, in result
    pixels."""

    top: int
    left: int
    height: int
    """Rows missing at the top and at the bottom together."""
    width: int

    def __bool__(self) -> bool:
        return self.height > 0 or self.width > 0


def with_border(
    model: onnx.ModelProto, scale: int, border: Border, multiple: int
) -> onnx.ModelProto:
    """A copy of ``model``, float32 NCHW, whose result is exactly ``scale`` times its input.

    The input is padded by repeating its edges, by multiples of ``multiple``, the network's size
    multiple, and the result is cropped.
    """
    down = _Axis.of(scale, border.top, border.height, multiple)
    across = _Axis.of(scale, border.left, border.width, multiple)

    def pad(chain: Chain) -> None:
        widths = [0, 0, down.before, across.before, 0, 0, down.after, across.after]
        mode = [make_attribute("mode", "edge")]
        chain.add("Pad", chain.constant(np.array(widths, np.int64)), attributes=mode)

    def crop(chain: Chain) -> None:
        bounds = [[down.start, across.start], [down.stop, across.stop], [2, 3]]
        chain.add("Slice", *(chain.constant(np.array(bound, np.int64)) for bound in bounds))

    result = frame_model(model, "border", pad, crop)
    _declare_sizes(result, down, across, scale)
    return result


@dataclass(frozen=True)
class _Axis:
    before: int
    """Input pixels added before the picture."""
    after: int
    start: int
    """Where the crop of the network's result begins."""
    stop: int
    """Where it ends, counted from the end."""

    @classmethod
    def of(cls, scale: int, offset: int, missing: int, multiple: int) -> "_Axis":
        before = next_multiple(offset, scale * multiple) // scale
        after = next_multiple(missing - offset, scale * multiple) // scale
        start = before * scale - offset
        surplus = (before + after) * scale - missing - start
        return cls(before, after, start, -surplus or TO_THE_END)


def _declare_sizes(model: onnx.ModelProto, down: _Axis, across: _Axis, scale: int) -> None:
    """Fixed input sizes shrink by the padding; the result's are ``scale`` times as large."""
    source = picture_input(model).type.tensor_type.shape.dim
    result = model.graph.output[0].type.tensor_type.shape.dim
    for axis, side in ((2, down), (3, across)):
        if source[axis].dim_value:
            source[axis].dim_value -= side.before + side.after
        if len(result) == 4:
            result[axis].Clear()
            if source[axis].dim_value:
                result[axis].dim_value = source[axis].dim_value * scale
