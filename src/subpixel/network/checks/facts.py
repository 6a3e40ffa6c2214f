"""What a network file says of itself, against its graph: before anything is done by it."""

from pathlib import Path

import numpy as np

from subpixel.errors import NetworkError, SpecError
from subpixel.runtime.opening import Opened
from subpixel.runtime.sizes import ROOMY_SIDE
from subpixel.spec import ModelSpec, next_multiple

MAX_TRIAL_PIXELS = 1 << 22
"""Networks that take no smaller pictures than of so many pixels are not run to try their facts."""


def expect_true_facts(session: Opened, spec: ModelSpec, file: Path | None) -> None:
    """Check ``spec``, which the file of ``session`` states, against its graph and one run.

    ``file`` is the ONNX file; None for one of ONNX Runtime's own format, whose graph only that
    reads. Raises :class:`SpecError` for facts that the graph contradicts.
    """
    _expect_ends(session, spec)
    if file is not None:
        _expect_geometry(file, spec)
    _expect_enlargement(session, spec)


def _expect_ends(session: Opened, spec: ModelSpec) -> None:
    """The type of the samples, and every axis of the input that has a fixed length."""
    if session.takes_codes != (spec.samples == "uint8"):
        kind = "uint8" if session.takes_codes else "float"
        raise _contradiction(f"samples of {spec.samples!r}", f"takes {kind}")
    height, width = spec.fixed_size or (None, None)
    stated = (spec.fixed_batch, spec.channels, height, width)
    for axis, length, fact in zip(PICTURE_AXES, session.input_shape, stated, strict=True):
        if isinstance(length, int) and length > 0 and length != fact:
            raise _contradiction(f"{axis} {'any' if fact is None else fact}", f"takes {length}")


PICTURE_AXES = ("batch", "channels", "height", "width")


def _expect_geometry(file: Path, spec: ModelSpec) -> None:
    """As far as the graph's geometry can be followed."""
    from subpixel.graph.geometry.receptive import find_reach
    from subpixel.graph.metadata import load_model

    reach = find_reach(load_model(file))
    if reach is None:
        return
    if reach.scale != spec.scale:
        raise _contradiction(f"scale {spec.scale}", f"enlarges by {reach.scale}")
    if spec.halo is None:
        return
    if spec.halo < reach.halo:
        raise _contradiction(f"halo {spec.halo}", f"reaches {reach.halo} pixels")
    if spec.size_multiple % reach.size_multiple:
        raise _contradiction(
            f"size_multiple {spec.size_multiple}", f"needs multiples of {reach.size_multiple}"
        )


def _expect_enlargement(session: Opened, spec: ModelSpec) -> None:
    """One run at a small size that the facts allow."""
    shape = (spec.fixed_batch or 1, spec.channels, *_trial_size(spec))
    if shape[0] * shape[2] * shape[3] > MAX_TRIAL_PIXELS:
        _expect_declared(session, spec)
        return
    wanted = (*shape[:2], shape[2] * spec.scale, shape[3] * spec.scale)
    try:
        result = session(np.full(shape, 0.5, np.float32)).shape
    except NetworkError as error:
        raise SpecError(f"its facts allow a picture of {shape}, and {error}") from error
    except MemoryError as error:
        raise NetworkError(
            f"its facts allow a picture of {shape}, for which it takes more memory than there is; "
            "it can't be used here"
        ) from error
    if result != wanted:
        raise _contradiction(f"that {shape} becomes {wanted}", f"makes it {result}")


def _expect_declared(session: Opened, spec: ModelSpec) -> None:
    """What is too large to be tried must be declared by the graph itself."""
    batch, _, *sides = session.input_shape
    free = [length for length in sides if not isinstance(length, int)]
    if (spec.fixed_size and free) or (spec.fixed_batch and not isinstance(batch, int)):
        raise _contradiction("a batch or a size that is fixed, and large", "takes any")


def _trial_size(spec: ModelSpec) -> tuple[int, int]:
    if spec.fixed_size is not None:
        return spec.fixed_size
    side = next_multiple(
        max(spec.size_minimum, min(ROOMY_SIDE, spec.size_maximum or ROOMY_SIDE)), spec.size_multiple
    )
    return side, side if spec.square else side + spec.size_multiple


def _contradiction(stated: str, graph: str) -> SpecError:
    return SpecError(f"the file's facts say {stated}, and its graph {graph}; export it again")
