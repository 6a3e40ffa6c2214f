"""Image files inside the graph: the bytes of one go in, the bytes of the larger one come out.

Decoder and encoder are operators of ONNX Runtime Extensions, whose pictures are ``(H, W, C)`` of
BGR in uint8.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto, compose, helper, numpy_helper
from onnx.helper import make_attribute

from subpixel.errors import NetworkError
from subpixel.graph.passes.opset import at_opset
from subpixel.spec import METADATA_PREFIX, ModelSpec

EXTENSIONS = "com.microsoft.extensions"
OPSET = 13
"""The first at which Squeeze and Unsqueeze take their axes as an input."""

NETWORK_PREFIX = "network/"
FILE_PREFIX = "file/"
MAX_SAMPLE = 255.0
NOWHERE = [9, 9, 9]
CHANNEL_ORDERS = np.array([NOWHERE, NOWHERE, NOWHERE, [2, 1, 0]], np.int64)
"""By a decoded picture's number of channels: where red, green and blue are."""


def with_image_files(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """The network ``model`` with the facts ``spec``, on the bytes of image files.

    Its input ``image`` is the bytes of a PNG or JPEG, uint8 ``(N,)``, its output ``larger`` those
    of a PNG. A grey PNG becomes RGB; a grey or CMYK JPEG is an error when it is run. None of the
    file's facts are kept, as it is no network of pictures any more; other metadata are.

    Raises :class:`~subpixel.errors.NetworkError` for a network that doesn't take RGB of any size.
    """
    _expect_any_size(spec)
    inner = at_opset(model, OPSET, "an interface of image files")
    compose.add_prefix(inner, NETWORK_PREFIX, inplace=True)
    graph, writer = inner.graph, _FileNodes()
    source, result = graph.input[0].name, graph.output[0].name
    _add_decoder(writer, spec, source)
    decoder = len(writer.nodes)
    _add_encoder(writer, spec, result)
    nodes = [*writer.nodes[:decoder], *graph.node, *writer.nodes[decoder:]]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend(writer.parameters)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [length])
        for name, length in {"image": "bytes", "larger": "larger_bytes"}.items()
    ]
    graph.input.append(ends[0])
    graph.output.append(ends[1])
    inner.opset_import.append(helper.make_opsetid(EXTENSIONS, 1))
    _describe_file(inner, spec)
    return inner


class _FileNodes:
    """Collects nodes and constants, all named with a prefix."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.parameters: list[TensorProto] = []

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"{FILE_PREFIX}constant{len(self.parameters)}"
        self.parameters.append(numpy_helper.from_array(values, name))
        return name

    def lengths(self, *numbers: int) -> str:
        return self.constant(np.array(numbers, np.int64))

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        *attributes: AttributeProto,
        result: str | None = None,
        domain: str = "",
    ) -> str:
        result = result or f"{FILE_PREFIX}{len(self.nodes)}/{operator}"
        node = helper.make_node(operator, inputs, [result], name=result, domain=domain)
        node.attribute.extend(attributes)
        self.nodes.append(node)
        return result


def _add_decoder(writer: _FileNodes, spec: ModelSpec, source: str) -> None:
    """From ``image`` to the network's input ``source``."""
    decoded = writer.add("DecodeImage", ["image"], domain=EXTENSIONS)
    rgb = _add_rgb(writer, decoded)
    if spec.samples == "uint8":
        writer.add("Unsqueeze", [rgb, writer.lengths(0)], result=source)
        return
    batch = writer.add("Unsqueeze", [rgb, writer.lengths(0)])
    floats = writer.add("Cast", [batch], make_attribute("to", TensorProto.FLOAT))
    shares = writer.add("Div", [floats, writer.constant(np.array(MAX_SAMPLE, np.float32))])
    writer.add("Transpose", [shares], make_attribute("perm", (0, 3, 1, 2)), result=source)


def _add_rgb(writer: _FileNodes, decoded: str) -> str:
    """``(H, W, 3)`` of BGR as RGB; any other number of channels is an error when it is run.

    The decoder (of onnxruntime-extensions 0.15.2) gives four channels, of ink, for a CMYK JPEG, and
    one, with wrong values, for a grey one. A reshape to three channels would be no error: ONNX
    Runtime rewrites it to one that takes any number.
    """
    sides = writer.add("Shape", [decoded])
    count = writer.add("Gather", [sides, writer.constant(np.array(2, np.int64))])
    order = writer.add("Gather", [writer.constant(CHANNEL_ORDERS), count])
    return writer.add("Gather", [decoded, order], make_attribute("axis", 2))


def _add_encoder(writer: _FileNodes, spec: ModelSpec, result: str) -> None:
    """From the network's output ``result`` to ``larger``; floats are clipped, and rounded half
    up."""
    codes = result
    if spec.samples != "uint8":
        ends = [writer.constant(np.array(end, np.float32)) for end in (0, 1, MAX_SAMPLE, 0.5)]
        clipped = writer.add("Clip", [result, *ends[:2]])
        scaled = writer.add("Mul", [clipped, ends[2]])
        raised = writer.add("Add", [scaled, ends[3]])
        rounded = writer.add("Cast", [raised], make_attribute("to", TensorProto.UINT8))
        codes = writer.add("Transpose", [rounded], make_attribute("perm", (0, 2, 3, 1)))
    rgb = writer.add("Squeeze", [codes, writer.lengths(0)])
    bgr = writer.add("Gather", [rgb, writer.lengths(2, 1, 0)], make_attribute("axis", 2))
    png = make_attribute("format", "png")
    writer.add("EncodeImage", [bgr], png, result="larger", domain=EXTENSIONS)


def _expect_any_size(spec: ModelSpec) -> None:
    fixed = spec.fixed_size is not None or spec.fixed_batch not in (None, 1)
    picky = spec.size_multiple > 1 or spec.size_minimum > 1 or spec.square
    if spec.interface != "rgb" or fixed or spec.size_maximum or (picky and not spec.pads):
        raise NetworkError(
            f"{spec.name} doesn't take one RGB picture of any size, which an interface of image "
            "files needs; use it as it is, tile by tile: subpixel upscale"
        )


def _describe_file(model: onnx.ModelProto, spec: ModelSpec) -> None:
    """Other metadata than our facts, which are those of a network of pictures."""
    theirs = [prop for prop in model.metadata_props if not prop.key.startswith(METADATA_PREFIX)]
    del model.metadata_props[:]
    model.metadata_props.extend(theirs)
    facts = {"name": spec.name, "scale": str(spec.scale), "licence": spec.licence}
    for key, value in facts.items():
        model.metadata_props.add(key=f"image_files.{key}", value=value)
    model.doc_string = (
        f"{spec.name} x{spec.scale}: the bytes of a PNG or JPEG in, those of a PNG out. Needs "
        "ONNX Runtime Extensions."
    )
