"""Converting a network to the opset that another pass needs."""

import onnx
from onnx import version_converter

from subpixel.errors import NetworkError, one_line
from subpixel.graph.geometry.propagate import onnx_opset


def at_opset(model: onnx.ModelProto, minimum: int, needed_for: str) -> onnx.ModelProto:
    """A copy of ``model`` at opset ``minimum`` or later.

    Raises :class:`NetworkError`, which names ``needed_for``, where ONNX can't convert it.
    """
    if onnx_opset(model) >= minimum:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        return copy
    try:
        return version_converter.convert_version(model, minimum)
    except Exception as error:  # onnx raises RuntimeError, and others from C++
        raise NetworkError(
            f"the network of opset {onnx_opset(model)} can't be converted to {minimum}, which "
            f"{needed_for} needs: {one_line(error)}; export it again at {minimum} or more"
        ) from error
