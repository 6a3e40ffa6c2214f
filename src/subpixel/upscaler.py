"""Pictures in, larger pictures out."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from subpixel.errors import UsageError
from subpixel.media.picture import FULL_SCALE, Frames, Picture
from subpixel.network import Network, open_network
from subpixel.runtime import alpha
from subpixel.runtime.bands import Report, run_tiles
from subpixel.runtime.op import Pixels
from subpixel.runtime.pixels import upscale_samples
from subpixel.runtime.tiling import TilePlan, least_tile, plan_tiles, spread
from subpixel.spec import ModelSpec
from subpixel.zoo import manifest

DEFAULT_TILE = 512
"""Side of a tile in input pixels, halo included: activations stay near the processor's caches."""

NON_LOCAL_OVERLAP = 32
"""Overlap of tiles, in input pixels, for a network whose every output sees the whole picture.
Tiles can't equal the whole there, so such a network is cut only when ``tile`` is given."""

Image = TypeVar("Image")
"""A numpy array or a Pillow image: what comes in goes out, larger."""


class Upscaler:
    """A network opened once, for any number of pictures.

    ``model`` is a bundled network's name, an ONNX file's path, or a network that is open already;
    ``scale`` chooses among a bundled network's scales (default 3). ``device`` is ``"auto"`` or a
    name of :data:`subpixel.runtime.session.DEVICES`. ``tile`` is the side of a tile in input
    pixels, halo included (None: 512; 0: the whole picture at once). ``threads`` None means one
    per physical core.

    >>> from subpixel import Upscaler
    >>> larger = Upscaler(scale=2)(array)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Network = manifest.DEFAULT,
        *,
        scale: int | None = None,
        device: str = "auto",
        tile: int | None = None,
        threads: int | None = None,
    ) -> None:
        if not isinstance(model, Network):
            model = open_network(
                model, scale=scale, device=device, threads=threads, side_by_side=tile != 0
            )
        self._network = model
        self._tile = tile
        spec = self.spec
        least = least_tile(max(self._overlap, alpha.REACH), spec.size_multiple, spec.size_minimum)
        if tile is not None and tile != 0 and tile < least:
            raise UsageError(
                f"tile is {tile}; for this network it is at least {least} pixels, or 0 for the "
                "whole picture at once"
            )

    @property
    def spec(self) -> ModelSpec:
        """The network's facts."""
        return self._network.spec

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider really in use."""
        return self._network.provider

    def __call__(self, image: Image) -> Image:
        """Upscale an array or a Pillow image and return the same kind of thing.

        Arrays are ``(H, W)`` or ``(H, W, C)`` with one to four channels (grey, grey and alpha,
        RGB, RGBA), uint8, uint16 or float32 in 0 … 1. Raises :class:`UsageError` for others.
        """
        from subpixel.media.arrays import like, to_picture

        return like(image, self.picture(to_picture(image)))

    def picture(self, picture: Picture, report: Report = lambda done, total: None) -> Picture:
        """Upscale a picture's every frame; its metadata stays as it is."""
        plan, scale = self.plan(picture), self.spec.scale
        count, height, width, channels = picture.frames.shape
        larger = np.empty((count, height * scale, width * scale, channels), picture.frames.dtype)
        for i, (frame, result) in enumerate(zip(picture.frames, larger, strict=True)):
            self._frame(frame, result, plan, picture.has_alpha, _part(report, i, count))
        return replace(picture, frames=larger)

    def plan(self, picture: Picture) -> TilePlan:
        """How a picture of this size is cut into tiles."""
        spec = self.spec
        halo = max(self._overlap, alpha.REACH) if picture.has_alpha else self._overlap
        cut = partial(
            plan_tiles,
            picture.height,
            picture.width,
            halo=halo,
            multiple=spec.size_multiple,
            minimum=spec.size_minimum,
            square=spec.square,
            padding=spec.padding,
            fixed=spec.fixed_size is not None,
        )
        tile = self._tile_size(picture)
        plan = cut(tile=tile)
        if tile is None or spec.square or spec.fixed_size is not None:
            return plan
        return cut(tile=(min(tile[0], spread(plan, self._network.workers, halo)), tile[1]))

    @property
    def _overlap(self) -> int:
        return NON_LOCAL_OVERLAP if self.spec.halo is None else self.spec.halo

    def _tile_size(self, picture: Picture) -> tuple[int, int] | None:
        spec, most = self.spec, self.spec.size_maximum
        if spec.fixed_size is not None:
            return spec.fixed_size
        tile = self._tile or (None if spec.halo is None or self._tile == 0 else DEFAULT_TILE)
        if most is not None and max(picture.height, picture.width) > most:
            tile = min(tile or most, most)
        return (tile, tile) if tile else None

    def _frame(
        self, frame: Frames, result: Frames, plan: TilePlan, has_alpha: bool, report: Report
    ) -> None:
        opaque = has_alpha and bool((frame[..., -1] == FULL_SCALE[frame.dtype]).all())
        visible = alpha.bleed(frame) if has_alpha and not opaque else frame
        upscale = partial(upscale_samples, self._op, opaque=opaque)
        workers = self._network.workers
        run_tiles(upscale, visible, result, plan, workers=workers, report=report)

    def _op(self, pixels: Pixels) -> Pixels:
        """The network's op; one of fixed batch size gets its batch filled up with copies."""
        batch = self.spec.fixed_batch
        if batch is None or batch == len(pixels):
            return self._network.op(pixels)
        return self._network.op(np.repeat(pixels, batch, axis=0))[: len(pixels)]


def _part(report: Report, frame: int, frames: int) -> Report:
    """The report of one frame among several, as a report of all."""
    return lambda done, total: report(frame * total + done, frames * total)


def upscale(
    image: Image,
    *,
    model: str | Path = manifest.DEFAULT,
    scale: int | None = None,
    device: str = "auto",
    tile: int | None = None,
    threads: int | None = None,
) -> Image:
    """Upscale one array or Pillow image; for several, make an :class:`Upscaler` once.

    Takes and returns what :meth:`Upscaler.__call__` does, and the arguments of
    :class:`Upscaler`.
    """
    upscaler = Upscaler(model, scale=scale, device=device, tile=tile, threads=threads)
    return upscaler(image)
