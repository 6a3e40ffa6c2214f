"""Which node of one graph is which of another: the same network, exported or altered differently.

Pairs are looked for from the surest sign to the weakest, and each new pair leads to its
neighbours: the same origin and use, then equal parameters, names, the same origin or use alone,
then what reads the same and what is read by the same. The arithmetic of sizes is much the same
all over a graph: what its results are for tells it, and what it reads only where nothing else does.
A pair says only that two nodes stand in the same place. Whether they compute the same is for
running them to say.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, defs, helper, numpy_helper

from subpixel.graph.flow import Flow, fingerprint
from subpixel.graph.module_path import module_path
from subpixel.parity.bisect.alignment.digests import COMMUTATIVE, origin_digests, use_digests

LEAST_NUMBERS = 4
"""Parameters of fewer numbers are too alike from layer to layer to tell nodes by."""

RETYPING = ("Cast", "QuantizeLinear", "DequantizeLinear")

IMPLIED = {"dilations": 1, "strides": 1, "pads": 0, "output_padding": 0}
"""Attributes of convolutions and of pooling, one number for each axis: what they are, by ONNX's
text, where they aren't given; its schemas have no default for them."""

FLOATING_POINT = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


@dataclass(frozen=True, eq=False)
class Alignment:
    """Two graphs and the pairs found: numbers of their nodes, ``left`` to ``right``."""

    left: Flow
    right: Flow
    nodes: Mapping[int, int]

    @cached_property
    def values(self) -> Mapping[str, str]:
        """Values of ``left`` and what they are in ``right``.

        What ``left`` has alone and only changes a value's type is that value still.
        """
        found = {self.left.picture: self.right.picture}
        for i, node in enumerate(self.left.nodes):
            if i in self.nodes:
                results = zip(node.output, self.right.nodes[self.nodes[i]].output, strict=False)
                found.update((a, b) for a, b in results if a and b)
            elif node.op_type in RETYPING and node.input[0] in found:
                found[node.output[0]] = found[node.input[0]]
        return {a: b for a, b in found.items() if self._alike(a, b)}

    def _alike(self, left: str, right: str) -> bool:
        """Whether one can stand for the other: both of floating point, or neither."""
        return (self.left.kinds.get(left) in FLOATING_POINT) == (
            self.right.kinds.get(right) in FLOATING_POINT
        )

    @cached_property
    def differing(self) -> frozenset[int]:
        """The nodes of ``left`` that are not the same as their partners."""
        return frozenset(left for left in self.nodes if any(self.differences(left)))

    def differences(self, left: int) -> Iterator[str]:
        """In which ways a node of ``left`` isn't what its partner is; nothing where it has none."""
        if left not in self.nodes:
            return
        ours, theirs = self.left.nodes[left], self.right.nodes[self.nodes[left]]
        if ours.op_type != theirs.op_type:
            yield f"operator: {theirs.op_type} → {ours.op_type}"
            return
        yield from _attribute_differences(ours, theirs)
        yield from self._input_differences(ours, theirs)

    def weights_differ(self, left: int) -> bool:
        """Whether a node of ``left`` has other floating-point parameters than its partner."""
        return any(
            ours.data_type in FLOATING_POINT and fingerprint(ours) != fingerprint(theirs)
            for ours, theirs in self._parameters(left)
        )

    def sizes_differ(self, left: int) -> bool:
        """Whether a node of ``left`` and its partner differ in whole numbers, or in what is
        computed and what is constant; without a partner, whether it computes or reads sizes."""
        node = self.left.nodes[left]
        if left not in self.nodes:
            held = [self.left.parameters.get(name) for name in node.input]
            whole = any(each is not None and each.data_type not in FLOATING_POINT for each in held)
            return whole or self.left.shown.isdisjoint(node.output)
        theirs = self.right.nodes[self.nodes[left]]
        pairs = list(zip(node.input, theirs.input, strict=False))
        fixed = [(a in self.left.parameters, b in self.right.parameters) for a, b in pairs]
        return any(a != b for a, b in fixed) or any(
            ours.data_type not in FLOATING_POINT and fingerprint(ours) != fingerprint(theirs)
            for ours, theirs in self._parameters(left)
        )

    def _parameters(self, left: int) -> Iterator[tuple[TensorProto, TensorProto]]:
        """The parameters that a node and its partner read in the same places."""
        if left not in self.nodes:
            return
        ours, theirs = self.left.nodes[left], self.right.nodes[self.nodes[left]]
        for a, b in zip(ours.input, theirs.input, strict=False):
            if a in self.left.parameters and b in self.right.parameters:
                yield self.left.parameters[a], self.right.parameters[b]

    def _input_differences(self, ours: NodeProto, theirs: NodeProto) -> Iterator[str]:
        if len(_present_inputs(ours)) != len(_present_inputs(theirs)):
            yield f"inputs: {len(_present_inputs(theirs))} → {len(_present_inputs(ours))}"
        for place, (a, b) in enumerate(zip(ours.input, theirs.input, strict=False)):
            fixed, was_fixed = self.left.parameters.get(a), self.right.parameters.get(b)
            if fixed is not None and was_fixed is not None:
                yield from _parameter_differences(fixed, was_fixed)
            elif fixed is not None and b:
                held = numpy_helper.to_array(fixed).ravel()[:8].tolist()
                yield f"input {place}: computed → the constant {held}"
            elif was_fixed is not None and a:
                yield f"input {place}: a constant → computed"
        if self._order_differs(ours, theirs):
            yield "inputs: it reads other values, or in another order"

    def _order_differs(self, ours: NodeProto, theirs: NodeProto) -> bool:
        a = [self.values.get(name, "") for name in _run_time_inputs(self.left, ours)]
        b = [
            name if name in self._partner_values else ""
            for name in _run_time_inputs(self.right, theirs)
        ]
        return sorted(a) != sorted(b) if ours.op_type in COMMUTATIVE else a != b

    @cached_property
    def _partner_values(self) -> frozenset[str]:
        return frozenset(self.values.values())


