"""What a network without recorded facts is, found out by running it at a few sizes."""

import numpy as np

from subpixel.errors import NetworkError
from subpixel.runtime.op import Probeable
from subpixel.runtime.sizes import MULTIPLES, odd_multiples
from subpixel.spec import Colour, ModelSpec


def probe(session: Probeable, name: str) -> ModelSpec:
    """Find out by running it: channels, scale, size multiple, whether the batch is free.

    Raises :class:`NetworkError` when the network does not enlarge both sides by one whole number
    and keep its channels, at any size multiple tried.
    """
    batch, _, *size = session.input_shape
    fixed = (size[0], size[1]) if isinstance(size[0], int) and isinstance(size[1], int) else None
    count = batch if isinstance(batch, int) else 1
    from subpixel.thirdparty.op import expect_unit_range

    failures: list[str] = []
    for planes, multiple in _candidates(session, fixed is not None):
        sizes = [fixed] if fixed else odd_multiples(multiple)
        try:
            scale = _probe_scale(session, count, planes, sizes)
        except NetworkError as error:
            failures.append(str(error))
            continue
        spec = ModelSpec(
            name=name,
            scale=scale,
            colour=_colour(planes),
            interface=_colour(planes),
            size_multiple=multiple,
            padding="edge" if fixed else "reflect",
            fixed_size=fixed,
            fixed_batch=_find_batch(session, planes, scale, sizes[0]),
        )
        expect_unit_range(session, spec)
        return spec
    raise NetworkError(f"this is no super-resolution network: {failures[0]}")


def _candidates(session: Probeable, fixed: bool) -> list[tuple[int, int]]:
    """The channels and size multiples to try, in this order."""
    channels = session.input_shape[1]
    planes = [channels] if isinstance(channels, int) else [3, 1]
    return [(p, m) for p in planes for m in (MULTIPLES[:1] if fixed else MULTIPLES)]


def _colour(planes: int) -> Colour:
    if planes == 1:
        return "luma"
    if planes == 3:
        return "rgb"
    raise NetworkError(f"its input has {planes} channels; subpixel runs 1 (luma) or 3 (RGB)")


def _probe_scale(session: Probeable, batch: int, planes: int, sizes: list[tuple[int, int]]) -> int:
    scales = {_scale_at(session, (batch, planes, *size)) for size in sizes}
    if len(scales) != 1:
        raise NetworkError(f"its scale changes with the picture's size: {sorted(scales)}")
    return scales.pop()


def _scale_at(session: Probeable, shape: tuple[int, int, int, int]) -> int:
    result = session(np.full(shape, 0.5, dtype=np.float32))
    scale = result.shape[2] // shape[2] if result.ndim == 4 else 0
    if scale < 1 or result.shape != (*shape[:2], shape[2] * scale, shape[3] * scale):
        raise NetworkError(f"it turns the shape {shape} into {result.shape}")
    return scale


def _find_batch(session: Probeable, planes: int, scale: int, size: tuple[int, int]) -> int | None:
    declared = session.input_shape[0]
    if isinstance(declared, int):
        return declared
    try:
        return None if _scale_at(session, (2, planes, *size)) == scale else 1
    except NetworkError:
        return 1
