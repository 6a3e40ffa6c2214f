"""All conversions of a third-party graph to subpixel's convention, in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import onnx
from onnx import TensorProto

from subpixel.convention import UNIT_RANGE, ChannelOrder, TensorLayout, ValueRange
from subpixel.graph.adopt.border import Border, with_border
from subpixel.graph.adopt.channel_order import with_rgb
from subpixel.graph.adopt.ends import with_inputs_set, with_output
from subpixel.graph.adopt.frame import picture_input
from subpixel.graph.adopt.layout import with_nchw
from subpixel.graph.adopt.sample_type import with_float32
from subpixel.graph.adopt.value_range import with_unit_range
from subpixel.graph.passes.opset import at_opset

ADOPT_OPSET = 13
"""The opset that the added nodes need."""

Model: TypeAlias = onnx.ModelProto


@dataclass(frozen=True)
class Wrapping:
    """Everything in which a third-party network differs from subpixel's convention; pairs are of
    input and output."""

    layouts: tuple[TensorLayout, TensorLayout]
    ranges: tuple[ValueRange, ValueRange]
    orders: tuple[ChannelOrder, ChannelOrder]
    border: Border
    scale: int
    channels: int
    size_multiple: int
    fixed_batch: int | None


def with_one_picture(model: Model, inputs: Mapping[str, float], output: str | None) -> Model:
    """A copy with the further inputs set and, where ``output`` names one, only that output."""
    bare = with_inputs_set(model, inputs)
    return bare if output is None else with_output(bare, output)


def is_ordinary(model: Model, wrapping: Wrapping) -> bool:
    """Whether ``model`` follows subpixel's convention without any change."""
    ends = (picture_input(model), *model.graph.output)
    kinds = {end.type.tensor_type.elem_type for end in ends}
    return (
        len(ends) == 2
        and kinds == {TensorProto.FLOAT}
        and wrapping.layouts == ("nchw", "nchw")
        and wrapping.ranges == (UNIT_RANGE, UNIT_RANGE)
        and wrapping.orders == ("rgb", "rgb")
        and not wrapping.border
    )


def wrap_model(model: Model, wrapping: Wrapping) -> Model:
    """``model``, of one input and one output, as float32 NCHW in 0 … 1, RGB or luma.

    From the inside out: type, layout, range, order, border. Raises
    :class:`~subpixel.errors.NetworkError` where the graph can't be brought to opset 13.
    """
    ordinary = with_float32(at_opset(model, ADOPT_OPSET, "adopting it"))
    input_nhwc, output_nhwc = (layout == "nhwc" for layout in wrapping.layouts)
    ordinary = with_nchw(ordinary, input_nhwc=input_nhwc, output_nhwc=output_nhwc)
    ordinary = with_unit_range(ordinary, *wrapping.ranges)
    ordinary = with_rgb(ordinary, *wrapping.orders)
    if wrapping.border:
        ordinary = with_border(ordinary, wrapping.scale, wrapping.border, wrapping.size_multiple)
    _declare_axes(ordinary, wrapping)
    return ordinary


def read_fixed_size(model: Model) -> tuple[int, int] | None:
    """Height and width of an NCHW input, where both are fixed."""
    height, width = (dim.dim_value for dim in _dims(picture_input(model))[2:])
    return (height, width) if height and width else None


def _dims(end: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    return list(end.type.tensor_type.shape.dim)


def _declare_axes(model: Model, wrapping: Wrapping) -> None:
    """Declare the axes as in subpixel's files: by number where fixed, by name where free."""
    source, result = picture_input(model), model.graph.output[0]
    larger = "" if wrapping.scale == 1 else f"{wrapping.scale}*"
    sides: list[int | str] = []
    larger_sides: list[int | str] = []
    for dim, name in zip(_dims(source)[2:], ("height", "width"), strict=True):
        sides.append(dim.dim_value or name)
        larger_sides.append(dim.dim_value * wrapping.scale or larger + name)
    for end, lengths in ((source, sides), (result, larger_sides)):
        shape = [wrapping.fixed_batch or "batch", wrapping.channels, *lengths]
        end.CopyFrom(onnx.helper.make_tensor_value_info(end.name, TensorProto.FLOAT, shape))
