"""How far a network looks: the exact halo of its graph, its scale and the size it asks for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from subpixel.graph.geometry.lines import Line, NotLocalError
from subpixel.graph.geometry.propagate import picture_inputs, propagate
from subpixel.graph.geometry.tensors import PictureTensor, Tensor, UnknownTensor


@dataclass(frozen=True)
class Reach:
    """What a local network's graph says of its geometry."""

    scale: int
    halo: int
    """Every output pixel ``o`` depends only on input pixels at most this far, in both
    directions, from the input pixel ``o // scale``; and no smaller number would do."""
    size_multiple: int
    """Height and width, and where tiles begin, must be multiples of this."""


def find_reach(model: onnx.ModelProto) -> Reach | None:
    """The geometry of ``model``, from its graph alone; None when it isn't local.

    Not local: attention, global pooling, normalisation over the picture; and whatever isn't
    understood, be it an operator without a rule or an output that isn't the input enlarged by
    one whole number. Channels are not told apart, and weights that are zero count.

    For a network whose layers shift the picture to and fro, the halo also covers what falls off
    a tile's edge on the way.
    """
    try:
        return _reach(model)
    except NotLocalError:
        return None


def halo(model: onnx.ModelProto, multiple: int | None = None) -> int | None:
    """Input pixels around an output pixel that can change it; None when the network isn't local.

    ``multiple`` says of what heights and widths are multiples, by default of what the graph asks
    for. Where they needn't fit the graph's coarser grids, what a pixel depends on hangs on the
    picture's size (a U-Net then resizes by other ratios): such a network isn't local.
    """
    reach = find_reach(model)
    if reach is None or (multiple or reach.size_multiple) % reach.size_multiple:
        return None
    return reach.halo


def size_multiple(model: onnx.ModelProto) -> int | None:
    """What height and width must be a multiple of; None when the network isn't local.

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
