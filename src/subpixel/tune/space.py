"""Which settings of a network are tried on this machine."""

import os
from collections.abc import Iterator, Sequence

from subpixel.network.settings import RunSettings
from subpixel.runtime.devices import CUDA_GRAPHS, DEVICES, find_device
from subpixel.spec import ModelSpec, Precision
from subpixel.system.processors import cores
from subpixel.tune.race import SearchSpace

TILE_SIDES = (128, 256, 384, 768, 1024)
"""Beside the default, in input pixels."""

BATCH_SIZES = (2, 4, 8, 16)
"""Beside one tile at a time, in tiles; the largest picture that is raced on has 18 of the smallest
beside one another."""


def make_space(spec: ModelSpec, devices: Sequence[str]) -> SearchSpace:
    """The settings to try of a network with these facts, on these devices."""
    own = spec.precision
    tiled = spec.halo is not None and spec.fixed_size is None
    return SearchSpace(
        default=RunSettings(precision=own).resolve(),
        ways=[way for device in devices for way in _device_ways(device, own)],
        tiles=(None, *TILE_SIDES) if tiled else (None,),
        threads=(None, *_thread_counts()),
        batches=(1, *BATCH_SIZES) if tiled and spec.fixed_batch is None else (1,),
        adaptive=tiled,
    )


def _device_ways(device: str, own: Precision) -> Iterator[RunSettings]:
    """A device with every precision that it may be faster in; a file of few bits stays as it is."""
    on_cpu = find_device(device).provider == DEVICES["cpu"].provider
    for precision in ("fp32", "int8", "bf16", "fp16") if own == "fp32" else (own,):
        if precision == "int8" and not find_device(device).takes_integers:
            continue
        if own != "fp32" or not (on_cpu and precision in ("bf16", "fp16")):
            yield RunSettings(device, precision).resolve()
            if device in CUDA_GRAPHS:
                yield RunSettings(device, precision, cuda_graphs=True).resolve()


def _thread_counts() -> list[int]:
    """Half of the cores, and every thread that they have; the default is one per core."""
    return sorted({max(1, cores() // 2), os.cpu_count() or 1} - {cores()})