def align(left: Flow, right: Flow) -> Alignment:
    """Pair the nodes of ``left`` with those of ``right``, each with one at most."""
    pairing = _Pairing(left, right)
    by_origin, by_use = (
        _digest_sign(origin_digests, left, right),
        _digest_sign(use_digests, left, right),
    )
    pairing.unique(lambda flow, i: (by_origin(flow, i), by_use(flow, i)))
    signs: tuple[Sign, ...] = (_by_parameters, _by_parameter_names, _by_value_names, _by_module)
    for sign in (*signs, by_origin, by_use):
        pairing.unique(sign)
    pairing.spread()
    pairing.in_order()
    pairing.spread()
    pairing.spread(sizes=True)
    pairing.bridge()
    pairing.spread(sizes=True)
    return Alignment(left, right, pairing.partner)


Sign = Callable[[Flow, int], Hashable | None]
"""A sign to know a node by; None where it has none."""


def _digest_sign(digests: Callable[[Flow], Sequence[str]], *flows: Flow) -> Sign:
    by_flow = {id(flow): digests(flow) for flow in flows}
    return lambda flow, i: (flow.nodes[i].op_type, by_flow[id(flow)][i])


def _by_parameters(flow: Flow, i: int) -> Hashable | None:
    node = flow.nodes[i]
    prints = [
        fingerprint(flow.parameters[name])
        for name in node.input
        if name in flow.parameters and _parameter_size(flow, name) >= LEAST_NUMBERS
    ]
    return (node.op_type, *prints) if prints else None


def _by_parameter_names(flow: Flow, i: int) -> Hashable | None:
    node = flow.nodes[i]
    held = [(n, tuple(flow.parameters[n].dims)) for n in node.input if n in flow.parameters]
    return (node.op_type, *held) if held else None


def _by_value_names(flow: Flow, i: int) -> Hashable | None:
    return (flow.nodes[i].op_type, *flow.nodes[i].output)


def _by_module(flow: Flow, i: int) -> Hashable | None:
    path = module_path(flow.nodes[i])
    return (flow.nodes[i].op_type, path) if path else None


def _shape_sign(flow: Flow, i: int) -> Hashable:
    """A node's operator and the shapes of its parameters."""
    node = flow.nodes[i]
    held = [flow.parameters[name] for name in node.input if name in flow.parameters]
    return (node.op_type, *(tuple(tensor.dims) for tensor in held))


def _has_weights(flow: Flow, i: int) -> bool:
    held = [name for name in flow.nodes[i].input if name in flow.parameters]
    return any(_parameter_size(flow, name) >= LEAST_NUMBERS for name in held)


def _parameter_size(flow: Flow, parameter: str) -> int:
    result = 1
    for length in flow.parameters[parameter].dims:
        result *= length
    return result


