"""Networks that lie about themselves, never end, explode, or reach for other files."""

import json

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper
from tests.robustness.corpus.hostile_file import (
    EITHER,
    ENDLESS,
    REFUSED,
    REFUSED_OR_STOPPED,
    TAKEN,
    HostileFile,
    Outcome,
)
from tests.robustness.mutation.messages import (
    LENGTH,
    Fields,
    MessageField,
    join_message,
    parse_message,
)
from tests.robustness.seeds.networks import (
    FACTS,
    allocating_file,
    doubling_file,
    initializer_with_dims,
    loop_file,
)

from graphs_of_facts import identity_file
from networks import sub_pixel_network
from subpixel.graph.metadata import with_spec
from subpixel.spec import ModelSpec

SAME = ModelSpec("same", 1, "rgb", "rgb", halo=0, purpose="restoration")
FOR_EVER = 2**62

MODEL_GRAPH, GRAPH_NODE, NODE_ATTRIBUTE, ATTRIBUTE_GRAPH = 7, 1, 5, 6
"""Numbers of fields in onnx.proto."""


def with_fact(key: str, text: bytes) -> bytes:
    """A right network whose facts say something else; ``text`` need not be UTF-8 nor JSON."""
    model = with_spec(sub_pixel_network(3), FACTS)
    marker = f"@@{key}@@"
    for prop in model.metadata_props:
        if prop.key == f"subpixel.{key}":
            prop.value = marker
    data = model.SerializeToString()
    kept = onnx.load_from_string(data)
    return _replace_text(kept, marker.encode(), text)


def _replace_text(model: onnx.ModelProto, marker: bytes, text: bytes) -> bytes:
    """In the serialised message, lengths right: protobuf refuses what is no UTF-8."""

    def put(fields: Fields) -> Fields:
        return tuple(_put(field) for field in fields)

    def _put(field: MessageField) -> MessageField:
        if field.value == marker:
            return MessageField(field.number, field.kind, text)
        return MessageField(field.number, field.kind, field.value, put(field.children))

    return join_message(put(parse_message(model.SerializeToString()) or ()))


def _bytes(model: onnx.ModelProto, spec: ModelSpec | None = None) -> bytes:
    data: bytes = (with_spec(model, spec) if spec else model).SerializeToString()
    return data


def nested_branches(depth: int) -> bytes:
    """Branches within branches, two of each: 2^depth in all.

    Its bytes are put together: protobuf's messages would be copied whole for each level.
    """
    value = helper.make_tensor_value_info("same", TensorProto.FLOAT, None)
    graph = helper.make_graph([], "g", [], [value]).SerializeToString()
    node = helper.make_node("Identity", ["input"], ["same"]).SerializeToString()
    for _ in range(depth):
        node = _branch_twice("same", graph + _field(GRAPH_NODE, node))
    node = _branch_twice("output", graph + _field(GRAPH_NODE, node))
    model = identity_file(yes=np.bool_(True))
    model.graph.ClearField("node")
    outer = model.graph.SerializeToString() + _field(GRAPH_NODE, node)
    model.ClearField("graph")
    return bytes(model.SerializeToString() + _field(MODEL_GRAPH, outer))


def _branch_twice(output: str, graph: bytes) -> bytes:
    """The bytes of an If whose branches are both ``graph``."""
    node = helper.make_node("If", ["yes"], [output]).SerializeToString()
    for name in ("then_branch", "else_branch"):
        attribute = AttributeProto(name=name, type=AttributeProto.GRAPH).SerializeToString()
        node += _field(NODE_ATTRIBUTE, attribute + _field(ATTRIBUTE_GRAPH, graph))
    return bytes(node)


def _field(number: int, message: bytes) -> bytes:
    return join_message([MessageField(number, LENGTH, message)])


def enlarging(scale: int) -> onnx.ModelProto:
    """Nearest neighbour by a factor that no memory holds."""
    node = helper.make_node("Resize", ["input", "", "scales"], ["output"], mode="nearest")
    return identity_file([node], scales=np.array([1, 1, scale, scale], np.float32))


def reaching(location: str, offset: str = "0", length: str = "12") -> bytes:
    """A parameter that lies in another file."""
    model = initializer_with_dims(1, 3, 1, 1)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": offset, "length": length}.items():
        tensor.external_data.add(key=key, value=value)
    return _bytes(model)


def not_a_number() -> bytes:
    """Every pixel of the result."""
    node = helper.make_node("Div", ["input", "zero"], ["infinite"])
    last = helper.make_node("Sub", ["infinite", "infinite"], ["output"])
    return _bytes(identity_file([node, last], zero=np.float32(0)))


