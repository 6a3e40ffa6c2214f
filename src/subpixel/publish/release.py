"""From a network in PyTorch to a published ONNX file: exported, checked, proven, or nothing."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import get_args

import onnx

from subpixel.arguments import expect_choice
from subpixel.errors import ExportError, NetworkError, UsageError
from subpixel.graph.check import CheckReport, check_model
from subpixel.graph.geometry.cost import estimate_cost
from subpixel.graph.geometry.size_constants import size_constants
from subpixel.graph.geometry.size_numbers import SizeNumbers
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.explicit_convolutions import with_explicit_convolutions
from subpixel.graph.passes.fixed_batch import with_fixed_batch
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.passes.wrap import rgb_from_luma, spec_on_rgb
from subpixel.nets.checkpoints.checkpoint import (
    Checkpoint,
    CheckpointFile,
    files_of,
    load_checkpoint,
)
from subpixel.nets.export.attempt import MIN_FIXED_SIDE, Attempt, list_attempts
from subpixel.nets.export.child_process import (
    EXPORT_TIME_LIMIT,
    expect_float,
    expect_sendable,
    export_apart,
)
from subpixel.nets.export.code_numbers import code_numbers
from subpixel.nets.export.export import ExportResult, export_attempt
from subpixel.nets.export.exporters import DEFAULT_OPSET
from subpixel.nets.factory import prepare_module, probe_module
from subpixel.nets.layers.luma import RgbFromLuma
from subpixel.nets.padding import AnySize, with_working_sizes
from subpixel.nets.torch_op import ExactOp, Module, TorchOp
from subpixel.nets.unwrap import unwrap_copy
from subpixel.network.probe import EarlyResult, expect_colours, expect_repeatable, first_result
from subpixel.parity.cases import Grid, grid
from subpixel.parity.compare import OnProgress, ParityReport, compare, tolerance_for
from subpixel.parity.facts import Judged, prove_facts
from subpixel.parity.memory.ledger import MemoryLedger
from subpixel.runtime.session import Session
from subpixel.spec import Exporter, Interface, ModelSpec, Precision
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.targets import expect_onnx_target

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
"""Those of an export; others are made of its file."""

MAX_BOUNDS = 4
"""Bounds that are tried for one file: where it fails below one, the next is smaller."""


@dataclass(frozen=True)
class AttemptResult:
    """How one attempt ended."""

    attempt: Attempt
    reason: str | None
    """Why it was rejected; None for the one that was accepted."""
    seconds: float
    """How long it took, the proof included."""


@dataclass(frozen=True)
class ReleaseReport:
    """What was made and how it did; true when it passed everything and lies at ``path``."""

    spec: ModelSpec
    exporter: Exporter
    opset: int
    check: CheckReport
    parity: ParityReport | None
    """The comparison with PyTorch; None when the file did not pass the check."""
    tried: tuple[AttemptResult, ...]
    """Every attempt, in order; the last one is what is reported on."""
    path: Path | None
    """Where the file was published; None when it failed."""
    kept: Path | None = None
    """Where a file that failed was kept, on request."""

    def __bool__(self) -> bool:
        return bool(self.check) and bool(self.parity)

    def summary(self) -> str:
        """What came out, in one line; it begins with the limits of a file that has any."""
        spec = self.spec
        size = "" if spec.fixed_size is None else "for {}×{} alone: ".format(*spec.fixed_size)
        if spec.size_maximum and not spec.fixed_size:
            size = f"for sides up to {spec.size_maximum} alone: "
        network = f"{spec.architecture} x{spec.scale}, {spec.interface}, {spec.precision}"
        if self.parity and self.parity.reach and not spec.fixed_size:
            size = f"{size}compared up to {'×'.join(map(str, self.parity.reach))} alone: "
        return f"{size}{network}" + ("" if self else "; it failed, and nothing was written")

    def __str__(self) -> str:
        """What came out, each attempt that was rejected, the check, the comparison and the file."""
        lines = [self.summary()]
        lines += [f"rejected: {t.attempt}: {t.reason}" for t in self.tried if t.reason is not None]
        lines += [str(self.check), *([str(self.parity)] if self.parity is not None else [])]
        file = self.path or self.kept
        return "\n".join([*lines, f"wrote {file}" if file else "nothing was written"])


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A file that might be published, and its judges' reports."""

    data: bytes
    spec: ModelSpec
    exported: ExportResult
    check: CheckReport
    parity: ParityReport | None

    def __bool__(self) -> bool:
        return bool(self.check) and bool(self.parity)

    @property
    def fault(self) -> str | None:
        """Why it can't be published."""
        if not self.check:
            return next(f"{f.check}: {f.message}" for f in self.check.findings if not f.ok)
        return None if self.parity is None or self.parity else self.parity.summary()