class _Pairing:
    """Pairs found so far; a pair is made once and stays."""

    def __init__(self, left: Flow, right: Flow) -> None:
        self.left, self.right = left, right
        self.partner: dict[int, int] = {}
        self.taken: set[int] = set()
        self.values = {left.picture: right.picture}

    def pair(self, left: int, right: int) -> None:
        self.partner[left] = right
        self.taken.add(right)
        ours, theirs = self.left.nodes[left].output, self.right.nodes[right].output
        self.values.update((a, b) for a, b in zip(ours, theirs, strict=False) if a and b)

    def unique(self, key: Sign) -> None:
        """Pair nodes whose sign is the only one of its kind on both sides."""
        ours, theirs = (
            _nodes_alone(self.left, key, self.partner),
            _nodes_alone(self.right, key, self.taken),
        )
        for sign, left in ours.items():
            right = theirs.get(sign)
            if right is not None and self._agree(left, right):
                self.pair(left, right)

    def spread(self, *, sizes: bool = False) -> None:
        """Pair neighbours of pairs until there are no more; what computes sizes by what it reads
        only when asked."""
        before = -1
        while len(self.partner) != before:
            before = len(self.partner)
            for left in range(len(self.left.nodes)):
                if left not in self.partner and (sizes or self._shows(left)):
                    self._forward(left)
            for left in reversed(range(len(self.left.nodes))):
                if left in self.partner:
                    self._backward(left, self.partner[left])

    def in_order(self) -> None:
        """Pair layers of the same form that come in the same order between the same pairs."""
        ours = [self.partner.get(i, _shape_sign(self.left, i)) for i in range(len(self.left.nodes))]
        theirs = [
            i if i in self.taken else _shape_sign(self.right, i)
            for i in range(len(self.right.nodes))
        ]
        blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
        for a, b, length in blocks:
            for left, right in zip(range(a, a + length), range(b, b + length), strict=True):
                if left not in self.partner and _has_weights(self.left, left):
                    self.pair(left, right)

    def bridge(self) -> None:
        """Pair nodes of different operators that read the same and are read by the same."""
        for left, node in enumerate(self.left.nodes):
            if left in self.partner or not node.output[0]:
                continue
            for right in self._readers_of_same(left):
                if self._read_by_same(left, right):
                    self.pair(left, right)
                    break

    def _shows(self, left: int) -> bool:
        """Whether a node's results hang on what the picture shows."""
        return not self.left.shown.isdisjoint(self.left.nodes[left].output)

    def _agree(self, left: int, right: int) -> bool:
        """Unless all that is known of what both read contradicts it."""
        known = [self.values[name] for name in self.left.reads[left] if name in self.values]
        return not known or any(name in self.right.reads[right] for name in known)

    def _forward(self, left: int) -> None:
        """By what it reads."""
        node = self.left.nodes[left]
        able = [
            right
            for right in self._readers_of_same(left)
            if self.right.nodes[right].op_type == node.op_type
        ]
        if able:
            self.pair(left, max(able, key=lambda right: _likeness(self, left, right)))

    def _readers_of_same(self, left: int) -> list[int]:
        """Nodes still alone that read just what ``left`` reads, where all of that is paired."""
        sources = [name for name in self.left.reads[left] if self._counts(self.left, left, name)]
        known = [self.values.get(name) for name in sources]
        if not known or None in known:
            return []
        return [
            right
            for right in self.right.readers.get(known[0] or "", ())
            if right not in self.taken and self._reads_just(right, known)
        ]

    def _reads_just(self, right: int, names: Sequence[str | None]) -> bool:
        read = [n for n in self.right.reads[right] if self._counts(self.right, right, n)]
        return set(read) == set(names)

    @staticmethod
    def _counts(flow: Flow, node: int, name: str) -> bool:
        """Whether an input tells the node's place: sizes don't where a shown value does."""
        return name in flow.shown or flow.shown.isdisjoint(flow.reads[node])

    def _backward(self, left: int, right: int) -> None:
        """Pair what makes the inputs of a pair."""
        ours, theirs = self.left.nodes[left], self.right.nodes[right]
        if ours.op_type != theirs.op_type:
            return
        a = [self.left.maker.get(name) for name in ours.input]
        b = [self.right.maker.get(name) for name in theirs.input]
        if ours.op_type in COMMUTATIVE:  # then the order says nothing
            a = [maker for maker in a if maker not in self.partner]
            b = [maker for maker in b if maker not in self.taken]
            b = b if self._fit(a, b) >= self._fit(a, b[::-1]) else b[::-1]
        for x, y in zip(a, b, strict=False):
            if x is not None and y is not None:
                self._pair_makers(x, y)

    def _fit(self, ours: Sequence[int | None], theirs: Sequence[int | None]) -> int:
        """How many of the nodes, place by place, have the same operator."""
        return sum(
            x is not None
            and y is not None
            and self.left.nodes[x].op_type == self.right.nodes[y].op_type
            for x, y in zip(ours, theirs, strict=False)
        )

    def _pair_makers(self, left: int, right: int) -> None:
        free = left not in self.partner and right not in self.taken
        same = self.left.nodes[left].op_type == self.right.nodes[right].op_type
        if free and same and self._agree(left, right):
            self.pair(left, right)

    def _read_by_same(self, left: int, right: int) -> bool:
        ours = self.left.readers.get(self.left.nodes[left].output[0], ())
        theirs = self.right.readers.get(self.right.nodes[right].output[0], ())
        return {self.partner.get(reader) for reader in ours} == set(theirs)