FACTS_THAT_LIE: tuple[tuple[str, bytes, tuple[Outcome, ...]], ...] = (
    *(("scale", text, REFUSED) for text in (b"1000000000", b"-1", b"0", b"true", b"2.5", b"NaN",
                                            b"null", b"[2]", b'"2"', b"9" * 5000, b"1e999")),
    *(("fixed_size", text, REFUSED) for text in (b'"ab"', b"[1]", b"[1, 2, 3]", b"{}", b"[-1, 8]",
                                                 b"[0, 0]", b"[1000000000, 1]", b"7",
                                                 b"[" * 100_000)),
    *(("size_multiple", text, REFUSED) for text in (b"0", b"1000000000000", b'"x"')),
    *(("size_minimum", text, REFUSED) for text in (b"-3", b"1000000000000")),
    *(("halo", text, REFUSED) for text in (b"-1", b"1e9", b"1000000000000", b'"wide"')),
    *(("fixed_batch", text, REFUSED) for text in (b"0", b"1000000000", b"[]")),
    *(("name", text, REFUSED) for text in (b"7", b"[]", b"null", b"\xff\xfe", b'"' + b"x" * 9)),
    ("name", json.dumps("\x1b[2J\x1b]0;stolen\x07").encode(), EITHER),
    *(("colour", text, REFUSED) for text in (b'["rgb"]', b'"cmyk"', b"{}")),
    *(("square", text, REFUSED) for text in (b'"yes"', b"1")),
    *(("samples", text, REFUSED) for text in (b'"uint8"', b'"float64"')),
    *(("version", text, EITHER) for text in (b"1", b'"99"', b"{}")),
)  # fmt: skip


def _facts() -> tuple[HostileFile, ...]:
    return tuple(
        HostileFile(
            f"fact-{number:02}-{key}.onnx",
            f"{key} says {text[:20]!r}",
            lambda key=key, text=text: with_fact(key, text),
            outcomes,
        )
        for number, (key, text, outcomes) in enumerate(FACTS_THAT_LIE)
    )


NETWORKS: tuple[HostileFile, ...] = (
    HostileFile(
        "plain.onnx", "nothing is wrong", lambda: _bytes(sub_pixel_network(3), FACTS), TAKEN
    ),
    HostileFile(
        "stranger.onnx", "the same of somebody else", lambda: _bytes(sub_pixel_network(3)), TAKEN
    ),
    HostileFile("loop.onnx", "never ends", lambda: _bytes(loop_file(FOR_EVER)), REFUSED_OR_STOPPED),
    HostileFile(
        "loop-facts.onnx",
        "never ends, and states facts",
        lambda: _bytes(loop_file(FOR_EVER), SAME),
        ENDLESS,
    ),
    HostileFile(
        "doubling.onnx",
        "functions that call each other twice, 2³⁰ nodes",
        lambda: _bytes(doubling_file(30)),
        REFUSED_OR_STOPPED,
    ),
    HostileFile(
        "doubling-facts.onnx",
        "the same, and states facts",
        lambda: _bytes(doubling_file(30), SAME),
        ENDLESS,
    ),
    HostileFile(
        "branches.onnx",
        "branches in branches",
        lambda: nested_branches(12),
        (*EITHER, "stopped"),
    ),
    HostileFile(
        "allocating.onnx",
        "takes 14 GB",
        lambda: _bytes(allocating_file(60_000)),
        REFUSED_OR_STOPPED,
    ),
    HostileFile(
        "allocating-facts.onnx",
        "takes 14 GB, and states facts",
        lambda: _bytes(allocating_file(60_000), SAME),
        REFUSED_OR_STOPPED,
    ),
    HostileFile(
        "enlarging.onnx",
        "enlarges 40,000 times",
        lambda: _bytes(enlarging(40_000)),
        REFUSED_OR_STOPPED,
    ),
    HostileFile(
        "negative.onnx",
        "a weight of -1 by 3",
        lambda: _bytes(initializer_with_dims(-1, 3, 1, 1)),
        REFUSED_OR_STOPPED,
    ),
    HostileFile(
        "overflow.onnx",
        "a weight of 2⁹³ numbers",
        lambda: _bytes(initializer_with_dims(2**31, 2**31, 2**31)),
        REFUSED_OR_STOPPED,
    ),
    HostileFile(
        "absolute.onnx", "a weight in /etc/passwd", lambda: reaching("/etc/passwd"), REFUSED
    ),
    HostileFile(
        "above.onnx", "a weight above its folder", lambda: reaching("../../../etc/passwd"), REFUSED
    ),
    HostileFile(
        "missing.onnx",
        "a weight in a file that isn't there",
        lambda: reaching("weights.bin"),
        REFUSED,
    ),
    HostileFile(
        "device.onnx",
        "a weight in a device",
        lambda: reaching("/dev/zero", length=str(2**40)),
        REFUSED,
    ),
    HostileFile(
        "not-a-number.onnx", "its results are no numbers", not_a_number, REFUSED_OR_STOPPED
    ),
    HostileFile("empty.onnx", "no byte", lambda: b"", REFUSED_OR_STOPPED),
    HostileFile("noise.onnx", "no message", lambda: b"\xff" * 999, REFUSED_OR_STOPPED),
    *_facts(),
)
