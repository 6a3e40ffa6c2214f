"""The sizes on which a network works, determined by running it."""

from dataclasses import replace

import numpy as np

from subpixel.errors import NetworkError, one_line
from subpixel.runtime.op import NetOp
from subpixel.spec import ModelSpec, next_multiple

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""The size multiples to try, the most permissive first."""

MINIMA = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48, 64, 128, 256, 512)
"""The minimum sizes to try first; between two of them the exact one is found by bisection."""

ROOMY_SIDE = 48
"""Probe sizes are at least this, in pixels, unless small sizes are what is probed: some networks
pad by reflection inside and need the room."""


def with_sizes(op: NetOp, spec: ModelSpec) -> ModelSpec:
    """``spec`` with the size multiple and the minimum size that ``op`` needs. The search starts at
    the values of ``spec``; a fixed size stays. Raises :class:`NetworkError` when the network
    upscales by its scale at none of the sizes.
    """
    if spec.fixed_size:
        return spec
    spec = _with_multiple(op, spec)
    return spec if spec.square else _with_minimum(op, spec)


def odd_multiples(multiple: int) -> list[tuple[int, int]]:
    """Two sizes, odd multiples of ``multiple``, so that a larger multiple is not missed."""
    factor = -(-ROOMY_SIDE // multiple) | 1
    return [
        (factor * multiple, (factor + 2) * multiple),
        ((factor + 4) * multiple, factor * multiple),
    ]


def _with_multiple(op: NetOp, spec: ModelSpec) -> ModelSpec:
    reasons: list[str] = []
    for multiple in (spec.size_multiple, *(m for m in MULTIPLES if m > spec.size_multiple)):
        trial = replace(spec, size_multiple=multiple)
        faults = [_find_fault(op, spec, size) for size in _probe_sizes(trial)]
        if not any(faults):
            return trial
        reasons += [fault for fault in faults if fault]
    raise NetworkError(f"the network does not enlarge by {spec.scale}: {reasons[0]}")


def _probe_sizes(spec: ModelSpec) -> list[tuple[int, int]]:
    """Two sizes on which a network of ``spec`` should work."""
    sizes = odd_multiples(spec.size_multiple)
    if min(*sizes[0], *sizes[1]) < spec.size_minimum:
        sizes = [(spec.size_minimum, spec.size_minimum + 2 * spec.size_multiple)]
    return [(max(size), max(size)) for size in sizes] if spec.square else sizes


def _with_minimum(op: NetOp, spec: ModelSpec) -> ModelSpec:
    enough = max(ROOMY_SIDE, spec.size_minimum)
    below, candidates = spec.size_minimum - 1, [m for m in MINIMA if m > spec.size_minimum]
    for minimum in (spec.size_minimum, *candidates, enough):
        if minimum >= enough or _runs_from(op, spec, minimum, enough):
            break
        below = minimum
    minimum = min(minimum, enough)
    while minimum - below > 1:
        middle = (below + minimum) // 2
        if _runs_from(op, spec, middle, enough):
            minimum = middle
        else:
            below = middle
    return replace(spec, size_minimum=minimum)


def _runs_from(op: NetOp, spec: ModelSpec, minimum: int, enough: int) -> bool:
    """Whether the network works with one or both sides as small as ``minimum``."""
    small, ample = (
        next_multiple(minimum, spec.size_multiple),
        next_multiple(enough, spec.size_multiple),
    )
    sizes = [(small, small), (small, ample), (ample, small)]
    return not any(_find_fault(op, spec, size) for size in sizes)


def _find_fault(op: NetOp, spec: ModelSpec, size: tuple[int, int]) -> str | None:
    """What is wrong with the network's result for a picture of ``size``; None when it is right."""
    shape = (1, spec.channels, *size)
    try:
        result = op(np.full(shape, 0.5, dtype=np.float32))
    except Exception as error:  # whatever fails at this size is the answer
        return f"at {size[0]}×{size[1]}: {one_line(error)}"
    expected = (*shape[:2], size[0] * spec.scale, size[1] * spec.scale)
    return None if result.shape == expected else f"it turns the shape {shape} into {result.shape}"
