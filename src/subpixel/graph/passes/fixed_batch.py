"""Fixing the batch size of a network."""

import onnx

from subpixel.graph.geometry.propagate import picture_inputs


def with_fixed_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """A copy of ``model`` that accepts batches of exactly ``batch`` pictures."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]  # they still declare a free batch
    for end in (*picture_inputs(result), *result.graph.output):
        end.type.tensor_type.shape.dim[0].dim_value = batch
    return result