@dataclass(frozen=True, eq=False)
class _Truth:
    """The network that files are held to."""

    module: Module
    """As it came, untouched."""
    declared: ModelSpec
    """What it said of its sizes, before it was run."""
    seed: int
    """Of the random pictures that it is compared on."""
    numbers: SizeNumbers
    """What its code computes sizes with."""
    early: tuple[EarlyResult, ...] = ()
    """What it computed when it was new."""
    max_memory: int | None = None
    """Bytes that a comparison with it may take; None: what is free."""

    def expect_unchanged(self) -> None:
        """Raise :class:`~subpixel.errors.NetworkError` where it computes something else by now."""
        for early in self.early:
            early.expect_again(TorchOp(self.module))

    def reference(self, exported: ModelSpec, published: ModelSpec) -> Module:
        """What a file with the facts ``published``, made of an export with those of ``exported``,
        must compute: the module itself wherever it runs, padded only where it does not."""
        declared = self.declared
        module = AnySize(self.module, declared, exported) if exported.pads else self.module
        if published.interface == exported.interface:
            return module
        return RgbFromLuma(module, published.scale)


@dataclass(frozen=True)
class _Wish:
    """What kind of file is wanted, and how it is made."""

    interface: Interface
    precision: Precision
    opset: int
    time_limit: float
    isolated: bool


