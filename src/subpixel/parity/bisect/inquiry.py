"""One failing picture, and the questions that lead from it to the node to blame."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import onnx

from subpixel.errors import NetworkError
from subpixel.graph.execute import (
    CPU,
    evaluate_flow,
    optimise_graph,
    reference_engine,
    runtime_engine,
)
from subpixel.graph.flow import AnyArray, Flow, TensorValues, flow
from subpixel.graph.geometry.propagate import onnx_opset
from subpixel.graph.passes.pad import PAD_PREFIX as PADDING
from subpixel.graph.passes.wrap import RGB_PREFIX as WRAPPING
from subpixel.graph.precision import graph_precision
from subpixel.nets.torch_op import TorchOp
from subpixel.parity.bisect.alignment.align import align
from subpixel.parity.bisect.alignment.forms import expect_separable
from subpixel.parity.bisect.alignment.widen import widen_types, with_parameters_of
from subpixel.parity.bisect.blame import Blame, Stage, Without, first_cure
from subpixel.parity.bisect.case.excerpt import Excerpt, distance, excerpt, whole
from subpixel.parity.bisect.locate import CULPRIT_SHARE, Part, SpliceTrial, max_difference
from subpixel.parity.bisect.modules import ModuleFault, first_wrong_module
from subpixel.parity.bisect.origin import (
    OPEN_ORIGIN,
    NewExports,
    Origin,
    conversion,
    is_added,
    only_difference,
    origin_of,
)
from subpixel.parity.bisect.splice import Splice
from subpixel.parity.bisect.suspect import Suspect, node_name, path_of, suspect
from subpixel.parity.cases import pixels
from subpixel.parity.compare import (
    CODES,
    NOISE_FACTOR,
    CaseResult,
    OnProgress,
    ParityReport,
    Tolerance,
    compare,
)
from subpixel.parity.side import Side
from subpixel.runtime.op import NetOp, Pixels
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec, Precision
from subpixel.system.session_options import Optimisation

LEVELS: tuple[Optimisation, ...] = ("basic", "extended", "all")

ROUNDING: Mapping[Precision, float] = {"fp16": 2.0**-7, "bf16": 2.0**-4, "int8": 2.0**-4}
"""What a node of a precision may be off by honestly, relative to the largest of its values: 16
units in the last place of fp16 and bf16, 16 of int8's 256 steps."""

CLOSE = 1e-4
"""Relative to the largest value: what two right implementations of one module may be apart."""


FreshExports = Callable[[onnx.ModelProto, ModelSpec, OnProgress], Iterable[onnx.ModelProto]]
"""A graph to take after, the facts wanted, a report → graphs, the likeliest first."""


