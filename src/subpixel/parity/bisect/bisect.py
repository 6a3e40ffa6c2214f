"""A wrong file → the stage and the node that make it wrong."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.nets.checkpoints.checkpoint import files_of
from subpixel.nets.torch_op import Module
from subpixel.network.settings import RunSettings
from subpixel.parity.bisect.blame import Blame
from subpixel.parity.bisect.case.case_folder import expect_free_for_case, write_case
from subpixel.parity.bisect.failing import smallest_failure
from subpixel.parity.bisect.fresh import fresh_exports
from subpixel.parity.bisect.inquiry import Inquiry
from subpixel.parity.compare import OnProgress, Tolerance
from subpixel.parity.discriminating_sizes import Size
from subpixel.parity.own_cases import own_cases
from subpixel.parity.side import Reference, as_reference, default_tolerance, open_sides
from subpixel.runtime.devices import find_device
from subpixel.runtime.opening import resolve_device
from subpixel.system.files.targets import expect_inputs_spared


def bisect(
    bad: str | Path,
    against: str | Reference | Module,
    *,
    out: str | Path | None = None,
    pictures: Sequence[Path] = (),
    sizes: Sequence[Size] = (),
    device: str = "cpu",
    tolerance: Tolerance | None = None,
    extra_architectures: bool = False,
    overwrite: bool = False,
    report: OnProgress = lambda what, done, total: None,
) -> Blame:
    """Find what makes ``bad``, an ONNX file, differ from ``against``: a checkpoint or ONNX file.

    A checkpoint may be loaded already, as :func:`~subpixel.nets.factory.load_factory` does. The
    grid of :func:`~subpixel.parity.verify.verify` is gone through from the smallest picture on,
    until one fails; in its place the files ``pictures``, and every content of the grid at each
    height and width in ``sizes``, where there are any. On that picture each stage is turned off
    alone, then the node is searched for by bisection: the bad graph makes everything up to a
    place, the reference's graph what comes after, and the picture says whether the fault lies
    before. A place where one of them doesn't run is passed over. A checkpoint's graph is exported
    anew: where that is right, the exporter is not to blame, and where it is as wrong as ``bad``,
    the graph is held to PyTorch, module by module.

    ``bad`` runs on ``device``, the reference on the CPU; ``extra_architectures`` admits such a
    checkpoint (:func:`~subpixel.nets.checkpoints.checkpoint.load_checkpoint`). ``out`` is the
    folder in which the case is written, if there is one
    (:func:`~subpixel.parity.bisect.case.case_folder.write_case`); ``report`` gets what is being
    done, how much of it is done, and the total.

    Raises :class:`~subpixel.errors.NetworkError` for a file that can't be used at all and when
    the reference itself fails wherever the two differ, and
    :class:`~subpixel.errors.SubpixelError` when ``out`` exists and may not be overwritten.
    """
    bad, out = Path(bad), Path(out) if out else None
    against = as_reference(against, extra_architectures=extra_architectures)
    device = resolve_device(device)
    if find_device(device).runtime != "onnxruntime" or find_device(device).plugin:
        raise UsageError(
            f"device is {device!r}; bisect takes graphs apart on a device of ONNX Runtime's own: "
            "cpu, or see subpixel doctor"
        )
    if out:
        expect_inputs_spared(out, [bad, *files_of(against)])
        expect_free_for_case(out, overwrite=overwrite)  # said now, not after the work
    network, reference = open_sides(bad, against, RunSettings(device))
    asked = tolerance is not None
    tolerance = tolerance or default_tolerance(network, reference)
    own = own_cases(pictures, sizes, network.spec, reference.spec)
    failure = smallest_failure(network, reference, tolerance, report, own)
    reference.expect_unchanged()
    if failure is None:
        return Blame(network.name, reference.name, equal=True, asked=asked)
    fresh = partial(fresh_exports, against)
    blame, excerpt = Inquiry(
        network, reference, fresh, failure, tolerance, device, report
    ).verdict()
    reference.expect_unchanged()
    blame = replace(blame, asked=asked)
    if out is None:
        return blame
    return replace(blame, folder=write_case(out, blame, excerpt, overwrite=overwrite))
