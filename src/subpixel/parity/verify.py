"""One network file against another, or against the checkpoint it came from."""

from pathlib import Path

from subpixel.parity.cases import grid
from subpixel.parity.compare import ParityReport, Report, Tolerance, compare, tolerance_for
from subpixel.parity.side import Reference, as_reference, open_sides


def verify(
    model: str | Path,
    against: str | Reference,
    *,
    tolerance: Tolerance | None = None,
    device: str = "cpu",
    threads: int | None = None,
    extra_architectures: bool = False,
    report: Report = lambda what, done, total: None,
) -> ParityReport:
    """Compare ``model``, an ONNX file, with ``against``: a checkpoint, or another ONNX file, or a
    TorchScript archive; a :class:`~subpixel.nets.checkpoint.CheckpointFile` says which weights of
    a checkpoint, and in which settings.

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
        as_reference(against),
        device=device,
        threads=threads,
        extra_architectures=extra_architectures,
    )
    reduced = {candidate.spec.precision, reference.spec.precision} - {"fp32"}
    precision = reduced.pop() if reduced else "fp32"
    return compare(
        reference.op,
        candidate.op,
        grid(candidate.spec, reference.spec, cost=max(candidate.cost, reference.cost)),
        candidate.spec.channels,
        tolerance or tolerance_for(precision),
        names=(reference.name, candidate.name),
        provider=candidate.provider,
        exact=reference.exact,
        local=candidate.spec.halo is not None,
        report=report,
    )
