"""What a node computes and what becomes of its result, as digests that no name enters.

Two nodes of equal origin compute the same from the picture; of two with equal use, the picture
is computed from their results in the same way. A fault changes the origin of all that comes after
it and the use of all that comes before; the rest of the graph keeps both.
"""

import hashlib
from collections.abc import Sequence

from onnx import AttributeProto, NodeProto

from subpixel.graph.flow import Flow, fingerprint

COMMUTATIVE = frozenset({"Add", "Mul", "Max", "Min", "Sum", "Mean", "And", "Or", "Equal"})
"""Operators for which the order of inputs says nothing."""


def origin_digests(flow: Flow) -> tuple[str, ...]:
    """Per node: its operator, its attributes, its parameters, and the origin of what it reads."""
    values = {flow.picture: "picture"}
    result = []
    for node in flow.nodes:
        inputs = [_input_text(flow, name, values) for name in node.input]
        result.append(_hash_texts(_node_form(node), *_sort_if_commutative(node, inputs)))
        values.update({name: f"{result[-1]} {i}" for i, name in enumerate(node.output)})
    return tuple(result)


def use_digests(flow: Flow) -> tuple[str, ...]:
    """Per node: the operator, attributes and parameters of what reads its results, at which place,
    and the use of that."""
    readers: dict[str, list[str]] = {flow.output: ["output"]}
    result = [""] * len(flow.nodes)
    for i in reversed(range(len(flow.nodes))):
        node = flow.nodes[i]
        result[i] = _hash_texts(
            *(text for name in node.output for text in _sort_readers(readers, name))
        )
        constants = [_input_text(flow, name, {}) for name in node.input]
        use = _hash_texts(_node_form(node), *_sort_if_commutative(node, constants), result[i])
        for place, name in enumerate(node.input):
            at = "" if node.op_type in COMMUTATIVE else str(place)
            readers.setdefault(name, []).append(f"{use} {at}")
    return tuple(result)


def _sort_readers(readers: dict[str, list[str]], name: str) -> list[str]:
    return [";", *sorted(readers.get(name, ()))]


def _input_text(flow: Flow, name: str, values: dict[str, str]) -> str:
    if name in flow.parameters:
        return fingerprint(flow.parameters[name])
    return values.get(name, "" if not name else "computed")


def _sort_if_commutative(node: NodeProto, inputs: list[str]) -> Sequence[str]:
    return sorted(inputs) if node.op_type in COMMUTATIVE else inputs


def _node_form(node: NodeProto) -> str:
    """Operator and attributes; branches count by what stands in them."""
    attributes = sorted(_attribute_text(attribute) for attribute in node.attribute)
    return _hash_texts(node.domain, node.op_type, *attributes)


def _attribute_text(attribute: AttributeProto) -> str:
    return bytes(attribute.SerializeToString(deterministic=True)).hex()


def _hash_texts(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
