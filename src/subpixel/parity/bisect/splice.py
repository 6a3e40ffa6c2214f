"""One graph up to some nodes and another from there on: how a fault shows in the picture.

That is how a difference between two values is judged here. Whether 1e-4 in the middle of a
network is a fault or rounding can't be seen from the values; put into the right network, it
changes the picture or it doesn't.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from onnx import TensorProto, helper

from subpixel.errors import NetworkError
from subpixel.graph.execute import Engine, evaluate_flow
from subpixel.graph.flow import LAYOUT_DOMAINS, AnyArray, Flow, TensorValues
from subpixel.parity.bisect.alignment.align import Alignment
from subpixel.runtime.op import Pixels


@dataclass(frozen=True)
class GraphCut:
    """A place between the nodes of the bad graph where the right graph can take over."""

    nodes: int
    """How many nodes of the bad graph lie before it."""
    values: Mapping[str, str]
    """What is alive there, by its names in the bad graph and in the right one."""


@dataclass(frozen=True, eq=False)
class Splice:
    """A bad graph and a right one on one picture, each with what runs it."""

    alignment: Alignment
    bad_engine: Engine
    good_engine: Engine
    pixels: Pixels

    @property
    def bad(self) -> Flow:
        return self.alignment.left

    @property
    def good(self) -> Flow:
        return self.alignment.right

    @cached_property
    def cuts(self) -> tuple[GraphCut, ...]:
        """From before the first node to after the last, in order."""
        return tuple(_cuts(self.alignment))

    def right(self) -> Pixels:
        """The picture by the right graph alone."""
        return self._finish({})

    def push(self, cut: GraphCut) -> Pixels:
        """The picture when the right graph goes on with what the bad one made up to ``cut``.

        Raises :class:`~subpixel.errors.NetworkError` when one of them fails.
        """
        found = self._by_bad({}, list(cut.values))
        return self._finish({theirs: found[ours] for ours, theirs in cut.values.items()})

    def alone(self, before: GraphCut, after: GraphCut) -> Pixels:
        """The picture when only what lies between two cuts is the bad graph's."""
        found = self.results(before, after)
        return self._finish({theirs: found[ours] for ours, theirs in after.values.items()})

    def mend(self, after: GraphCut) -> Pixels:
        """The picture by the bad graph when everything up to ``after`` is right."""
        given = self.right_values(after)
        return np.asarray(self._by_bad(given, [self.bad.output])[self.bad.output], np.float32)

    def right_values(self, cut: GraphCut) -> TensorValues:
        """What is alive at ``cut`` by the right graph, under its names in the bad one."""
        picture = {self.good.picture: self._picture(self.good)}
        names = list(cut.values.values())
        found = evaluate_flow(self.good, self.good_engine, picture, names)
        return {
            ours: self._fit(found[theirs], self.bad, ours) for ours, theirs in cut.values.items()
        }

    def results(self, before: GraphCut, after: GraphCut) -> TensorValues:
        """What the bad graph makes at ``after`` when everything at ``before`` is right."""
        return self._by_bad(self.right_values(before), list(after.values))

    def runs_cut_at(self, cut: GraphCut) -> bool:
        """Whether a failure of :meth:`push` says something of the bad graph's values.

        It doesn't where the right graph fails on values of its own, when cut here, and where the
        bad graph fails that runs as a whole.
        """
        picture = {self.good.picture: self._picture(self.good)}
        names = list(cut.values.values())
        return self._runs(lambda: self._resume(picture, names)) and (
            not self.bad_runs or self._runs(lambda: self._by_bad({}, list(cut.values)))
        )

    def runs_between(self, before: GraphCut, after: GraphCut) -> bool:
        """Whether a failure of :meth:`alone` says something of the nodes between two cuts."""
        return self.runs_cut_at(after) and (
            not self.bad_runs or self._runs(lambda: self._by_bad_apart(before, [*after.values]))
        )

    def runs_from(self, cut: GraphCut) -> bool:
        """Whether a failure of :meth:`mend` says something of the nodes after ``cut``."""
        return self._runs(lambda: self._by_bad_apart(cut, [self.bad.output]))

    @cached_property
    def bad_runs(self) -> bool:
        """Whether the bad graph gives any picture."""
        return self._runs(lambda: self._by_bad({}, [self.bad.output]))

    @staticmethod
    def _runs(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except NetworkError:
            return False
        return True

    def _resume(self, picture: TensorValues, names: Sequence[str]) -> TensorValues:
        """The right graph's picture in two steps, from its own values in between."""
        between = evaluate_flow(self.good, self.good_engine, picture, names)
        return evaluate_flow(
            self.good, self.good_engine, {**picture, **between}, [self.good.output]
        )

    def _by_bad_apart(self, cut: GraphCut, ends: Sequence[str]) -> TensorValues:
        """What the bad graph makes of its own values at ``cut``."""
        return self._by_bad(self._by_bad({}, list(cut.values)), ends)

    def _by_bad(self, given: TensorValues, ends: Sequence[str]) -> TensorValues:
        known = {self.bad.picture: self._picture(self.bad), **given}
        return evaluate_flow(self.bad, self.bad_engine, known, ends)

    def _finish(self, given: TensorValues) -> Pixels:
        known = {name: self._fit(array, self.good, name) for name, array in given.items()}
        known[self.good.picture] = self._picture(self.good)
        found = evaluate_flow(self.good, self.good_engine, known, [self.good.output])
        return np.asarray(found[self.good.output], np.float32)

    def _picture(self, flow: Flow) -> AnyArray:
        return self._fit(self.pixels, flow, flow.picture)

    @staticmethod
    def _fit(array: AnyArray, flow: Flow, name: str) -> AnyArray:
        """``array`` in the floating type that ``name`` has in ``flow``."""
        kind = flow.kinds.get(name)
        if not kind or not np.issubdtype(array.dtype, np.floating):
            return array
        return array.astype(helper.tensor_dtype_to_np_dtype(kind), copy=False)


def _cuts(alignment: Alignment) -> Iterator[GraphCut]:
    """The places where all that the bad graph knows of the picture has a partner, and is enough.

    Enough: what the right graph still has to compute is nothing that the bad one has computed.
    """
    bad, good, partners = alignment.left, alignment.right, alignment.values
    progress = _Progress(good, frozenset(alignment.nodes.values()))
    yield GraphCut(0, {})
    for nodes, alive in enumerate(islice(bad.frontiers(), len(bad.nodes))):
        if nodes and nodes - 1 in alignment.nodes:
            progress.add(alignment.nodes[nodes - 1])
        values = {name: partners[name] for name in alive if name in partners}
        shown = [name for name in alive if name in bad.shown]
        paired = all(name in values and _portable(bad, name) for name in shown)
        if shown and paired and progress.alive <= set(values.values()):
            yield GraphCut(nodes, values)
    yield GraphCut(len(bad.nodes), {bad.output: good.output})


class _Progress:
    """Which nodes of a graph are done, and what the rest reads of them about the picture.

    Nodes that reckon sizes don't count: the right graph can do so again from the picture.
    """

    def __init__(self, flow: Flow, paired: frozenset[int]) -> None:
        self.alive: set[str] = set()
        self._flow, self._paired = flow, paired
        self._done: set[int] = set()
        self._reads = [
            () if flow.shown.isdisjoint(node.output) else names
            for node, names in zip(flow.nodes, flow.shown_reads, strict=True)
        ]
        self._readers = Counter(name for names in self._reads for name in names)
        self._readers[flow.output] += 1

    def add(self, node: int) -> None:
        """``node`` is done, and with it what only it needed and has no partner."""
        self._done.add(node)
        self.alive.update(name for name in self._flow.nodes[node].output if self._readers[name])
        for name in self._reads[node]:
            self._readers[name] -= 1
            if not self._readers[name]:
                self.alive.discard(name)
                self._absorb(self._flow.maker.get(name))

    def _absorb(self, maker: int | None) -> None:
        if maker is None or maker in self._done or maker in self._paired:
            return
        if not any(self._readers[name] for name in self._flow.nodes[maker].output):
            self.add(maker)


def _portable(flow: Flow, name: str) -> bool:
    """Whether numpy has the type of a value, and its values lie in ONNX's order."""
    maker = flow.nodes[flow.maker[name]]
    in_order = maker.domain not in LAYOUT_DOMAINS or maker.op_type == "ReorderOutput"
    return in_order and flow.kinds.get(name) != TensorProto.BFLOAT16
