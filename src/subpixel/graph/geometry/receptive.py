"""The exact receptive field of a network's graph: its halo, its scale and its size multiple."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from subpixel.graph.geometry.lines import Line, NotLocalError
from subpixel.graph.geometry.propagate import picture_inputs, propagate
from subpixel.graph.geometry.tensors import PictureTensor, Tensor, UnknownTensor


@dataclass(frozen=True)
class Reach:
    """The geometry of a local network."""

    scale: int
    halo: int
    """The smallest number such that every output pixel ``o`` depends only on input pixels at most
    this far, in both directions, from the input pixel ``o // scale``."""
    size_multiple: int
    """Heights, widths and the offsets of tiles must be multiples of this."""


def find_reach(model: onnx.ModelProto) -> Reach | None:
    """The geometry of ``model``, from its graph alone; None when it isn't local.

    Not local are attention, global pooling and normalisation over the picture, and all graphs that
    can't be followed: with an operator that has no rule, or an output that isn't the input enlarged
    by a whole number. Channels are not tracked individually, and weights that are zero count.

    For a network whose layers shift the picture back and forth, the halo also covers samples that
    would fall off a tile's edge in between.
    """
    try:
        return _reach(model)
    except NotLocalError:
        return None


def halo(model: onnx.ModelProto, multiple: int | None = None) -> int | None:
    """Input pixels around an output pixel that can change it; None when the network isn't local.

    Heights and widths are multiples of ``multiple``, by default the graph's size multiple. Where
    they need not be multiples of that, the dependencies of a pixel change with the picture's size
    (a U-Net then resizes by other ratios): such a network isn't local.
    """
    reach = find_reach(model)
    if reach is None or (multiple or reach.size_multiple) % reach.size_multiple:
        return None
    return reach.halo


def size_multiple(model: onnx.ModelProto) -> int | None:
    """The number of which height and width must be multiples; None when the network isn't local.

    More than 1 where the network works below the input's resolution (pixel unshuffle, strides).
    """
    reach = find_reach(model)
    return reach.size_multiple if reach else None


def _reach(model: onnx.ModelProto) -> Reach:
    tensors = propagate(model)
    before, after = (_lines(tensors, ends) for ends in (picture_inputs(model), model.graph.output))
    scales = {line.scale for line in after}
    enlarged = [old.fixed and old.fixed * new.scale for old, new in zip(before, after, strict=True)]
    if len(scales) != 1 or enlarged != [line.fixed for line in after]:
        raise NotLocalError("the output is not the input enlarged by one number")
    return Reach(
        scale=int(scales.pop()),
        halo=max(line.halo for line in after),
        size_multiple=math.lcm(*(line.advance for line in after)),
    )


def _lines(tensors: Mapping[str, Tensor], ends: Sequence[onnx.ValueInfoProto]) -> tuple[Line, Line]:
    """Height and width of the only input, or output."""
    tensor = tensors[ends[0].name] if len(ends) == 1 else UnknownTensor(f"there are {len(ends)}")
    if not isinstance(tensor, PictureTensor):
        raise NotLocalError(tensor.reason if isinstance(tensor, UnknownTensor) else "is no picture")
    _, height, width = tensor.picture_axes()
    return height, width
