"""Sparse parameters as dense ones, which is how everything here reads them."""

import math

import numpy as np
import onnx
from onnx import SparseTensorProto, TensorProto, numpy_helper

from subpixel.errors import NetworkError

MAX_VALUES = 1 << 28
"""Values of a dense parameter: as float32, 1 GiB. A few bytes of a sparse one can claim more."""


def make_dense(model: onnx.ModelProto) -> None:
    """Turn the sparse initialisers of ``model`` into dense ones, in place.

    Raises :class:`~subpixel.errors.NetworkError` for one that contradicts itself, or would have
    more than :data:`MAX_VALUES` values.
    """
    for sparse in model.graph.sparse_initializer:
        model.graph.initializer.append(_dense(sparse))
    del model.graph.sparse_initializer[:]


def _dense(sparse: SparseTensorProto) -> TensorProto:
    name, dims = sparse.values.name, tuple(sparse.dims)
    if min(dims, default=1) < 0 or math.prod(dims) > MAX_VALUES:
        raise NetworkError(
            f"the sparse parameter {name} is {dims}; up to {MAX_VALUES} values are taken: store it "
            "as a dense one"
        )
    try:
        values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
        dense = np.zeros(dims, values.dtype)
        at = places if places.ndim < 2 else np.ravel_multi_index(tuple(places.T), dims)
        dense.reshape(-1)[at] = values
    except (ValueError, IndexError, TypeError) as error:
        raise NetworkError(
            f"the sparse parameter {name} contradicts itself ({error}); export it again"
        ) from error
    return numpy_helper.from_array(dense, name)