@dataclass(frozen=True, eq=False)
class Inquiry:
    """A bad network on a picture where it fails, held to its reference."""

    network: Side
    reference: Side
    fresh: FreshExports
    """Gives a checkpoint's graph, exported anew."""
    failure: CaseResult
    tolerance: Tolerance
    device: str
    report: OnProgress

    def verdict(self) -> tuple[Blame, Excerpt]:
        """The blame, and the part of the network that shows the fault.

        Raises :class:`~subpixel.errors.NetworkError` where the nodes of one of the two can't be
        told apart.
        """
        for side in (self.network, self.reference):
            if side.model is not None:
                expect_separable(side.name, side.model)
        self.report("turning each stage off alone", 0, 0)
        stage = first_cure(list(self._variants()), self._is_cured)
        if stage is None and self._good is None:
            return self._by_modules()
        return self._by_bisection(stage)

    @property
    def _model(self) -> onnx.ModelProto:
        assert self.network.model is not None, "only files are blamed"
        return self.network.model

    @cached_property
    def _pixels(self) -> Pixels:
        return pixels(self.failure.case, self.network.spec.channels)

    @cached_property
    def _reference_picture(self) -> Pixels:
        return self.reference.op(self._pixels)

    @cached_property
    def _precision(self) -> Precision:
        return graph_precision(self._model)

    @cached_property
    def _bad(self) -> Flow:
        return flow(self._model)

    @cached_property
    def _good(self) -> Flow | None:
        """The reference's graph in float32, right on this picture; None where none can be had."""
        if self.reference.model is not None:
            return flow(widen_types(self.reference.model))
        return None if self._exports.right is None else flow(self._exports.right)

    @cached_property
    def _exports(self) -> NewExports:
        """New exports of a checkpoint up to the first that is right; of a file there are none."""
        wrong: list[onnx.ModelProto] = []
        if self.reference.model is not None:
            return NewExports()
        for model in self.fresh(self._model, self.network.spec, self.report):
            if self._right(_plain_session(model)):
                return NewExports(model, tuple(wrong))
            wrong.append(model)
        return NewExports(None, tuple(wrong))

    @cached_property
    def _in_fp32(self) -> Flow:
        """The bad graph in float32, its parameters as they were before rounding."""
        if self._precision == "fp32":
            return self._bad
        wide = flow(widen_types(self._model))
        if self._good is None:
            return wide
        return with_parameters_of(align(wide, self._good), self._precision)

    def _right(self, op: NetOp) -> bool:
        return bool(self._compare_with_reference(op))

    def _compare_with_reference(self, op: NetOp) -> ParityReport:
        case, channels = self.failure.case, self.network.spec.channels
        exact = self.reference.exact
        return compare(
            lambda _: self._reference_picture,
            op,
            (case,),
            channels,
            self.tolerance,
            exact=exact,
            local=self.network.spec.halo is not None,
        )

    def _is_cured(self, op: NetOp) -> bool:
        """Whether the picture is right, and by more than a hair's breadth."""
        (result,) = self._compare_with_reference(op).results
        return result.passed and max_difference(result) <= CULPRIT_SHARE * max_difference(
            self.failure
        )

    def _variants(self) -> Iterator[Without]:
        """The bad network with one stage turned off."""
        model, device = _model_bytes(self._model), self.device
        yield Without("optimiser", lambda: Session(model, device=device, optimisation="none"))
        if self.network.provider != CPU:
            yield Without("execution provider", lambda: Session(model))
        if self._precision != "fp32":
            yield Without("precision", lambda: Session(_model_bytes(self._in_fp32.model)))

    def _splice(self, stage: Stage | None) -> Splice:
        """The bad graph and one that is right, with nothing but the stage between them."""
        bad, cpu, there = self._bad, runtime_engine(), runtime_engine(self.network.provider)
        if stage == "optimiser":
            rewritten = flow(optimise_graph(self._model, self.network.provider, self._level))
            return Splice(align(rewritten, bad), there, there, self._pixels)
        if stage == "execution provider":
            return Splice(align(bad, bad), there, cpu, self._pixels)
        if stage == "precision":
            return Splice(align(bad, self._in_fp32), cpu, cpu, self._pixels)
        assert self._good is not None
        return Splice(align(self._in_fp32, self._good), cpu, cpu, self._pixels)

    @cached_property
    def _level(self) -> Optimisation:
        """The least optimisation that shows the fault."""
        model, device = _model_bytes(self._model), self.device
        sessions = ((level, Session(model, device=device, optimisation=level)) for level in LEVELS)
        return next((level for level, session in sessions if not self._right(session)), "all")

    def _by_bisection(self, stage: Stage | None) -> tuple[Blame, Excerpt]:
        splice = self._splice(stage)
        trial = SpliceTrial(splice, self.failure.case, self._tolerance)
        if not trial.shows(self.failure):  # run apart, the two graphs are as one
            return self._blame(stage or "graph"), self._whole(stage)
        parts = trial.parts(self.report)
        part = next((part for part in parts if self._guilty(splice, part, stage)), None)
        if part is None:
            blame = self._blame(stage or "graph")
            blame = replace(blame, accumulated=True, growth=trial.growth())
            return blame, self._whole(stage)
        found = suspect(splice.alignment, part.before, part.after)
        origin = Origin(stage) if stage else self._origin(splice, trial, part, found)
        stage = origin.stage
        blame = self._with_node(self._blame(stage), found)
        evidence = (*blame.evidence, *_opsets(splice), *origin.evidence, *self._conversion(stage))
        blame = replace(blame, evidence=evidence, alone=part.alone, mended=part.mended)
        return blame, self._excerpt(splice, part, stage) or self._whole(stage)

    @property
    def _tolerance(self) -> Tolerance:
        """Between two graphs; it leaves room for the reference's own rounding, as the proof did."""
        room = min(NOISE_FACTOR * (self.failure.noise or 0.0), 1 / CODES)
        return replace(self.tolerance, atol=max(self.tolerance.atol, room))

    def _blame(self, stage: Stage) -> Blame:
        names = self.network.name, self.reference.name
        return Blame(*names, equal=False, stage=stage, result=self.failure)

    def _guilty(self, splice: Splice, part: Part, stage: Stage | None) -> bool:
        return part.guilty and not (stage == "precision" and self._rounding(splice, part))

    def _rounding(self, splice: Splice, part: Part) -> bool:
        """Whether what a part makes of right values is off by no more than honest rounding."""
        try:
            found, expected = (
                splice.results(part.before, part.after),
                splice.right_values(part.after),
            )
        except NetworkError:
            return False
        most = ROUNDING[self._precision]
        return all(_relative(found[name], expected[name]) <= most for name in expected)

    def _origin(self, splice: Splice, trial: SpliceTrial, part: Part, found: Suspect) -> Origin:
        """Where a wrong node comes from that is wrong however it is run."""
        ours = bool(found.differing) and self._ours(found.differing[0])
        if ours and is_added(splice.alignment, found.differing[0]):
            return Origin("graph passes")
        if not found.changed and self._third_opinion(splice, trial, part):
            return Origin("runtime")
        nodes = [node for node in found.differing if node in found.group] or [found.node]
        if self.reference.model is not None:
            same_form = {self._precision, self.reference.spec.precision} == {"fp32"}
            evidence = only_difference(splice.alignment, nodes) if same_form else ()
            return Origin("graph", tuple(evidence))
        if not found.differing:
            return OPEN_ORIGIN
        origin = origin_of(self._model, splice.bad, nodes, self._exports, splice.alignment)
        # Around a new export subpixel puts the same: no exporter wrote it.
        by_us = ours and origin.stage == "exporter"
        return replace(origin, stage="graph passes") if by_us else origin

    def _conversion(self, stage: Stage) -> Iterator[str]:
        if stage == "precision":
            yield from conversion(self._precision, self._exports)

    def _ours(self, node: onnx.NodeProto) -> bool:
        passes = (WRAPPING, PADDING) if self.network.spec.pads else (WRAPPING,)
        return node.name.startswith(passes)

    def _third_opinion(self, splice: Splice, trial: SpliceTrial, part: Part) -> bool:
        """Whether the part is right when ONNX's own reference computes it."""
        by_reference = replace(splice, bad_engine=reference_engine)
        return trial.judge(lambda: by_reference.alone(part.before, part.after)).passed

    def _excerpt(self, splice: Splice, part: Part, stage: Stage) -> Excerpt | None:
        """The part by itself; None where it doesn't show the fault by itself."""
        try:
            expected, given = splice.right_values(part.after), splice.right_values(part.before)
        except NetworkError:
            return None
        given = {self._bad.picture: self._pixels, **given}
        source = splice.bad
        if stage == "optimiser":  # what the optimiser was given, in place of what it made
            source, names = splice.good, splice.alignment.values
            given, expected = _rename_values(given, names), _rename_values(expected, names)
        found = excerpt(source, given, expected, *self._conditions(stage))
        if found and found.failure and not splice.runs_between(part.before, part.after):
            return None  # it fails for being cut out
        return found if found and found.differs else None

    def _whole(self, stage: Stage | None) -> Excerpt:
        return whole(self._model, self._pixels, self._reference_picture, *self._conditions(stage))

    def _conditions(self, stage: Stage | None) -> tuple[str, Optimisation]:
        """The execution provider and the optimisation with which the fault shows."""
        there = stage in ("optimiser", "execution provider")
        return (
            self.network.provider if there else CPU,
            self._level if stage == "optimiser" else "none",
        )

    def _by_modules(self) -> tuple[Blame, Excerpt]:
        """Hold the graph to PyTorch: every new export of the checkpoint is wrong, too."""
        op = self.reference.op
        if not isinstance(op, TorchOp):
            return self._blame("graph"), self._whole(None)
        self.report("comparing module by module", 0, 0)
        fault = first_wrong_module(
            self._in_fp32,
            runtime_engine(),
            op,
            self._pixels,
            lambda picture: self._right(lambda _: picture()),
        )
        if fault is None:
            same = any(self._same_picture(model) for model in self._exports.wrong)
            return self._blame("exporter" if same else "graph"), self._whole(None)
        return self._by_module(fault)

    def _same_picture(self, export: onnx.ModelProto) -> bool:
        """Whether a new export gives the picture that the file gives, be it wrong or none."""
        case, channels = self.failure.case, self.network.spec.channels
        by_file, by_export = _plain_session(self._model), _plain_session(export)
        (result,) = compare(by_export, by_file, (case,), channels, self.tolerance).results
        both_fail = result.max_abs is None and result.shape is None
        return result.passed or (both_fail and not self._gives_any(by_export))

    def _gives_any(self, op: NetOp) -> bool:
        try:
            return bool(np.isfinite(op(self._pixels)).all())
        except (NetworkError, MemoryError):
            return False

    def _by_module(self, fault: ModuleFault) -> tuple[Blame, Excerpt]:
        graph = self._in_fp32
        group = [graph.nodes[i] for i in graph.nodes_for([fault.value], fault.right)]
        group = [node for node in group if not graph.shown.isdisjoint(node.output)]
        inside = [node for node in group if (path_of(node) or "").startswith(fault.path)]
        origin = origin_of(self._model, graph, inside or group, self._exports)
        evidence = (*((EXPORTS_WRONG,) if self._exports.wrong else ()), *origin.evidence)
        found = Suspect((inside or group)[0], tuple(group), (), False, evidence)
        given = self._right_values(fault, group)
        agrees = self._reference_agrees(given, fault)
        blame = self._with_node(self._blame("runtime" if agrees else origin.stage), found)
        blame = replace(blame, module=fault.path)
        cut = excerpt(graph, given, {fault.value: fault.expected}, CPU, "none")
        return blame, cut if cut and cut.differs else self._whole(None)

    def _with_node(self, blame: Blame, found: Suspect) -> Blame:
        node = self._in_file(found.node)
        return replace(
            blame,
            node=node_name(node),
            op_type=node.op_type,
            module=path_of(node),
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            group=tuple(node_name(each) for each in found.group),
            evidence=found.evidence,
        )

    def _in_file(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """A node as it stands in the file, where it was rewritten to be run in float32."""
        if not node.name:
            return node
        return next((each for each in self._model.graph.node if each.name == node.name), node)

    def _right_values(self, fault: ModuleFault, group: list[onnx.NodeProto]) -> TensorValues:
        """What the nodes of a wrong module read of right modules."""
        read = {name for node in group for name in node.input}
        names = [name for name in fault.right if name in read]
        picture = {self._in_fp32.picture: self._pixels}
        return {**picture, **evaluate_flow(self._in_fp32, runtime_engine(), picture, names)}

    def _reference_agrees(self, given: TensorValues, fault: ModuleFault) -> bool:
        """Whether ONNX's own reference makes of the module's nodes what PyTorch does."""
        try:
            found = evaluate_flow(self._in_fp32, reference_engine, given, [fault.value])[
                fault.value
            ]
        except NetworkError:
            return False
        return _relative(found, fault.expected) <= CLOSE


EXPORTS_WRONG = "every new export of the checkpoint is wrong on this picture, too"


def _opsets(splice: Splice) -> Iterator[str]:
    """That the two graphs are written in different opsets, where they are."""
    ours, theirs = onnx_opset(splice.bad.model), onnx_opset(splice.good.model)
    if ours != theirs:
        yield f"opset: {theirs} → {ours}"


def _plain_session(model: onnx.ModelProto) -> Session:
    return Session(_model_bytes(model), optimisation="none")


def _model_bytes(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString())


def _rename_values(values: TensorValues, names: Mapping[str, str]) -> TensorValues:
    return {names[name]: array for name, array in values.items() if name in names}


def _relative(found: AnyArray, expected: AnyArray) -> float:
    """The largest difference as a share of the largest value."""
    most = float(np.abs(expected).max(initial=0.0))
    off = distance(found, expected)
    return off / most if most else off
