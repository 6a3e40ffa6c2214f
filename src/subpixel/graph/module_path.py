"""The PyTorch module that a node was exported from, encoded in the node's name."""

import itertools

import onnx


def module_path(node: onnx.NodeProto) -> str | None:
    """The dotted path of the module that a node was exported from; None when its name has none.

    Reads the names that subpixel gives (``body.0.conv/Conv``) and those of the TorchScript exporter
    (``/body/body.0/conv/Conv``), with any prefix that a wrapper added.
    """
    scopes = [scope for scope in node.name.split("/")[:-1] if scope]
    inner = [
        scope
        for scope, following in itertools.zip_longest(scopes, scopes[1:], fillvalue="")
        if not following.startswith(f"{scope}.")  # a container, repeated in the name of its child
    ]
    return ".".join(inner) or None


def name_by_module(graph: onnx.GraphProto, paths: dict[str, str]) -> None:
    """Name every node ``<module path>/<operator>``, numbered where that is not unique.

    ``paths`` gives the module path of a node by the name of its first output.
    """
    counts: dict[str, int] = {}
    for node in graph.node:
        path = paths.get(node.output[0])
        name = f"{path}/{node.op_type}" if path else node.op_type
        counts[name] = counts.get(name, 0) + 1
        node.name = name if counts[name] == 1 else f"{name}_{counts[name]}"
