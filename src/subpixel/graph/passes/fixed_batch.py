"""The free axes of a network, and fixing them."""

import onnx

from subpixel.graph.geometry.propagate import picture_inputs


def with_fixed_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """A copy of ``model`` that takes ``batch`` pictures at a time, and no other number."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]  # they name the batch that was free
    for end in (*picture_inputs(result), *result.graph.output):
        end.type.tensor_type.shape.dim[0].dim_value = batch
    return result