def release(
    network: str | Path | CheckpointFile | Checkpoint | Module,
    out: str | Path,
    *,
    spec: ModelSpec | None = None,
    scale: int | None = None,
    extra_architectures: bool = False,
    interface: Interface = "rgb",
    exporter: Exporter | None = None,
    opset: int = DEFAULT_OPSET,
    precision: Precision = "fp32",
    overwrite: bool = False,
    keep_failed: bool = False,
    time_limit: float = EXPORT_TIME_LIMIT,
    isolated: bool = True,
    seed: int | None = None,
    max_memory: int | None = None,
    report: OnProgress = lambda what, done, total: None,
) -> ReleaseReport:
    """Export ``network``, check the file, compare it with PyTorch, and publish it at ``out``.

    ``network`` is a checkpoint file (``scale`` is for weights that fit any scale, and
    ``extra_architectures`` admits those whose licences may forbid commercial use,
    :func:`~subpixel.nets.checkpoints.checkpoint.load_checkpoint`), or a PyTorch module that maps
    ``(N, C, H, W)`` in 0 … 1 to ``(N, C, H * scale, W * scale)``; a checkpoint may be loaded
    already, as :func:`~subpixel.nets.factory.load_factory` does. ``spec`` says what a module is,
    and on which sizes it works; without it, channels, scale and size multiple are found out by
    running it. Sizes that it turns out to refuse are padded for it.

    The ways to export it (:func:`~subpixel.nets.export.attempt.list_attempts`) are tried in order,
    each for at most ``time_limit`` seconds in a process of its own (``isolated`` False: in this
    one, without a limit). The first file that passes every check and equals PyTorch on the whole
    grid is published, in one move; where that holds for single pictures alone, the file is fixed to
    them. PyTorch's side is always the module itself, untouched, wherever it takes a size. Some
    sizes and pictures are random: ``seed`` draws the same ones again. Cases that take more memory
    than is free, or than ``max_memory`` bytes beside what the process holds, are left out, and the
    report says so. With ``keep_failed`` the last that failed is kept beside it as
    ``<out's stem>.failed.onnx``. ``report`` gets what is being done.

    Raises :class:`~subpixel.errors.UsageError` for arguments that aren't allowed,
    :class:`~subpixel.errors.NetworkError` for a network that can't be used,
    :class:`~subpixel.errors.ExportError` when no file could be made of it at all, and
    :class:`~subpixel.errors.SubpixelError` when it can't be written: ``out`` exists and may not
    be overwritten, for example.
    """
    _expect_network(network)
    expect_choice("interface", interface, get_args(Interface))
    expect_choice("precision", precision, PRECISIONS, hint="; others are made of that file")
    if exporter is not None:
        expect_choice("exporter", exporter, get_args(Exporter), hint="; None takes any that passes")
    out = Path(out)
    expect_onnx_target(out, files_of(network), overwrite=overwrite)  # now, not after the work
    wish = _Wish(interface, precision, opset, time_limit, isolated)
    loaded = _load_network(network, spec, scale, extra_architectures)
    expect_float(loaded.module)
    if isolated:
        expect_sendable(loaded.module)
    module = loaded.module
    early = loaded.early or _list_early(first_result(TorchOp(module), loaded.spec))
    seed = secrets.randbits(32) if seed is None else seed
    ways = list_attempts(spec := with_working_sizes(module, loaded.spec), exporter, opset)
    early += _list_early(expect_repeatable(TorchOp(module), spec))
    expect_colours(TorchOp(module), spec)
    truth = _Truth(module, loaded.spec, seed, code_numbers(module), early, max_memory)
    best, tried = _first_that_passes(truth, spec, ways, wish, report)
    path = out if best else None
    kept = out.with_suffix(".failed.onnx") if keep_failed and not best else None
    if path:
        write_bytes(path, best.data, overwrite=overwrite)
    if kept:
        write_bytes(kept, best.data, overwrite=True)
    attempt = best.exported.attempt
    return ReleaseReport(
        best.spec, attempt.exporter, opset, best.check, best.parity, tried, path, kept
    )


def _expect_network(network: object) -> None:
    if isinstance(network, str | Path | CheckpointFile | Checkpoint | Module):
        return
    weights = isinstance(network, Mapping)
    raise UsageError(
        f"the network is {'a dictionary' if weights else f'of {type(network).__name__}'}; give a "
        "PyTorch module (torch.nn.Module) or the name of a checkpoint file"
        + ("; load a dictionary of weights into its module and give that" if weights else "")
    )


def _load_network(
    network: str | Path | CheckpointFile | Checkpoint | Module,
    spec: ModelSpec | None,
    scale: int | None,
    extra: bool,
) -> Checkpoint:
    if isinstance(network, str | Path | CheckpointFile | Checkpoint) and spec is not None:
        raise UsageError("a checkpoint says itself what it is; spec is for modules")
    if isinstance(network, str | Path | CheckpointFile):
        return load_checkpoint(network, scale=scale, extra_architectures=extra)
    if scale is not None:
        raise UsageError("a module knows its own scale; scale is for checkpoints")
    if isinstance(network, Checkpoint):
        return replace(network, module=prepare_module(unwrap_copy(network.module)))
    module = unwrap_copy(network)  # what is the caller's stays as it is
    if spec is None:
        return probe_module(module, type(module).__name__)
    return Checkpoint(prepare_module(module), spec)


def _list_early(result: EarlyResult | None) -> tuple[EarlyResult, ...]:
    return () if result is None else (result,)


