"""The ways to export a network, in the order in which to try them."""

from dataclasses import dataclass
from typing import get_args

from subpixel.nets.export.exporters import find_exporters
from subpixel.spec import Exporter, ModelSpec, Padding, next_multiple

AWKWARD = (51, 67)
"""Height and width of the first example. Exporters specialise for the example: an odd, co-prime
size that is no multiple of any window takes every branch of a network's code, and makes all numbers
in the graph distinguishable."""

REGULAR = (64, 96)
"""An example that fits the usual windows, for networks whose padding can't be exported."""

WINDOWS = (8, 16)
"""The multiples to which pictures are padded, where the network itself states none."""

MIN_FIXED_SIDE = 128
"""The minimum side of the single size that is exported as the last resort."""


@dataclass(frozen=True)
class Attempt:
    """One way to export a network."""

    exporter: Exporter
    example: tuple[int, int, int]
    """Batch, height and width of the exporter's example. A free batch needs two pictures: for a
    batch of one, some of the exporter's passes insert a constant."""
    multiple: int = 1
    """The graph is for multiples of this; padding and cropping make it work for any size."""
    padding: Padding = "reflect"
    symbolic: bool = False
    """Integers that the network's code computes from sizes are kept symbolic
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
    """The attempts for a network of ``spec``'s sizes, the best first: as it is by every exporter,
    then padded, then for one size.

    ``exporter`` None uses any that supports the opset, except scripting, which most networks don't
    support. Raises :class:`~subpixel.errors.ExportError` for an opset that no exporter supports.
    """
    able_here = find_exporters(opset, exporter)
    chosen = [exporter] if exporter else [name for name in able_here if name != "script"]
    if spec.fixed_size:
        return tuple(_one_size_attempt(name, spec) for name in chosen)
    ways = [way for name in chosen for way in _free_attempts(name, spec)]
    ways += [way for name in chosen for way in _padding_attempts(name, spec)]
    ways += [_one_size_attempt(name, spec) for name in chosen]
    return tuple(dict.fromkeys(ways))


def _free_attempts(exporter: Exporter, spec: ModelSpec) -> list[Attempt]:
    """Attempts for any size, from an awkward and from a regular example."""
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
    """Attempts with padding to multiples, for a network that pads its input itself in an unknown
    way."""
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
    """``size`` where the network accepts it with room to spare, else co-prime multiples of its size
    multiple."""
    fits = min(size) >= _roomy(spec) and not any(s % spec.size_multiple for s in size)
    return size if fits and not spec.square else _multiples(spec, spec.size_multiple)


def _multiples(spec: ModelSpec, multiple: int) -> tuple[int, int]:
    """Height and width: odd, co-prime multiples of ``multiple``, larger than it, near 51 × 67."""
    rows = max(3, -(-max(AWKWARD[0], _roomy(spec)) // multiple) | 1)
    columns = rows if spec.square else rows + 2
    return rows * multiple, columns * multiple


def _roomy(spec: ModelSpec) -> int:
    """One and a half times the minimum size: at the minimum, a network that cuts patches has only
    one."""
    return spec.size_minimum * 3 // 2
