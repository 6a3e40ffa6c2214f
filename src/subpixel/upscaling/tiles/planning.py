"""How pictures are cut into tiles for one network: by its geometry, then by the memory there is."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from subpixel.errors import UsageError
from subpixel.media.picture import Header
from subpixel.spec import ModelSpec
from subpixel.upscaling import alpha
from subpixel.upscaling.memory import (
    UNKNOWN_FOOTPRINT,
    CutTiles,
    Needs,
    expect_fit,
    find_quick,
    fit_tiles,
)
from subpixel.upscaling.tiles.tiling import TilePlan, min_tile_side, plan_tiles, share_out

DEFAULT_TILE = 512
"""Side of a tile in input pixels, halo included: activations stay near the processor's caches."""

STRETCH = 2
"""How many times as large tiles may be where that shares them out more evenly."""

NON_LOCAL_OVERLAP = 32
"""Overlap of tiles, in input pixels, for a network whose every output sees the whole picture.
Tiles can't equal the whole there, so such a network is cut only when ``tile`` is given."""


@dataclass(frozen=True)
class Planner:
    """Plans for pictures of any size through one network.

    ``tile``, ``batch`` and what they may be are :class:`~subpixel.upscaling.upscaler.Upscaler`'s;
    raises :class:`UsageError` for others.
    """

    spec: ModelSpec
    workers: int
    tile: int | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        if self.tile and self.tile < self.least:
            raise UsageError(
                f"tile is {self.tile}; for this network it is at least {self.least} pixels, or 0 "
                "for the whole picture at once"
            )
        fixed = self.spec.fixed_batch
        if self.batch < 1 or (self.batch > 1 and fixed is not None):
            allowed = "at least 1" if fixed is None else f"1: its file takes {fixed} at a time"
            raise UsageError(f"batch is {self.batch}; for this network it is {allowed}")

    @property
    def overlap(self) -> int:
        """What tiles share on each side, in input pixels."""
        return NON_LOCAL_OVERLAP if self.spec.halo is None else self.spec.halo

    @property
    def overlap_of_any(self) -> int:
        """The same for pictures with alpha, where it may be more."""
        return max(self.overlap, alpha.REACH)

    @property
    def least(self) -> int:
        """The least side of a tile."""
        return min_tile_side(self.overlap_of_any, self.spec.size_multiple, self.spec.size_minimum)

    @property
    def rigid(self) -> bool:
        """Whether the network settles the size of the tiles."""
        return self.spec.square or self.spec.fixed_size is not None

    def plan(self, header: Header) -> TilePlan:
        """Where memory is no concern."""
        return replace(self._share_out(header), batch=self.batch)

    def smallest(self, header: Header) -> TilePlan:
        """With the smallest tiles, one by one: what takes the least memory."""
        if self.rigid or self.spec.halo is None:
            return replace(self.plan(header), batch=1)
        return self._cut(header)((self.least, self.least))

    def quick(self, needs: Needs) -> TilePlan:
        """With the smallest tiles that aren't slow for being small."""
        header = needs.header
        if self.rigid or self.spec.halo is None:
            return self.smallest(header)
        tile, halo = self.plan(header).tile, self._halo(header)
        return find_quick(needs, self._cut(header), tile, self.least, halo)

    def fit(
        self, needs: Needs, most: int, counted: Callable[[], float | None], attempt: int = 0
    ) -> TilePlan:
        """The plan with which the process holds at most ``most`` bytes.

        ``needs`` may say ``UNKNOWN_FOOTPRINT`` of the network: ``counted`` is asked where that is
        too much. At each ``attempt`` the tiles have half the side. A plan that is no longer
        :meth:`plan`'s takes the tiles one by one. Raises
        :class:`~subpixel.errors.MemoryLimitError` when even the smallest take too much.
        """
        header = needs.header
        plan = self.plan(header)
        if attempt == 0 and needs.total(plan) <= most:
            return plan
        per_pixel = counted()
        needs = replace(needs, per_pixel=UNKNOWN_FOOTPRINT if per_pixel is None else per_pixel)
        if attempt == 0 and needs.total(plan) <= most:
            return plan
        if self.rigid or self.spec.halo is None:
            return expect_fit(needs, self.smallest(header), most)
        height, width = (max(self.least, side >> attempt) for side in plan.tile)
        return fit_tiles(
            needs, self._cut(header), (height, width), self.least, self._halo(header), most
        )

    def _share_out(self, header: Header) -> TilePlan:
        cut, tile = self._cut(header), self._tile_size(header)
        if tile is None or self.rigid:
            return cut(tile)
        stretch = 1 if self.tile else STRETCH
        return share_out(cut, tile, self._halo(header), self.workers, stretch)

    def _cut(self, header: Header) -> CutTiles:
        spec = self.spec

        def cut(tile: tuple[int, int] | None) -> TilePlan:
            return plan_tiles(
                header.height,
                header.width,
                tile=tile,
                halo=self._halo(header),
                multiple=spec.size_multiple,
                minimum=spec.size_minimum,
                square=spec.square,
                padding=spec.padding,
                fixed=spec.fixed_size is not None,
            )

        return cut

    def _halo(self, header: Header) -> int:
        return self.overlap_of_any if header.extra_channels else self.overlap

    def _tile_size(self, header: Header) -> tuple[int, int] | None:
        spec, most = self.spec, self.spec.size_maximum
        if spec.fixed_size is not None:
            return spec.fixed_size
        tile = self.tile or (None if spec.halo is None or self.tile == 0 else DEFAULT_TILE)
        if most is not None and max(header.height, header.width) > most:
            tile = min(tile or most, most)
        return (tile, tile) if tile else None
