"""One network file against another, or against the checkpoint it came from."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.nets.torch_op import Module
from subpixel.network.settings import RunSettings
from subpixel.parity.cases import Case
from subpixel.parity.compare import CaseResult, OnProgress, ParityReport, Tolerance, compare
from subpixel.parity.discriminating_sizes import Size
from subpixel.parity.facts import Judged, prove_facts
from subpixel.parity.memory.ledger import MemoryLedger
from subpixel.parity.own_cases import own_cases
from subpixel.parity.side import (
    Reference,
    Side,
    as_reference,
    default_tolerance,
    grid_of,
    open_sides,
)
from subpixel.runtime.devices import find_device
from subpixel.runtime.opening import open_session


def verify(
    model: str | Path,
    against: str | Reference | Module,
    *,
    pictures: Sequence[Path] = (),
    sizes: Sequence[Size] = (),
    tolerance: Tolerance | None = None,
    device: str = "cpu",
    threads: int | None = None,
    extra_architectures: bool = False,
    seed: int | None = None,
    max_memory: int | None = None,
    report: OnProgress = lambda what, done, total: None,
) -> ParityReport:
    """Compare ``model``, an ONNX file, with ``against``: a checkpoint, or another ONNX file, or a
    TorchScript archive; a :class:`~subpixel.nets.checkpoints.checkpoint.CheckpointFile` says which
    weights of a checkpoint, and in which settings.

    A checkpoint may be loaded already, as :func:`~subpixel.nets.factory.load_factory` does, or be
    a PyTorch module, whose facts running it shows.
    Besides the grid, the files ``pictures`` are compared, and every content of the grid at each
    height and width in ``sizes``.

    ``model`` runs under ONNX Runtime on ``device``; the reference on the CPU, a checkpoint under
    PyTorch, itself and untouched at every size that it takes. Where one side takes RGB and the
    other luma, the luma side is put on RGB pictures. A file that doesn't carry our facts is taken
    to be what its reference is; what a file does claim is proven as well
    (:func:`~subpixel.parity.facts.prove_facts`). The default tolerance is that of the graphs'
    precision (:func:`~subpixel.parity.side.default_tolerance`).

    Some sizes and pictures are random: ``seed`` draws the same ones again; None draws new ones,
    and the report has their seed. A case of the grid that takes more memory than is free, or than
    ``max_memory`` bytes beside what the process holds, is left out, and the report says so; a
    picture or size of the user's own fails then. ``report`` gets each case's name, how many are
    done, and their total.

    Raises :class:`~subpixel.errors.NetworkError` for a file that can't be used at all; one that
    runs but differs is a report that is false.
    """
    if not isinstance(model, str | Path):
        raise UsageError(f"the file is of {type(model).__name__}; give the name of an ONNX file")
    settings = RunSettings(device, threads=threads).resolve()
    candidate, reference = open_sides(
        Path(model),
        as_reference(against, extra_architectures=extra_architectures),
        settings,
    )
    own = own_cases(pictures, sizes, candidate.spec, reference.spec)
    drawn = grid_of(candidate, reference, seed=secrets.randbits(32) if seed is None else seed)
    tolerance = tolerance or default_tolerance(candidate, reference)
    local = candidate.spec.halo is not None
    memory = MemoryLedger(local, max_memory, bounded=settings.device == "cpu")
    found = compare(
        reference.op,
        candidate.op,
        (*own, *drawn.cases),
        candidate.spec.channels,
        tolerance,
        names=(reference.name, candidate.name),
        provider=candidate.provider,
        exact=reference.exact,
        local=local,
        memory=memory,
        report=report,
    )
    found = _with_own_failed(found, own)
    report("facts", len(drawn.cases), len(drawn.cases))
    judged = _subject_of(candidate, settings)
    cases = found.without_too_large(drawn.cases)
    facts = prove_facts(judged, reference.op, cases, tolerance, memory)
    reference.expect_unchanged()
    return replace(found, facts=facts, left_out=drawn.left_out, seed=drawn.seed)


def _with_own_failed(found: ParityReport, own: Sequence[Case]) -> ParityReport:
    """What was asked for by name is not merely left out where memory is not enough."""
    failed = [one for one in found.too_large if one.case in own]
    results = [CaseResult(one.case, passed=False, reason=f"it takes {one.told}") for one in failed]
    rest = tuple(one for one in found.too_large if one.case not in own)
    return replace(found, results=(*results, *found.results), too_large=rest)


def _subject_of(candidate: Side, settings: RunSettings) -> Judged:
    assert candidate.model is not None, "the candidate is an ONNX file"
    data = candidate.model.SerializeToString()
    opened = partial(
        open_session,
        data,
        device=settings.device,
        threads=settings.threads,
        optimisation="none",
    )
    chooses = find_device(settings.device).runtime == "onnxruntime"
    return Judged(candidate.op, candidate.spec, candidate.model, opened if chooses else None)
