"""Forms in which files come: each is bisected right, or refused in a line.

Each form is made of a right network and of one whose middle layer has another bias.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from faults.honest import optimised
from onnx import NodeProto, helper, numpy_helper

import quantiser
from sized import sized_network
from specimens import REPOSITORY
from subpixel.errors import NetworkError
from subpixel.graph.execute import optimise_graph as optimised_for
from subpixel.graph.execute import runtime_engine
from subpixel.graph.flow import LAYOUT_DOMAINS, flow
from subpixel.graph.passes.float16 import to_fp16
from subpixel.parity.bisect.alignment.align import align
from subpixel.parity.bisect.bisect import bisect
from subpixel.parity.bisect.locate import SpliceTrial
from subpixel.parity.bisect.splice import Splice
from subpixel.parity.cases import Case, pixels
from subpixel.parity.compare import Tolerance

NETWORK, LAYER = "hourglass", "middle/Conv"
EXACT = Tolerance(rtol=None, max_codes=0)

Form = Callable[[onnx.ModelProto], onnx.ModelProto]


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def layer(model: onnx.ModelProto) -> NodeProto:
    return next(node for node in model.graph.node if node.name == LAYER)


def edited(model: onnx.ModelProto) -> onnx.ModelProto:
    result = copied(model)
    name = layer(result).input[2]
    tensor = next(each for each in result.graph.initializer if each.name == name)
    values = numpy_helper.to_array(tensor) + np.float32(0.5)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return result


def quantised(form: quantiser.Form) -> Form:
    """Calibrated on noise, on black and on white: the grid's pictures lie in its range."""
    pictures = [np.random.default_rng(0).random((1, 3, 32, 40), np.float32)]
    pictures += [np.full_like(pictures[0], level) for level in (0, 1)]
    return lambda model: quantiser.quantised(model, form, pictures)


def sparse_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    result = copied(model)
    for tensor in model.graph.initializer:
        if tensor.name.endswith("bias"):
            values = numpy_helper.to_array(tensor)
            places = np.arange(values.size)
            result.graph.sparse_initializer.append(
                helper.make_sparse_tensor(
                    numpy_helper.from_array(values, tensor.name),
                    numpy_helper.from_array(places, f"{tensor.name}/places"),
                    values.shape,
                )
            )
            result.graph.initializer.remove(tensor)
    return result


def weights_cast(model: onnx.ModelProto) -> onnx.ModelProto:
    result = copied(model)
    for tensor in result.graph.initializer:
        values, name = numpy_helper.to_array(tensor), tensor.name
        if values.dtype == np.float32 and values.ndim:
            half = values.astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}/half"))
            cast = helper.make_node("Cast", [tensor.name], [name], f"{name}/cast", to=1)
            result.graph.node.insert(0, cast)
    return result


def named_alike(name: str) -> Form:
    def rename(model: onnx.ModelProto) -> onnx.ModelProto:
        result = copied(model)
        for node in result.graph.node:
            node.name = name
        return result

    return rename


def without_shape(model: onnx.ModelProto) -> onnx.ModelProto:
    result = copied(model)
    result.graph.input[0].type.tensor_type.ClearField("shape")
    return result


def with_another_output(model: onnx.ModelProto) -> onnx.ModelProto:
    result = copied(model)
    (name,) = layer(result).output
    result.graph.output.append(helper.make_tensor_value_info(name, 1, [None] * 4))
    return result


RIGHT: Mapping[str, tuple[Form, str]] = {
    "QDQ": (quantised("QDQ"), LAYER),
    "QOperator": (quantised("QOperator"), f"{LAYER}_quant"),
    "sparse initialisers": (sparse_biases, LAYER),
    "weights in fp16, cast": (weights_cast, LAYER),
    "fp16": (to_fp16, LAYER),
    "no names": (named_alike(""), "conv2d_2"),
}
"""The form, and the name that the wrong node has in it."""