def _likeness(pairing: _Pairing, left: int, right: int) -> int:
    """How alike two nodes of the same place and operator are."""
    ours, theirs = pairing.left.nodes[left], pairing.right.nodes[right]
    signs = (
        not any(_attribute_differences(ours, theirs)),
        _constant_prints(pairing.left, ours) == _constant_prints(pairing.right, theirs),
        module_path(ours) == module_path(theirs),
        ours.output[0] == theirs.output[0],
    )
    return sum(signs)


def _constant_prints(flow: Flow, node: NodeProto) -> list[str]:
    return [fingerprint(flow.parameters[name]) for name in node.input if name in flow.parameters]


def _nodes_alone(flow: Flow, key: Sign, but: Iterable[int]) -> dict[Hashable, int]:
    """Nodes by their sign, where no other has the same."""
    found: defaultdict[Hashable, list[int]] = defaultdict(list)
    left_out = set(but)
    for i in range(len(flow.nodes)):
        sign = key(flow, i) if i not in left_out else None
        if sign is not None:
            found[sign].append(i)
    return {sign: nodes[0] for sign, nodes in found.items() if len(nodes) == 1}


def _present_inputs(node: NodeProto) -> list[str]:
    return [name for name in node.input if name]


def _run_time_inputs(flow: Flow, node: NodeProto) -> list[str]:
    return [name for name in _present_inputs(node) if name not in flow.parameters]


def _attribute_differences(ours: NodeProto, theirs: NodeProto) -> Iterator[str]:
    a, b = _attribute_texts(ours), _attribute_texts(theirs)
    for name in sorted({*a, *b}):
        old, new = b.get(name, "not given"), a.get(name, "not given")
        if old != new:
            yield f"{name}: {old} → {new}"


def _attribute_texts(node: NodeProto) -> dict[str, str]:
    """What stands in the node, as text, without defaults that are written out, and without a
    kernel's shape where the weights, which are compared themselves, say it.

    Branches are too long to show, and left out.
    """
    return {
        attribute.name: str(helper.printable_attribute(attribute)).partition(" = ")[2]
        for attribute in node.attribute
        if attribute.type not in (AttributeProto.GRAPH, AttributeProto.GRAPHS)
        and attribute.SerializeToString() not in _defaults(node.op_type, node.domain)
        and not _is_implied(attribute, _optional(node.op_type, node.domain))
    }


def _is_implied(attribute: AttributeProto, optional: frozenset[str]) -> bool:
    """Whether it would be the same if it were not given."""
    if attribute.name not in optional:
        return False
    default = IMPLIED.get(attribute.name)
    return attribute.name == "kernel_shape" or (
        default is not None and all(number == default for number in attribute.ints)
    )


@functools.cache
def _optional(operator: str, domain: str) -> frozenset[str]:
    """The names of an operator's attributes that need not be given, and have no default in its
    schema."""
    try:
        schema = defs.get_schema(operator, domain=domain)
    except defs.SchemaError:  # an operator that isn't ONNX's
        return frozenset()
    return frozenset(
        name
        for name, attribute in schema.attributes.items()
        if not attribute.required and not attribute.default_value.type
    )


@functools.cache
def _defaults(operator: str, domain: str) -> frozenset[bytes]:
    """An operator's attributes as they are when they aren't given."""
    try:
        schema = defs.get_schema(operator, domain=domain)
    except defs.SchemaError:  # an operator that isn't ONNX's
        return frozenset()
    given = (attribute.default_value for attribute in schema.attributes.values())
    return frozenset(value.SerializeToString() for value in given)


def _parameter_differences(ours: TensorProto, theirs: TensorProto) -> Iterator[str]:
    a, b = numpy_helper.to_array(ours), numpy_helper.to_array(theirs)
    if a.shape != b.shape:
        yield f"parameter {ours.name}: shape {b.shape} → {a.shape}"
        return
    if a.dtype != b.dtype:
        yield f"parameter {ours.name}: {b.dtype} → {a.dtype}"
    differing = int(np.count_nonzero(a != b))
    if differing:
        most = np.abs(a.astype(np.float64) - b.astype(np.float64)).max()
        yield (f"parameter {ours.name}: {differing} of {a.size} values differ, by up to {most:.2g}")
