"""Who wrote a wrong node: the exporter, or whoever changed the file afterwards."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import onnx
from onnx import NodeProto

from subpixel.errors import NetworkError
from subpixel.graph.flow import Flow, flow
from subpixel.graph.geometry.propagate import onnx_opset
from subpixel.graph.precision import graph_precision
from subpixel.parity.bisect.alignment.align import Alignment, align
from subpixel.parity.bisect.blame import Stage
from subpixel.parity.bisect.fresh import exporter_of
from subpixel.spec import Precision


@dataclass(frozen=True, eq=False)
class NewExports:
    """What exporting a reference anew gave, for one picture."""

    right: onnx.ModelProto | None = None
    """The first whose picture is right, if there is one."""
    wrong: tuple[onnx.ModelProto, ...] = ()
    """Those before it."""


@dataclass(frozen=True)
class Origin:
    """Where a wrong node comes from, and what tells so."""

    stage: Stage
    evidence: tuple[str, ...] = ()


OPEN_ORIGIN = Origin("graph")
"""Nothing tells the exporter from a later change."""

SAME_FAULT = "a new export ({}) has the same fault"
RIGHT = "a new export ({}) is right on this picture"
OTHER_WEIGHTS = "its weights are those of no new export"
ONLY_HERE = "but for this the two files are the same: one of them was changed after its export"
CONVERSION = "it was converted to {} after its export: a new export is fp32, and right"


def origin_of(
    model: onnx.ModelProto,
    graph: Flow,
    nodes: Collection[NodeProto],
    exports: NewExports,
    alignment: Alignment | None = None,
) -> Origin:
    """Where the wrong ``nodes`` of ``graph`` come from; ``model`` is the file it was read from.

    ``alignment`` pairs ``graph`` with the right export. It is the exporter where a new export has
    the same nodes; a later change where a right export by the same exporter has other weights in
    their place, or other operators though it is of the same version. What another version or
    other settings of the exporter may have written stays open.
    """
    for wrong in exports.wrong:
        if _has_same(graph, nodes, wrong):
            return Origin("exporter", (SAME_FAULT.format(_describe_export(wrong)),))
    if exports.right is None or alignment is None:
        if any(_other_weights(graph, nodes, wrong) for wrong in exports.wrong):
            return Origin("change after export", (OTHER_WEIGHTS,))
        return OPEN_ORIGIN
    later = _weights_differ(alignment, nodes) or (
        _same_exporter(model, exports.right) and not _sizes_differ(alignment, nodes)
    )
    evidence = (RIGHT.format(_describe_export(exports.right)),)
    return Origin("change after export" if later else "graph", evidence)


def is_added(alignment: Alignment, node: NodeProto) -> bool:
    """Whether the left graph has ``node``, and the right one none in its place."""
    return any(i not in alignment.nodes for i in _node_places(alignment.left, [node]))


def conversion(precision: Precision, exports: NewExports) -> Iterator[str]:
    """That a file of reduced ``precision`` was made of an export, where that is so."""
    if exports.right is not None and precision != graph_precision(exports.right):
        yield CONVERSION.format(precision)


def only_difference(alignment: Alignment, nodes: Collection[NodeProto]) -> Iterator[str]:
    """That two graphs are the same but for ``nodes``, where that is so."""
    places = set(_node_places(alignment.left, nodes))
    rest = set(range(len(alignment.left.nodes))) - places
    if rest and all(i in alignment.nodes and i not in alignment.differing for i in rest):
        yield ONLY_HERE


def _other_weights(graph: Flow, nodes: Collection[NodeProto], export: onnx.ModelProto) -> bool:
    try:
        return _weights_differ(align(graph, flow(export)), nodes)
    except NetworkError:
        return False


def _has_same(graph: Flow, nodes: Collection[NodeProto], export: onnx.ModelProto) -> bool:
    """Whether each of ``nodes`` stands in ``export`` just so."""
    try:
        alignment = align(graph, flow(export))
    except NetworkError:
        return False
    places = _node_places(graph, nodes)
    return bool(places) and all(
        i in alignment.nodes and i not in alignment.differing for i in places
    )


def _node_places(graph: Flow, nodes: Collection[NodeProto]) -> Sequence[int]:
    ends = {name for node in nodes for name in node.output}
    return [i for i, node in enumerate(graph.nodes) if not ends.isdisjoint(node.output)]


def _weights_differ(alignment: Alignment, nodes: Collection[NodeProto]) -> bool:
    """Whether one has other floating-point numbers than the right export: these are copied."""
    return any(alignment.weights_differ(i) for i in _node_places(alignment.left, nodes))


def _sizes_differ(alignment: Alignment, nodes: Collection[NodeProto]) -> bool:
    """Whether one reads sizes otherwise: exporters write these by the example they see."""
    return any(alignment.sizes_differ(i) for i in _node_places(alignment.left, nodes))


def _same_exporter(model: onnx.ModelProto, export: onnx.ModelProto) -> bool:
    def signs(of: onnx.ModelProto) -> tuple[object, ...]:
        return of.producer_name, of.producer_version, exporter_of(of), onnx_opset(of)

    return bool(model.producer_name) and signs(model) == signs(export)


def _describe_export(export: onnx.ModelProto) -> str:
    return f"{exporter_of(export)}, opset {onnx_opset(export)}"