def _first_that_passes(
    truth: _Truth, spec: ModelSpec, ways: Sequence[Attempt], wish: _Wish, report: OnProgress
) -> tuple[_Candidate, tuple[AttemptResult, ...]]:
    """The first candidate that passes, or the last that could be made at all.

    One that is right up to some size comes before those for one size alone.
    """
    search = _Search(truth, spec, wish, report)
    any_size = [way for way in ways if way.free_size]
    for way in any_size:
        if not search.is_pointless(way) and search.try_way(way):
            return search.result()
    if search.find_bound():
        return search.result()
    for way in ways:
        if not way.free_size and search.try_way(way):
            break
    return search.result()


@dataclass
class _Search:
    """What has been tried, and how it ended."""

    truth: _Truth
    spec: ModelSpec
    wish: _Wish
    report: OnProgress
    tried: list[AttemptResult] = field(default_factory=list)
    last: _Candidate | None = None
    bounded: tuple[_Candidate, int] | None = None
    """A file that was right up to a side of so many pixels, the largest so far."""
    unexportable: set[Attempt] = field(default_factory=set)
    """Of what the exporter itself failed: :func:`_without_padding` of each."""

    def try_way(self, way: Attempt) -> bool:
        """Whether the export by ``way`` passes everything."""
        self.report(f"export by {way}", 0, 0)
        return self._judge(
            way, lambda: _candidate(self.truth, self.spec, way, self.wish, self.report)
        )

    def find_bound(self) -> bool:
        """Whether the file that was right up to the largest side passes on pictures up to some."""
        for _ in range(MAX_BOUNDS):
            if self.bounded is None:
                return False
            candidate, bound = self.bounded
            self.bounded = None
            if self._judge_bounded(candidate, bound):
                return True
        return False

    def _judge_bounded(self, candidate: _Candidate, bound: int) -> bool:
        spec = replace(candidate.spec, size_maximum=bound)
        model = with_spec(onnx.load_from_string(candidate.data), spec)
        way, exported = candidate.exported.attempt, candidate.exported
        return self._judge(
            way, lambda: _judge_candidate(self.truth, exported, model, spec, self.report)
        )

    def is_pointless(self, way: Attempt) -> bool:
        """Padding to windows mends files that are wrong at small sizes, not at large ones; and how
        is padded makes no difference to an exporter, which sees the example alone."""
        if _without_padding(way) in self.unexportable:
            return True
        return self.bounded is not None and way.multiple > self.spec.size_multiple

    def result(self) -> tuple[_Candidate, tuple[AttemptResult, ...]]:
        if self.last is None:
            raise ExportError(
                f"no exporter manages this network{''.join(map(_describe_attempt, self.tried))}"
            )
        return self.last, tuple(self.tried)

    def _judge(self, way: Attempt, judge: Callable[[], _Candidate]) -> bool:
        began = time.monotonic()
        try:
            self.last = judge()
            fault = self.last.fault
            self._note_bound(self.last)
        except NetworkError as error:
            fault = str(error)
            if isinstance(error, ExportError):
                self.unexportable.add(_without_padding(way))
        self.tried.append(AttemptResult(way, fault, time.monotonic() - began))
        self.truth.expect_unchanged()
        return fault is None

    def _note_bound(self, candidate: _Candidate) -> None:
        """Pictures are compared from small to large: where the first fault is at a large one,
        the file may be right up to there."""
        if candidate.parity is None or not candidate.parity.failures or candidate.spec.fixed_size:
            return
        case = candidate.parity.failures[0].case
        bound = _bound_below(max(case.height, case.width), candidate)
        if bound >= MIN_FIXED_SIDE and (self.bounded is None or bound > self.bounded[1]):
            self.bounded = candidate, bound


