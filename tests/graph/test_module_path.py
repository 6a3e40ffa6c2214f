import onnx
import pytest

from subpixel.graph.module_path import module_path, name_by_module


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("body.0.conv/Conv", "body.0.conv"),
        ("body.0.conv/Conv_12", "body.0.conv"),
        ("luma/head/Conv", "luma.head"),
        ("/head/Conv", "head"),
        ("/body/body.0/conv/Conv", "body.0.conv"),
        ("/layers.1/blocks.10/attn/MatMul_1", "layers.1.blocks.10.attn"),
        ("Add_3", None),
        ("/Add_3", None),
        ("", None),
    ],
)
def test_the_path_stands_in_the_name(name: str, path: str | None) -> None:
    assert module_path(onnx.helper.make_node("Conv", ["x"], ["y"], name=name)) == path


def test_every_name_is_given_once() -> None:
    nodes = [onnx.helper.make_node("Relu", ["x"], [f"y{i}"]) for i in range(3)]
    graph = onnx.helper.make_graph(nodes, "g", [], [])
    name_by_module(graph, {"y0": "act", "y1": "act"})
    assert [node.name for node in graph.node] == ["act/Relu", "act/Relu_2", "Relu"]
    assert [module_path(node) for node in graph.node] == ["act", "act", None]
