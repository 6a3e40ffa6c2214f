"""Our networks in other people's forms, built node by node, without the code that adopts them."""

from collections.abc import Callable, Sequence
from importlib import resources

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Model = onnx.ModelProto
Disguise = Callable[[Model], Model]

MEAN = np.reshape([0.485, 0.456, 0.406], (1, 3, 1, 1))
STD = np.reshape([0.229, 0.224, 0.225], (1, 3, 1, 1))

YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""JFIF (ITU-T T.871), to six digits."""


def bundled(name: str) -> Model:
    """A network of ours, in RGB, without its facts."""
    file = resources.files("subpixel.zoo") / f"{name}.onnx"
    model = onnx.load_from_string(file.read_bytes())
    del model.metadata_props[:]
    return model


class Editor:
    """Puts nodes around a network; the ends keep their names."""

    def __init__(self, model: Model) -> None:
        self.model = Model()
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        del self.graph.value_info[:]
        self._count = len(self.graph.node)

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"disguise_{len(self.graph.initializer)}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def before(self, *nodes: tuple[str, Sequence[str], dict[str, object]]) -> None:
        """Each node is (operator, further inputs, attributes); the first reads the input."""
        outside = self.graph.input[0].name
        made = self._chain(outside, nodes)
        for node in self.graph.node:
            node.input[:] = [made[-1].output[0] if n == outside else n for n in node.input]
        rest = list(self.graph.node)
        del self.graph.node[:]
        self.graph.node.extend([*made, *rest])

    def after(self, *nodes: tuple[str, Sequence[str], dict[str, object]]) -> None:
        outside = self.graph.output[0].name
        for node in self.graph.node:
            node.output[:] = [f"inner_{self._count}" if n == outside else n for n in node.output]
            node.input[:] = [f"inner_{self._count}" if n == outside else n for n in node.input]
        made = self._chain(f"inner_{self._count}", nodes)
        made[-1].output[0] = outside
        self.graph.node.extend(made)

    def _chain(
        self, last: str, nodes: Sequence[tuple[str, Sequence[str], dict[str, object]]]
    ) -> list[onnx.NodeProto]:
        made = []
        for operator, more, attributes in nodes:
            self._count += 1
            result = f"disguised_{self._count}"
            made.append(helper.make_node(operator, [last, *more], [result], **attributes))
            last = result
        return made

    def declare(self, kind: int | None = None, shape: Sequence[object] | None = None) -> None:
        for end, dims in ((self.graph.input[0], shape), (self.graph.output[0], None)):
            old = end.type.tensor_type
            wanted = dims or [d.dim_value or d.dim_param or None for d in old.shape.dim]
            if end is self.graph.output[0] and shape is not None:
                wanted = [None] * 4
            made = helper.make_tensor_value_info(end.name, kind or old.elem_type, wanted)
            end.CopyFrom(made)


def scaled(mean: object, std: object) -> Disguise:
    """For values of ``(pixel - mean) / std``."""

    def disguise(model: Model) -> Model:
        edit = Editor(model)
        edit.before(("Mul", [edit.constant(std)], {}), ("Add", [edit.constant(mean)], {}))
        edit.after(("Sub", [edit.constant(mean)], {}), ("Div", [edit.constant(std)], {}))
        return edit.model

    return disguise


codes = scaled(0.0, 1 / 255)
signed = scaled(0.5, 0.5)
imagenet = scaled(MEAN, STD)


def bgr(model: Model) -> Model:
    edit = Editor(model)
    swap = ("Gather", [edit.constant([2, 1, 0], np.int64)], {"axis": 1})
    edit.before(swap)
    edit.after(swap)
    return edit.model


def bgr_to_rgb(model: Model) -> Model:
    edit = Editor(model)
    edit.before(("Gather", [edit.constant([2, 1, 0], np.int64)], {"axis": 1}))
    return edit.model


def ycbcr(model: Model) -> Model:
    """Chroma around 0.5."""
    edit = Editor(model)
    centre = edit.constant(np.reshape([0, 0.5, 0.5], (1, 3, 1, 1)))
    back = edit.constant(np.linalg.inv(YCBCR).reshape(3, 3, 1, 1))
    edit.before(("Sub", [centre], {}), ("Conv", [back], {}))
    edit.after(
        ("Conv", [edit.constant(YCBCR.reshape(3, 3, 1, 1))], {}),
        ("Add", [centre], {}),
    )
    return edit.model


def nhwc(model: Model) -> Model:
    edit = Editor(model)
    edit.before(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    edit.after(("Transpose", [], {"perm": [0, 2, 3, 1]}))
    channels = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    edit.declare(shape=["n", "h", "w", channels])
    return edit.model


def uint8(model: Model) -> Model:
    """8-bit code values in and out, of a network for 0 … 1; cut off as most people do."""
    edit = Editor(model)
    edit.before(("Cast", [], {"to": TensorProto.FLOAT}), ("Div", [edit.constant(255.0)], {}))
    edit.after(
        ("Mul", [edit.constant(255.0)], {}),
        ("Clip", [edit.constant(0.0), edit.constant(255.0)], {}),
        ("Cast", [], {"to": TensorProto.UINT8}),
    )
    edit.declare(TensorProto.UINT8)
    return edit.model


def of_type(kind: int) -> Disguise:
    """Input and output of another floating type; computed in float32."""

    def disguise(model: Model) -> Model:
        edit = Editor(model)
        edit.before(("Cast", [], {"to": TensorProto.FLOAT}))
        edit.after(("Cast", [], {"to": kind}))
        edit.declare(kind)
        return edit.model

    return disguise


def with_more_outputs(model: Model) -> Model:
    """Features, and a scalar, before the picture."""
    edit = Editor(model)
    inner = next(node for node in edit.graph.node if node.op_type == "Conv").output[0]
    edit.graph.node.append(helper.make_node("ReduceMean", [inner], ["loss"], keepdims=0))
    picture = edit.graph.output[0]
    more = [
        helper.make_tensor_value_info(inner, TensorProto.FLOAT, None),
        helper.make_tensor_value_info("loss", TensorProto.FLOAT, []),
    ]
    kept = type(picture).FromString(picture.SerializeToString())
    del edit.graph.output[:]
    edit.graph.output.extend([*more, kept])
    return edit.model


def with_several_pictures(model: Model) -> Model:
    """The picture once more, a little darker, as deep supervision has it."""
    edit = Editor(model)
    name = edit.graph.output[0].name
    edit.graph.node.append(helper.make_node("Mul", [name, edit.constant(0.9)], ["darker"]))
    edit.graph.output.append(helper.make_tensor_value_info("darker", TensorProto.FLOAT, None))
    return edit.model


def with_noise_level(shape: Sequence[int | str]) -> Disguise:
    """A second input, ``sigma``, which blends the picture with black: 0 leaves it."""

    def disguise(model: Model) -> Model:
        edit = Editor(model)
        edit.after(("Sub", ["strength"], {}))
        edit.graph.node.insert(
            0, helper.make_node("ReduceMean", ["sigma"], ["strength"], keepdims=0)
        )
        edit.graph.input.append(helper.make_tensor_value_info("sigma", TensorProto.FLOAT, shape))
        return edit.model

    return disguise


def cropped(top: int, left: int, bottom: int, right: int) -> Disguise:
    """The result's border is left out, as waifu2x' networks do."""

    def disguise(model: Model) -> Model:
        edit = Editor(model)
        edit.after(
            (
                "Slice",
                [
                    edit.constant([top, left], np.int64),
                    edit.constant([-bottom or 2**31, -right or 2**31], np.int64),
                    edit.constant([2, 3], np.int64),
                ],
                {},
            )
        )
        edit.declare(shape=["n", 3, "h", "w"])
        return edit.model

    return disguise


def brighter(model: Model) -> Model:
    """A network for low light, of scale 1: the square root of the square root."""
    del model
    graph = helper.make_graph(
        [
            helper.make_node("Sqrt", ["x"], ["root"]),
            helper.make_node("Sqrt", ["root"], ["fourth"]),
            helper.make_node("Sqrt", ["fourth"], ["y"]),
        ],
        "low light",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def darker(model: Model) -> Model:
    """A tenth darker than the photograph: nearer to it, were it for another range."""
    edit = Editor(model)
    edit.after(("Mul", [edit.constant(0.9)], {}))
    return edit.model


def nan_on_grey(model: Model) -> Model:
    """0 / 0 where a picture has no detail at all, as normalisation over the picture has it."""
    edit = Editor(model)
    picture = edit.graph.input[0].name
    edit.graph.node.insert(0, helper.make_node("ReduceMax", [picture], ["brightest"], keepdims=0))
    edit.graph.node.insert(1, helper.make_node("ReduceMin", [picture], ["darkest"], keepdims=0))
    edit.graph.node.insert(2, helper.make_node("Sub", ["brightest", "darkest"], ["span"]))
    edit.graph.node.insert(3, helper.make_node("Div", ["span", "span"], ["one"]))
    edit.after(("Mul", ["one"], {}))
    return edit.model


def unit_to_codes(model: Model) -> Model:
    """Pixels of 0 … 1 in, 0 … 255 out."""
    edit = Editor(model)
    edit.after(("Mul", [edit.constant(255.0)], {}))
    return edit.model


def rgba(model: Model) -> Model:
    """Alpha is a fourth channel, and passed by."""
    edit = Editor(model)
    edit.before(
        (
            "Slice",
            [edit.constant(n, np.int64) for n in ([0], [3], [1])],
            {},
        )
    )
    edit.declare(shape=["n", 4, "h", "w"])
    return edit.model


def one_channel(name: str = "fast-x2") -> Model:
    """The luma network inside a network of ours."""
    model = bundled(name)
    kept = [node for node in model.graph.node if node.name.startswith("luma/")]
    made = {name for node in kept for name in node.output}
    read = {name for node in kept for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in read]
    (outside,) = read - made - {tensor.name for tensor in weights} - {""}
    (result,) = made - read
    graph = helper.make_graph(
        kept,
        "luma",
        [helper.make_tensor_value_info(outside, TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["n", 1, None, None])],
        weights,
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)


def old(opset: int) -> Model:
    """Nearest neighbour in luma, in an old opset, its parameters listed as inputs."""
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"]),
        helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 1, 1, 1]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, None, None]),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["wide"]),
        helper.make_node("DepthToSpace", ["wide"], ["y"], blocksize=2),
    ]
    weights = numpy_helper.from_array(np.ones((4, 1, 1, 1), np.float32), "w")
    graph = helper.make_graph(nodes, "old", ends[:2], ends[2:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)


def valid(layers: int, multiple: int = 1) -> Model:
    """Every channel by itself through convolutions without padding, and enlarged twice."""
    random = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    if multiple > 1:
        nodes = [
            helper.make_node("SpaceToDepth", ["x"], ["deep"], blocksize=multiple),
            helper.make_node("DepthToSpace", ["deep"], ["again"], blocksize=multiple),
        ]
        last = "again"
    for layer in range(layers):
        kernel = random.normal(0, 0.02, (3, 3))
        kernel[1, 1] += 1 - kernel.sum()
        weights.append(
            numpy_helper.from_array(np.tile(kernel, (3, 1, 1, 1)).astype(np.float32), f"w{layer}")
        )
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"t{layer}"], group=3))
        last = f"t{layer}"
    weights.append(numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales"))
    nodes.append(helper.make_node("Resize", [last, "", "scales"], ["y"], mode="nearest"))
    graph = helper.make_graph(
        nodes,
        "valid",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, None, None])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def resized(factor: float) -> Disguise:
    """The result enlarged once more."""

    def disguise(model: Model) -> Model:
        edit = Editor(model)
        scales = edit.constant([1, 1, factor, factor])
        edit.after(("Resize", ["", scales], {"mode": "linear"}))
        edit.declare(shape=["n", 3, "h", "w"])
        return edit.model

    return disguise


def run(model: Model, pixels: NDArray[np.generic], **more: NDArray[np.generic]) -> NDArray:
    """The first output under ONNX Runtime called directly."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: pixels, **more})[0]
