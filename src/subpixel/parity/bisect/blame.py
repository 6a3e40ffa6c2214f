"""What bisection finds: the stage, the node, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from subpixel.errors import SubpixelError
from subpixel.parity.bisect.locate import Growth
from subpixel.parity.compare import WITHIN, CaseResult, result_json
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


@dataclass(frozen=True)
class Blame:
    """Who is to blame for a wrong picture; true when nobody is: the pictures are equal."""

    bad: str
    against: str
    equal: bool
    """Within the default tolerance, or within the one that was ``asked`` for."""
    stage: Stage | None = None
    node: str | None = None
    """The node's name in the bad graph, or the name of its first result where it has none."""
    op_type: str | None = None
    module: str | None = None
    """Dotted path of the PyTorch module that the node was exported from, where its name tells."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    """All nodes between the last right values and the first wrong ones; ``node`` is one of them,
    or what reads or makes what is missing between."""
    evidence: tuple[str, ...] = ()
    """How node and group differ from what the reference has in their place."""
    result: CaseResult | None = None
    """The smallest failing picture, and how far the network is off on it."""
    alone: CaseResult | None = None
    """The same picture when the reference computes everything but this part."""
    mended: bool | None = None
    """Whether the picture is right once this part is; False: there are more faults behind it."""
    accumulated: bool = False
    """No node is to blame by itself: honest rounding adds up over the depth."""
    growth: tuple[Growth, ...] = ()
    """How the difference grows over the depth."""
    folder: Path | None = None
    """Where the case was written."""
    asked: bool = False
    """Whether a tolerance of the user's own decided."""

    def __bool__(self) -> bool:
        return self.equal

    def summary(self) -> str:
        """The verdict in one line."""
        if self.equal:
            return f"the pictures are {WITHIN if self.asked else 'equal'}"
        if self.accumulated:
            return f"{self.stage}: no single node; rounding adds up over the network's depth"
        if self.node is None:
            return f"{self.stage}: the node can't be told"
        where = f", in the module {self.module}" if self.module else ""
        return f"{self.stage}: the node {self.node} ({self.op_type}){where}"

    def __str__(self) -> str:
        """The verdict, the picture that shows it, and the evidence, a line each."""
        lines = [self.summary()]
        if self.result:
            lines.append(f"picture: {self.result.case.name}: {self.result.reason}")
        if self.alone:
            lines.append(f"alone: {self.alone.reason or 'within tolerance'}")
        if self.mended is False:
            lines.append("there is more behind it: mending this node alone is not enough")
        lines += [f"differs: {line}" for line in self.evidence]
        return "\n".join([*lines, *([f"wrote {self.folder}"] if self.folder else [])])

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values; ``case`` is the folder."""
        found = asdict(self)
        found["case"] = str(self.folder) if self.folder else None
        del found["folder"]
        for key in ("result", "alone"):
            if found[key]:
                found[key] = result_json(found[key])
        return found
