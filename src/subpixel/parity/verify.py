"""One network file against another, or against the checkpoint it came from."""

from collections.abc import Sequence
from pathlib import Path

from subpixel.nets.checkpoint import Checkpoint
from subpixel.parity.cases import grid
from subpixel.parity.compare import ParityReport, Report, Tolerance, compare, tolerance_for
from subpixel.parity.own_cases import Size, own_cases
from subpixel.parity.side import open_sides


def verify(
    model: str | Path,
    against: str | Path | Checkpoint,
    *,
    pictures: Sequence[Path] = (),
    sizes: Sequence[Size] = (),
    tolerance: Tolerance | None = None,
    device: str = "cpu",
    threads: int | None = None,
    extra_architectures: bool = False,
    report: Report = lambda what, done, total: None,
) -> ParityReport:
    """Compare ``model``, an ONNX file, with ``against``: a checkpoint, or another ONNX file.

    A checkpoint may be loaded already, as :func:`~subpixel.nets.factory.load_factory` does.
    Besides the grid, the files ``pictures`` are compared, and every content of the grid at each
    height and width in ``sizes``.

    ``model`` runs under ONNX Runtime on ``device``; the reference on the CPU, a checkpoint under
    PyTorch. Where one side takes RGB and the other luma, the luma side is put on RGB pictures.
    A file that doesn't carry our facts is taken to be what its reference is. The default
    tolerance is that of the files' precision (:func:`~subpixel.parity.compare.tolerance_for`).
    ``report`` gets each case's name, how many are done, and their total.

    Raises :class:`~subpixel.errors.NetworkError` for a file that can't be used at all; one that
    runs but differs is a report that is false.
    """
    candidate, reference = open_sides(
        Path(model),
        against if isinstance(against, Checkpoint) else Path(against),
        device=device,
        threads=threads,
        extra_architectures=extra_architectures,
    )
    reduced = {candidate.spec.precision, reference.spec.precision} - {"fp32"}
    precision = reduced.pop() if reduced else "fp32"
    specs = candidate.spec, reference.spec
    return compare(
        reference.op,
        candidate.op,
        (
            *own_cases(pictures, sizes, *specs),
            *grid(*specs, cost=max(candidate.cost, reference.cost)),
        ),
        candidate.spec.channels,
        tolerance or tolerance_for(precision),
        names=(reference.name, candidate.name),
        provider=candidate.provider,
        exact=reference.exact,
        local=candidate.spec.halo is not None,
        report=report,
    )
