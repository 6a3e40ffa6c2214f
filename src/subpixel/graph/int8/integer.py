"""A network in 8-bit integers from end to end: 8-bit RGB in, 8-bit RGB out, no floating point.

Pictures are ``(N, H, W, 3)``. Luma goes through the network; RGB is interpolated along columns.
Both meet at low resolution, in one convolution for each row of sub-pixels, which interpolates along
rows, takes RGB's own luma away, and adds the network's. Its results are the rows of the large
picture, except for their order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.helper import make_attribute

from subpixel.graph.exact.clear_sums import clear_sums
from subpixel.graph.int8.calibrate import (
    PictureBatch,
    Statistics,
    collect_statistics,
)
from subpixel.graph.int8.carried_luma import take_out_luma
from subpixel.graph.int8.equalise import equalise_channels
from subpixel.graph.int8.flat_levels import (
    FlatShift,
    keeps_levels,
    measure_flat_errors,
    shift_flats,
)
from subpixel.graph.int8.kernels import (
    CHANNEL_BLOCK,
    COLOURS,
    FIRST_IN,
    FIRST_OUT,
    ROW,
    column_kernel,
    first_kernel,
    last_kernel,
    layer_kernel,
    luma_kernel,
    pad_channels,
    row_channels,
    row_kernel,
    shift_filters,
)
from subpixel.graph.int8.luma_chain import ConvolutionStep, LumaChain, SumStep, read_luma_chain
from subpixel.graph.int8.output_grid import (
    PICTURE_GRID,
    WHITE,
    OutputGrid,
    choose_output_grid,
    list_output_grids,
)
from subpixel.graph.int8.qdq import QuantGrid, Writer
from subpixel.graph.int8.rounding import round_layer
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.imaging.resample import BICUBIC_HALO, phase_weights

INTEGER_OPSET = 18
IR_VERSION = 8


def to_integer(model: onnx.ModelProto, calibration: Iterable[PictureBatch]) -> onnx.ModelProto:
    """The float32 luma network on RGB pictures ``model``, converted to 8-bit integers from end to
    end (:func:`~subpixel.graph.passes.wrap.rgb_from_luma`).

    Input and output are uint8, ``(N, H, W, 3)`` and ``(N, H * scale, W * scale, 3)``. Activations
    are quantised to their range on the pictures of ``calibration``, float32 ``(N, 3, H, W)`` in 0 …
    1, weights with one scale per output channel; these are rounded so that the layers' outputs for
    the pictures are preserved (:mod:`subpixel.graph.int8.rounding`). Luma that a channel carries to
    the last layer is added behind it (:mod:`subpixel.graph.int8.carried_luma`). Luma is rounded to
    8 bits before the network. Flat areas keep their level where ``model`` all but keeps it and the
    last layer's bias and steps can bring that about at little cost
    (:mod:`subpixel.graph.int8.flat_levels`). No
    sum of two codes lies where processors round differently (:mod:`subpixel.graph.exact.ties`). The
    facts in the file say ``int8``, and uint8 for its samples.

    The file is in ONNX's own operators; ONNX Runtime fuses them into its 8-bit convolutions. Raises
    :class:`~subpixel.errors.NetworkError` for a network that is not a chain of convolutions
    (:func:`~subpixel.graph.int8.luma_chain.read_luma_chain`), and where there is no picture.
    """
    spec, model = read_spec(model), take_out_luma(model)
    chain = read_luma_chain(model)
    statistics = collect_statistics(model, chain, calibration)
    result = clear_sums(_keep_flats(model, *equalise_channels(chain, statistics)))
    return (
        result
        if spec is None
        else with_spec(result, replace(spec, precision="int8", samples="uint8"))
    )


def _keep_flats(
    model: onnx.ModelProto, chain: LumaChain, statistics: Statistics
) -> onnx.ModelProto:
    """The network in integers, its last layer such that flat areas keep their level, where
    ``model`` all but keeps it."""
    bounds = statistics.range(chain.last.result)
    grids = list_output_grids(bounds, statistics.output, residual=chain.residual)
    output = choose_output_grid(grids)
    integer = _assemble_model(_Assembly(chain, statistics, output))
    if not keeps_levels(model, chain):
        return integer
    errors = measure_flat_errors(integer, chain)
    shift = shift_flats(errors, output.room, max(grid.room for grid in grids))
    if shift is None:
        return integer
    output = choose_output_grid(grids, shift.room)
    return _assemble_model(_Assembly(chain, statistics, output, shift))


def _assemble_model(assembly: "_Assembly") -> onnx.ModelProto:
    scale = assembly.scale
    assembly.picture()
    ends = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["batch", *sides, COLOURS])
        for name, sides in {
            "input": ["height", "width"],
            "output": [f"{scale}*height", f"{scale}*width"],
        }.items()
    ]
    writer = assembly.writer
    graph = helper.make_graph(writer.nodes, "integer", ends[:1], ends[1:], writer.parameters)
    opsets = [helper.make_opsetid("", INTEGER_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


@dataclass(frozen=True)
class _Widths:
    """Names of the tensors that hold numbers of columns."""

    picture: str
    padded: str
    """A multiple of the block size, and at least one more than the picture."""
    groups: str
    """The groups of four that contain the picture."""
    grouped: str
    """The pixels in these groups."""


def _widths(writer: Writer) -> _Widths:
    shape = writer.node("Shape", ["input"], "shape")
    picture = writer.cut(shape, "width", 0, 2, writer.whole(3))

    def whole(name: str, more: int, block: int) -> tuple[str, str]:
        sum_ = writer.node("Add", [picture, writer.whole(more)], name + "/sum")
        count = writer.node("Div", [sum_, writer.whole(block)], name + "/count")
        return count, writer.node("Mul", [count, writer.whole(block)], name)

    _, padded = whole("padded", 2 * CHANNEL_BLOCK - 1, CHANNEL_BLOCK)
    groups, grouped = whole("grouped", ROW - 1, ROW)
    return _Widths(picture, padded, groups, grouped)


class _Assembly:
    """Builds the graph, from the picture to the larger picture."""

    def __init__(
        self,
        chain: LumaChain,
        statistics: Statistics,
        output: OutputGrid,
        shift: FlatShift | None = None,
    ) -> None:
        self.writer, self._shift = Writer(), shift
        self._chain, self._shown = chain, statistics.moments
        ranges = {name: statistics.range(name) for name in statistics.low}
        self._widths = _widths(self.writer)
        self._channels: dict[str, int] = {}
        self._output = output
        self._grids = {name: _activation_grid(*bounds) for name, bounds in ranges.items()}
        self._grids[chain.last.result] = replace(output.grid, step=output.grid.step / WHITE)

    @property
    def scale(self) -> int:
        return self._chain.scale

    def picture(self) -> None:
        """Add all nodes."""
        writer, scale = self.writer, self._chain.scale
        luma = self._luma()
        for step in self._chain.steps:
            self._step(step, luma)
        centre = [self._centre(luma)] if self._chain.residual else []
        edges = self._pad_columns("edges", BICUBIC_HALO, BICUBIC_HALO, "edge")
        kernel = row_kernel(
            scale, self._output.share, self._output.grid.zero, residual=self._chain.residual
        )
        deep = self._deep()
        rows = []
        for row, taps in enumerate(phase_weights(scale)):
            parts = [*self._tall(edges, row, taps), *centre, self._deep_row(deep, row)]
            inputs = writer.join(parts, f"row{row}/parts", 3)
            pixels = writer.convolution(
                inputs, f"row{row}/filled", kernel, (PICTURE_GRID, PICTURE_GRID)
            )
            cropped = writer.cut(
                pixels, f"row{row}/kept", 3, 0, writer.whole(ROW * scale * COLOURS)
            )
            rows.append(writer.reshape(cropped, f"row{row}", 0, 0, 1, -1))
        self._interleave_rows(rows)

    def _luma(self) -> str:
        """``(N, H, padded / 16, 16)``, zero-padded as for the network."""
        writer = self.writer
        black = self._pad_columns("black", self._chain.first.size[1] // 2, 0, "constant")
        wide = writer.reshape(black, "black/wide", 0, 0, -1, CHANNEL_BLOCK * COLOURS)
        return writer.convolution(wide, "luma", luma_kernel(), (PICTURE_GRID, PICTURE_GRID))

    def _pad_columns(self, name: str, left: int, rows: int, mode: str) -> str:
        """The picture, its columns padded to whole blocks."""
        writer, widths = self.writer, self._widths
        before_right = writer.node("Add", [widths.picture, writer.whole(left)], name + "/taken")
        right = writer.node("Sub", [widths.padded, before_right], name + "/right")
        ends = [writer.whole(0, rows, left, 0, 0, rows), right, writer.whole(0)]
        pads = writer.join(ends, name + "/pads", 0)
        return writer.node("Pad", ["input", pads], name, make_attribute("mode", mode))

    def _step(self, step: ConvolutionStep | SumStep, luma: str) -> None:
        grid = self._grids[step.result]
        if isinstance(step, SumStep):
            grids = [self._grids[source] for source in step.sources]
            self.writer.add(step.sources, step.result, grids, grid)
            self._channels[step.result] = self._channels[step.sources[0]]
        elif step is self._chain.first:
            self._first(step, luma, grid)
        else:
            self._layer(step, grid)

    def _first(self, layer: ConvolutionStep, luma: str, grid: QuantGrid) -> None:
        writer, height = self.writer, layer.size[0]
        channels = self._channels[layer.result] = pad_channels(len(layer.weights))
        groups = writer.convolution(
            writer.reshape(luma, "luma/groups", 0, 0, -1, FIRST_IN),
            layer.result + "/groups",
            first_kernel(round_layer(layer, self._shown[layer.result], shift_filters)),
            (QuantGrid(1 / WHITE), grid),
            pads=(height // 2, 0),
            stride=FIRST_OUT // FIRST_IN,
        )
        pixels = writer.reshape(groups, layer.result + "/pixels", 0, 0, -1, channels)
        writer.cut(pixels, layer.result, 2, 0, self._widths.picture)

    def _layer(self, layer: ConvolutionStep, grid: QuantGrid) -> None:
        inputs, scale = self._channels[layer.source], self._chain.scale
        last, whole = layer is self._chain.last, round_layer(layer, self._shown[layer.result])
        if last and self._shift is not None:
            whole = replace(whole, bias=whole.bias + self._shift.shifts / WHITE)
        kernel = last_kernel(whole, inputs, scale) if last else layer_kernel(whole, inputs)
        self._channels[layer.result] = len(kernel.weights)
        grids = self._grids[layer.source], grid
        height, width = layer.size
        pads = height // 2, width // 2
        self.writer.convolution(layer.source, layer.result, kernel, grids, pads=pads)

    def _centre(self, luma: str) -> str:
        """Luma of the picture without its padding, in groups."""
        writer, left = self.writer, self._chain.first.size[1] // 2
        flat = writer.reshape(luma, "luma/flat", 0, 0, -1)
        stop = writer.node("Add", [self._widths.grouped, writer.whole(left)], "centre/stop")
        own = writer.cut(flat, "centre/flat", 2, left, stop)
        return writer.reshape(own, "centre", 0, 0, -1, ROW)

    def _deep(self) -> str:
        """The network's output, ``(N, rows of sub-pixels, H, W * sub-pixels)``."""
        writer, widths, last = self.writer, self._widths, self._chain.last.result
        missing = writer.node("Sub", [widths.grouped, widths.picture], "deep/missing")
        ends = [writer.whole(0, 0, 0, 0, 0, 0), missing, writer.whole(0)]
        grouped = writer.node("Pad", [last, writer.join(ends, "deep/pads", 0)], "deep/pixels")
        size = row_channels(self._chain.scale)
        apart = writer.reshape(grouped, "deep/apart", 0, 0, -1, self._channels[last] // size, size)
        planes = writer.turn(apart, "deep/planes", (0, 3, 1, 2, 4))
        # This reshape keeps ONNX Runtime from moving the slices before the transposition, which is
        # slower.
        return writer.reshape(planes, "deep", 0, 0, 0, -1)

    def _deep_row(self, deep: str, row: int) -> str:
        writer, size = self.writer, row_channels(self._chain.scale)
        own = writer.cut(deep, f"row{row}/apart", 1, row, writer.whole(row + 1))
        plane = writer.node("Squeeze", [own, writer.whole(1)], f"row{row}/plane")
        return writer.reshape(plane, f"row{row}/deep", 0, 0, -1, ROW * size)

    def _tall(self, edges: str, row: int, taps: NDArray[np.float64]) -> list[str]:
        """RGB interpolated between rows, in groups that start two columns before the picture; and
        the same groups shifted by one."""
        writer, name = self.writer, f"row{row}/tall"
        if np.count_nonzero(taps) == 1:  # the row lies on a row of pixels
            halo = writer.whole(-BICUBIC_HALO)
            tall = writer.cut(edges, name + "/own", 1, BICUBIC_HALO, halo)
        else:
            channels = CHANNEL_BLOCK * COLOURS
            wide = writer.reshape(edges, name + "/edges", 0, 0, -1, channels)
            kernel = column_kernel(taps, channels)
            tall = writer.convolution(
                wide, name + "/between", kernel, (PICTURE_GRID, PICTURE_GRID), group=channels
            )
        groups = writer.reshape(tall, name + "/groups", 0, 0, -1, ROW * COLOURS)
        after = writer.node("Add", [self._widths.groups, writer.whole(1)], name + "/after")
        return [
            writer.cut(groups, name + "/left", 2, 0, self._widths.groups),
            writer.cut(groups, name + "/right", 2, 1, after),
        ]

    def _interleave_rows(self, rows: list[str]) -> None:
        writer, scale = self.writer, self._chain.scale
        stacked = writer.join(rows, "rows", 2)
        width = writer.node("Mul", [self._widths.grouped, writer.whole(scale)], "rows/width")
        shape = writer.join([writer.whole(0, -1), width, writer.whole(COLOURS)], "rows/shape", 0)
        whole = writer.node("Reshape", [stacked, shape], "rows/all")
        stop = writer.node("Mul", [self._widths.picture, writer.whole(scale)], "output/width")
        writer.cut(whole, "output", 2, 0, stop)


def _activation_grid(low: float, high: float) -> QuantGrid:
    """A grid from ``low``, at most zero, to ``high``, at least zero, with an exact zero."""
    step = float(np.float32(max(high - low, 1e-6) / WHITE))
    return QuantGrid(step, round(-low / step))
