"""Of the nodes between right values and wrong ones, the one to name."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnx import NodeProto

from subpixel.graph.flow import Flow
from subpixel.graph.module_path import module_path
from subpixel.graph.passes.wrap import INNER, RGB_PREFIX
from subpixel.parity.bisect.alignment.align import Alignment
from subpixel.parity.bisect.splice import GraphCut


@dataclass(frozen=True, eq=False)
class Suspect:
    """The node to name, all nodes beside it, and what is different about them."""

    node: NodeProto
    group: tuple[NodeProto, ...]
    differing: tuple[NodeProto, ...]
    """Of the group, those that aren't what the reference has in their place, and those that only
    the reference has."""
    changed: bool
    """Whether one of the group stands where the reference has the same operator, set otherwise."""
    evidence: tuple[str, ...]


def node_name(node: NodeProto) -> str:
    """A node's name; where it has none, its first result's."""
    return node.name or node.output[0]


def path_of(node: NodeProto) -> str | None:
    """The node's module in the network itself, of one wrapped into an RGB network, too."""
    if node.name.startswith(RGB_PREFIX):
        return None
    return module_path(NodeProto(name=node.name.removeprefix(INNER)))


def suspect(alignment: Alignment, before: GraphCut, after: GraphCut) -> Suspect:
    """The node between two cuts that differs from the reference, or stands where one is missing.

    Those that work on the picture come before those that reckon sizes; of nodes without a partner,
    those whose operator the reference lacks in this place come before others; then what comes
    first in the graph.
    """
    bad = alignment.left
    end = min(after.nodes, len(bad.nodes))
    inside = sorted({*_size_nodes(bad, before, after), *range(before.nodes, end)})
    missing = _lonely_reference_nodes(alignment, before, after)
    differing = [i for i in inside if i not in alignment.nodes or i in alignment.differing]
    shown = [i for i in inside if not bad.shown.isdisjoint(bad.nodes[i].output)]
    on_picture = _likeliest(alignment, [i for i in differing if i in shown], missing)
    changed = [i for i in inside if i in alignment.differing]
    # Nothing may lie between: what is missing was the last node. Then it is who comes before.
    chosen = (on_picture or changed or shown or inside or [end - 1])[0]
    return Suspect(
        bad.nodes[chosen],
        tuple(bad.nodes[i] for i in inside),
        (*(bad.nodes[i] for i in differing), *missing),
        bool(changed),
        (
            *(line for i in differing for line in _describe_node(alignment, i)),
            *(
                f"{node_name(node)} ({node.op_type}) of the reference is missing"
                for node in missing
            ),
        ),
    )


def _likeliest(
    alignment: Alignment, differing: Sequence[int], missing: Sequence[NodeProto]
) -> Sequence[int]:
    """Of a computation that two exporters spell in as many nodes, the operators only one has."""
    operators = {i: alignment.left.nodes[i].op_type for i in differing if i not in alignment.nodes}
    ours, theirs = Counter(operators.values()), Counter(node.op_type for node in missing)
    if not {*differing[:1]} <= operators.keys() or ours.total() != theirs.total():
        return differing
    only = ours - theirs
    return [i for i, operator in operators.items() if operator in only] or differing


def _size_nodes(bad: Flow, before: GraphCut, after: GraphCut) -> list[int]:
    """The nodes for sizes that aren't handed over at a cut, but are reckoned again."""
    needed = bad.nodes_for(list(after.values), set(before.values))
    return [i for i in needed if bad.shown.isdisjoint(bad.nodes[i].output)]


def _lonely_reference_nodes(
    alignment: Alignment, before: GraphCut, after: GraphCut
) -> list[NodeProto]:
    """Nodes of the reference in this place, on the picture, that have no partner."""
    good = alignment.right
    between = good.nodes_for(list(after.values.values()), set(before.values.values()))
    partners = set(alignment.nodes.values())
    return [
        good.nodes[i]
        for i in between
        if i not in partners and not good.shown.isdisjoint(good.nodes[i].output)
    ]


def _describe_node(alignment: Alignment, node: int) -> Iterator[str]:
    name, operator = node_name(alignment.left.nodes[node]), alignment.left.nodes[node].op_type
    if node not in alignment.nodes:
        yield f"{name} ({operator}) is not in the reference"
        return
    for difference in alignment.differences(node):
        yield f"{name} ({operator}): {difference}"
