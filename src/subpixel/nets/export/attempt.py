"""The ways to export a network, in the order in which they are worth trying."""

from dataclasses import dataclass
from typing import get_args

from subpixel.nets.export.exporters import find_exporters
from subpixel.spec import Exporter, ModelSpec, Padding, next_multiple

AWKWARD = (51, 67)
"""Height and width of the first example. Exporters bake in what they see: of an odd, co-prime
size that is no multiple of any window they see a network's every branch, and no number in the
graph can be mistaken for another."""

REGULAR = (64, 96)
"""An example that fits the usual windows, for networks whose padding can't be exported."""

WINDOWS = (8, 16)
"""The multiples that padding in front of a network is tried with, where it asks for none."""

MIN_FIXED_SIDE = 128
"""Least side of the one size that is exported where no other way is left."""


@dataclass(frozen=True)
class Attempt:
    """One way to export a network."""

    exporter: Exporter
    example: tuple[int, int, int]
    """How many pictures of which height and width the exporter sees. Where the batch is free
    there are two: of one picture, some of its passes make a number."""
    multiple: int = 1
    """The graph is for multiples of this; a Pad in front and a Slice behind make it fit any."""
    padding: Padding = "reflect"
    symbolic: bool = False
    """Whole numbers that the network's code makes of sizes are kept open
    (:func:`subpixel.nets.export.workarounds.symbolic_int`)."""
    free_batch: bool = True
    free_size: bool = True

    def __str__(self) -> str:
        count, rows, columns = self.example
        padding = f", padded to multiples of {self.multiple}" if self.multiple > 1 else ""
        padding += f" ({self.padding})" if padding and self.padding != "reflect" else ""
        batch = "" if self.free_batch else ", batch of 1"
        size = "" if self.free_size else ", for that size alone"
        whole = ", int() kept symbolic" if self.symbolic else ""
        return f"{self.exporter} from {count}×{rows}×{columns}{padding}{whole}{batch}{size}"


def list_attempts(spec: ModelSpec, exporter: Exporter | None, opset: int) -> tuple[Attempt, ...]:
    """The ways to try for a network of ``spec``'s sizes, the best first.

    ``exporter`` None takes any that reaches the opset; scripting is left to those who ask for it,
    as it refuses most networks. Raises :class:`~subpixel.errors.ExportError` for an opset out of
    reach.
    """
    able_here = find_exporters(opset, exporter)
    chosen = [exporter] if exporter else [name for name in able_here if name != "script"]
    if spec.fixed_size:
        return tuple(_one_size_attempt(name, spec) for name in chosen)
    return tuple(
        dict.fromkeys(
            [
                way
                for name in chosen
                for way in (*_free_attempts(name, spec), *_padding_attempts(name, spec))
            ]
            + [_one_size_attempt(name, spec) for name in chosen]
        )
    )


def _free_attempts(exporter: Exporter, spec: ModelSpec) -> list[Attempt]:
    """Any size, seen from an awkward and from a regular example."""
    awkward, regular = (_fit_example(size, spec) for size in (AWKWARD, REGULAR))
    if exporter != "dynamo":
        return [Attempt(exporter, (1, *awkward), spec.size_multiple)]
    return [
        Attempt(exporter, (2, *awkward), spec.size_multiple, symbolic=True),
        Attempt(exporter, (1, *awkward), spec.size_multiple),
        Attempt(exporter, (1, *awkward), spec.size_multiple, symbolic=True, free_batch=False),
        Attempt(exporter, (1, *awkward), spec.size_multiple, free_batch=False),
        Attempt(exporter, (1, *regular), spec.size_multiple, free_batch=False),
    ]


def _padding_attempts(exporter: Exporter, spec: ModelSpec) -> list[Attempt]:
    """Multiples that the network does not ask for, as it pads by itself, in a way to be found."""
    if spec.size_multiple > 1:
        return []
    return [
        Attempt(exporter, (1, *_multiples(spec, window)), window, padding, free_batch=False)
        for window in WINDOWS
        for padding in get_args(Padding)
    ]


def _one_size_attempt(exporter: Exporter, spec: ModelSpec) -> Attempt:
    side = next_multiple(max(MIN_FIXED_SIDE, spec.size_minimum), spec.size_multiple)
    size = spec.fixed_size or (side, side)
    return Attempt(exporter, (1, *size), free_batch=False, free_size=False)


def _fit_example(size: tuple[int, int], spec: ModelSpec) -> tuple[int, int]:
    """``size`` where the network takes it with room, else co-prime numbers of its multiple."""
    fits = min(size) >= _roomy(spec) and not any(s % spec.size_multiple for s in size)
    return size if fits and not spec.square else _multiples(spec, spec.size_multiple)


def _multiples(spec: ModelSpec, multiple: int) -> tuple[int, int]:
    """Height and width: odd, co-prime numbers of ``multiple``, neither 1, near 51 × 67."""
    rows = max(3, -(-max(AWKWARD[0], _roomy(spec)) // multiple) | 1)
    columns = rows if spec.square else rows + 2
    return rows * multiple, columns * multiple


def _roomy(spec: ModelSpec) -> int:
    """Half as much again as the least size: at that, a network that cuts patches has but one."""
    return spec.size_minimum * 3 // 2
