"""The stage at which a picture goes wrong, by turning each off alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from subpixel.errors import SubpixelError
from subpixel.runtime.op import NetOp

Stage = Literal[
    "exporter",
    "change after export",
    "graph",
    "graph passes",
    "optimiser",
    "precision",
    "execution provider",
    "runtime",
]
"""Where a fault can come from: what exported the graph (a new export has the same fault), who
edited or converted the file later (a new export is right), either of these where nothing tells
them apart, what subpixel put around it, how ONNX Runtime rewrote it, the type it computes in, the
hardware's part of ONNX Runtime, its operator itself."""


@dataclass(frozen=True)
class Without:
    """The bad network with one stage turned off."""

    stage: Stage
    op: Callable[[], NetOp]
    """Makes it, or raises :class:`SubpixelError` where that can't be had."""


def first_cure(variants: Sequence[Without], right: Callable[[NetOp], bool]) -> Stage | None:
    """The first stage without which the picture is ``right``; None where none of them is it."""
    for variant in variants:
        try:
            cured = right(variant.op())
        except SubpixelError:
            cured = False
        if cured:
            return variant.stage
    return None
