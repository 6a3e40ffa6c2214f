"""Whom a fault is to be reported to."""

from dataclasses import dataclass

from subpixel.parity.bisect.blame import Blame


@dataclass(frozen=True)
class Recipient:
    """A project, and why the report goes there."""

    project: str
    url: str
    why: str


_RUNTIME = ("microsoft/onnxruntime", "https://github.com/microsoft/onnxruntime/issues")
_EXPORTER = ("pytorch/pytorch", "https://github.com/pytorch/pytorch/issues")
_FOLDING = ("microsoft/onnxscript", "https://github.com/microsoft/onnxscript/issues")


def recipient(blame: Blame) -> Recipient:
    """Who maintains what is to blame."""
    match blame.stage:
        case "optimiser":
            return Recipient(*_RUNTIME, "The same file is right without graph optimisation.")
        case "execution provider":
            return Recipient(*_RUNTIME, "The same file is right on the CPU.")
        case "runtime":
            why = "ONNX's reference evaluator computes the same node right."
            return Recipient(*_RUNTIME, why)
        case "graph passes":
            return Recipient("subpixel", "its issue tracker", "subpixel put this node there.")
        case "precision":
            why = "The same graph is right in float32: ask there only if one node is to blame."
            return Recipient(*_RUNTIME, why)
        case "change after export":
            why = "A new export of the checkpoint is right, so it is no fault of the exporter's."
            return Recipient("whoever edited or converted the file", "after its export", why)
        case "graph":
            why = "Bisection against the checkpoint, or --module, tells the two apart."
            return Recipient("whoever made the file", "its exporter, or a later tool", why)
    return _of_exporter(blame)


def _of_exporter(blame: Blame) -> Recipient:
    if any("computed → the constant" in line for line in blame.evidence):
        why = (
            "A value that should be computed became a constant, which the exporter's folding does."
        )
        return Recipient(*_FOLDING, why)
    why = "A new export of the checkpoint has the same fault, whatever runs it."
    return Recipient(*_EXPORTER, why)