def _bound_below(side: int, candidate: _Candidate) -> int:
    """The next smaller bound for a file that is wrong at ``side``.

    Where that was its bound already, it is the padding that goes beyond: sizes that are padded to
    the same multiple are as wrong.
    """
    attempt, spec = candidate.exported.attempt, candidate.spec
    multiple = max(attempt.multiple, spec.size_multiple) if side == spec.size_maximum else 1
    return (side - 1) // multiple * multiple


def _without_padding(way: Attempt) -> Attempt:
    """``way`` as its exporter sees it: the same for every kind of padding."""
    return replace(way, padding="reflect")


def _describe_attempt(tried: AttemptResult) -> str:
    return f"; {tried.attempt}: {tried.reason}"


def _candidate(
    truth: _Truth, spec: ModelSpec, way: Attempt, wish: _Wish, report: OnProgress
) -> _Candidate:
    if wish.isolated:
        exported = export_apart(truth.module, spec, way, wish.opset, time_limit=wish.time_limit)
    else:
        exported = export_attempt(truth.module, spec, way, wish.opset)
    model, spec = _finish_export(exported, wish)
    candidate = _judge_candidate(truth, exported, model, spec, report)
    if candidate.parity is None or not any(f.case.batch > 1 for f in candidate.parity.failures):
        return candidate
    model, spec = with_fixed_batch(model, 1), replace(spec, fixed_batch=1)
    return _judge_candidate(truth, exported, with_spec(model, spec), spec, report)


def _finish_export(exported: ExportResult, wish: _Wish) -> tuple[onnx.ModelProto, ModelSpec]:
    """The export with the interface and the precision that are wanted."""
    model, spec = exported.model, exported.spec
    if wish.interface == "rgb" and spec.interface == "luma":
        model, spec = rgb_from_luma(model, spec.scale), spec_on_rgb(spec)
    if wish.precision == "fp16":
        model, spec = to_fp16(model), replace(spec, precision="fp16")
    return with_spec(with_explicit_convolutions(model), spec), spec


def _judge_candidate(
    truth: _Truth,
    exported: ExportResult,
    model: onnx.ModelProto,
    spec: ModelSpec,
    report: OnProgress,
) -> _Candidate:
    """Check ``model``, then compare the very bytes that will be published with PyTorch."""
    data, check = model.SerializeToString(), check_model(model, spec)
    if not check:
        return _Candidate(data, spec, exported, check, None)
    reference = truth.reference(exported.spec, spec)
    numbers = truth.numbers | size_constants(model)
    cost = estimate_cost(model, local=spec.halo is not None)
    drawn = grid(spec, cost=cost, numbers=numbers, seed=truth.seed)
    unoptimised = partial(Session, data, optimisation="none")
    judged = Judged(Session(data), spec, model, unoptimised)
    memory = MemoryLedger(spec.halo is not None, truth.max_memory)
    return _Candidate(data, spec, exported, check, _proof(reference, judged, drawn, memory, report))


def _proof(
    reference: Module, judged: Judged, drawn: Grid, memory: MemoryLedger, report: OnProgress
) -> ParityReport:
    """The comparison with PyTorch up to its first failure, small pictures first; then the facts."""
    spec, tolerance, exact = judged.spec, tolerance_for(judged.spec.precision), ExactOp(reference)
    found = compare(
        TorchOp(reference),
        judged.op,
        sorted(drawn.cases, key=lambda case: case.pixels),
        spec.channels,
        tolerance,
        names=(f"{spec.name} (PyTorch)", f"{spec.name} (ONNX Runtime)"),
        provider="CPUExecutionProvider",
        exact=exact,
        local=spec.halo is not None,
        until_failure=True,
        memory=memory,
        report=report,
    )
    found = replace(found, left_out=drawn.left_out, seed=drawn.seed)
    if not found:
        return found
    cases = found.without_too_large(drawn.cases)
    facts = prove_facts(judged, TorchOp(reference), cases, tolerance, memory)
    return replace(found, facts=facts)