SEPARATE: Mapping[str, tuple[Form, str]] = {
    "dynamic": (quantised("dynamic"), "DynamicQuantizeLinear .*dynamic quantisation"),
    "NCHWc": (optimised("all"), "saved optimised"),
}
"""The form, and why it is refused: when the pictures differ, and not before."""

REFUSED: Mapping[str, tuple[Form, str]] = {
    "names of several nodes": (named_alike("same"), "two nodes with same node name"),
    "no input shape": (without_shape, "one 4-D tensor"),
    "auxiliary output": (with_another_output, "2 outputs"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("forms") / "good.onnx"
    onnx.save(sized_network(NETWORK), file)
    return file


def written(form: Form, model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(form(model), folder / "bad.onnx")
    return folder / "bad.onnx"


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("kind", RIGHT)
def test_the_wrong_node_is_named(kind: str, good: Path, tmp_path: Path) -> None:
    form, name = RIGHT[kind]
    blame = bisect(written(form, edited(sized_network(NETWORK)), tmp_path), good)
    assert (blame.stage, blame.node) == ("graph", name), blame
    operator = "QLinearConv" if kind == "QOperator" else "Conv"
    assert blame.op_type == operator, "as it stands in the file"
    assert any("8 of 8 values differ, by up to 0.5" in line for line in blame.evidence)


@pytest.mark.sample(every=23)
@pytest.mark.parametrize("kind", [*RIGHT, *SEPARATE])
def test_the_form_alone_is_no_fault_of_a_node(kind: str, good: Path, tmp_path: Path) -> None:
    form, _ = {**RIGHT, **SEPARATE}[kind]
    blame = bisect(written(form, sized_network(NETWORK), tmp_path), good)
    assert blame.equal or blame.stage == "precision", blame


@pytest.mark.parametrize("kind", SEPARATE)
def test_nodes_that_cannot_be_told_apart(kind: str, good: Path, tmp_path: Path) -> None:
    form, message = SEPARATE[kind]
    bad = written(form, edited(sized_network(NETWORK)), tmp_path)
    with pytest.raises(NetworkError, match=message) as raised:
        bisect(bad, good)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_as_a_network(kind: str, good: Path, tmp_path: Path) -> None:
    form, message = REFUSED[kind]
    with pytest.raises(NetworkError, match=message) as raised:
        bisect(written(form, sized_network(NETWORK), tmp_path), good)
    assert "\n" not in str(raised.value)


def test_integers_from_end_to_end() -> None:
    """A file of 8-bit pictures against the one that it was made from."""
    zoo = REPOSITORY / "src" / "subpixel" / "zoo"
    with pytest.raises(NetworkError, match="takes 8-bit pictures"):
        bisect(zoo / "fast-int8-x3.onnx", zoo / "fast-x3.onnx", sizes=[(8, 8)], tolerance=EXACT)


def test_parameters_beyond_protobufs_limit(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subpixel.graph.metadata.MAX_MESSAGE_BYTES", 5000)
    with pytest.raises(NetworkError, match="protobuf"):
        bisect(good, good)


def test_no_cut_lies_where_values_are_in_another_order() -> None:
    """Of what ONNX Runtime makes of a graph on this processor."""
    engine, graph = runtime_engine(), flow(sized_network(NETWORK))
    rewritten = flow(optimised_for(graph.model, "CPUExecutionProvider", "all"))
    if not any(node.domain in LAYOUT_DOMAINS for node in rewritten.nodes):
        pytest.skip("ONNX Runtime has no layout of its own for this processor")
    case = Case(1, 16, 24, "noise")
    splice = Splice(align(rewritten, graph), engine, engine, pixels(case, 3))
    trial = SpliceTrial(splice, case, Tolerance())
    results = [trial.push(cut) for cut in range(len(splice.cuts))]
    assert len(results) > 2
    assert all(result.passed for result in results if result)
