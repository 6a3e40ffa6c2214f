"""What a network must be true to whatever it computes: tiles, repetition, batches.

Each is a comparison of the network with itself, so it needs no reference.
"""

from dataclasses import dataclass

import numpy as np

from subpixel.parity.cases import Case
from subpixel.parity.compare import ParityReport, Tolerance, compare, tolerance_for
from subpixel.parity.memory.ledger import MemoryLedger
from subpixel.runtime.op import NetOp, Pixels, Samples
from subpixel.spec import ModelSpec
from subpixel.upscaling.tiles.bands import Workers, run_tiles
from subpixel.upscaling.tiles.tiling import min_tile_side, plan_tiles

TILE_TOLERANCE = Tolerance(rtol=None, max_codes=1)
TILED_FP32 = Tolerance(rtol=0.0, atol=1e-6)
"""A tile is the same arithmetic on the same pixels; only its order may differ."""
EQUAL = Tolerance(rtol=0.0, atol=0.0, max_codes=0)

EXTRA = 16
"""Multiples of the size by which a tile is larger than the least that there is."""

SQUARE = 224
"""Side up to which the picture that is cut into tiles is a square; beyond it, two strips."""


@dataclass(frozen=True, eq=False)
class Tiled:
    """``op``, whose facts are ``spec``, run tile by tile as the upscaler does."""

    op: NetOp
    spec: ModelSpec
    halo: int
    tile: int

    def __call__(self, pixels: Pixels, /) -> Pixels:
        return np.stack([self._run(planes.transpose(1, 2, 0)) for planes in pixels])

    def _run(self, samples: Samples) -> Pixels:
        spec, (height, width, channels) = self.spec, samples.shape
        plan = plan_tiles(
            height,
            width,
            tile=(self.tile, self.tile),
            halo=self.halo,
            multiple=spec.size_multiple,
            minimum=spec.size_minimum,
            square=spec.square,
        )
        result = np.empty((height * spec.scale, width * spec.scale, channels), np.float32)
        run_tiles(self._upscale, samples, result, plan, workers=Workers(1))
        planes: Pixels = result.transpose(2, 0, 1)
        return planes

    def _upscale(self, samples: Samples) -> Samples:
        larger: Samples = self.op(samples.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        return larger


@dataclass(frozen=True, eq=False)
class OneByOne:
    """``op``, given one picture of a batch at a time."""

    op: NetOp

    def __call__(self, pixels: Pixels, /) -> Pixels:
        return np.concatenate([self.op(picture[None]) for picture in pixels])


def tiles_equal_whole(
    op: NetOp,
    spec: ModelSpec,
    tolerance: Tolerance | None = None,
    memory: MemoryLedger | None = None,
) -> ParityReport | str:
    """Noise in one piece against the same noise in tiles; by default in float32 within 1e-6, else
    within one code value. A text says why it can't be: there is no halo, or only one size."""
    if spec.halo is None:
        return "every output pixel may depend on the whole picture: tiles can't equal it"
    if spec.fixed_size is not None:
        return f"the file takes {spec.fixed_size[0]} × {spec.fixed_size[1]} pixels alone"
    if spec.fixed_batch not in (None, 1):
        return f"the file takes a batch of {spec.fixed_batch} alone"
    least = min_tile_side(spec.halo, spec.size_multiple, spec.size_minimum)
    tile = least + EXTRA * spec.size_multiple
    side = tile + EXTRA * spec.size_multiple
    if spec.square and side > SQUARE:
        return f"the network takes squares alone, and two tiles would make {side} × {side} pixels"
    strip = -(-max(EXTRA, spec.size_minimum) // spec.size_multiple) * spec.size_multiple
    shapes = [(side, side)] if side <= SQUARE else [(strip, side), (side, strip)]
    return compare(
        op,
        Tiled(op, spec, spec.halo, tile),
        [Case(1, height, width, "noise") for height, width in shapes],
        spec.channels,
        tolerance or (TILED_FP32 if spec.precision == "fp32" else TILE_TOLERANCE),
        names=("the whole picture", f"tiles of {tile} pixels"),
        memory=memory,
    )


def batch_equals_single(op: NetOp, spec: ModelSpec, case: Case) -> ParityReport | str:
    """A batch against its pictures one by one, within the precision's tolerance. A text says why
    it can't be: the file fixes the batch."""
    if spec.fixed_batch is not None:
        return f"the file takes a batch of {spec.fixed_batch} alone"
    return compare(
        OneByOne(op),
        op,
        [case],
        spec.channels,
        tolerance_for("fp32") if spec.precision == "fp32" else TILE_TOLERANCE,
        names=("one by one", f"a batch of {case.batch}"),
    )


def same_twice(
    op: NetOp, spec: ModelSpec, case: Case, memory: MemoryLedger | None = None
) -> ParityReport:
    """The same input twice: every value must be the same to its last bit."""
    names = ("once", "again")
    return compare(op, op, [case], spec.channels, EQUAL, names=names, memory=memory)
