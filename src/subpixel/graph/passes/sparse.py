"""Conversion of sparse parameters to dense ones, which all other code expects."""

import math

import numpy as np
import onnx
from onnx import SparseTensorProto, TensorProto, numpy_helper

from subpixel.errors import NetworkError

MAX_VALUES = 1 << 28
"""The most values in a dense parameter, 1 GiB as float32: a few bytes of a sparse one can claim
more."""


def make_dense(model: onnx.ModelProto) -> None:
    """Replace the sparse initialisers of ``model`` by dense ones, in place.

    Raises :class:`~subpixel.errors.NetworkError` for an inconsistent one, or one of more than
    :data:`MAX_VALUES` values.
    """
    for sparse in model.graph.sparse_initializer:
        model.graph.initializer.append(_dense(sparse))
    del model.graph.sparse_initializer[:]


def _dense(sparse: SparseTensorProto) -> TensorProto:
    name, dims = sparse.values.name, tuple(sparse.dims)
    if min(dims, default=1) < 0 or math.prod(dims) > MAX_VALUES:
        raise NetworkError(
            f"the sparse parameter {name} is {dims}; the limit is {MAX_VALUES} values: store it "
            "as a dense one"
        )
    try:
        values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
        dense = np.zeros(dims, values.dtype)
        at = places if places.ndim < 2 else np.ravel_multi_index(tuple(places.T), dims)
        dense.reshape(-1)[at] = values
    except (ValueError, IndexError, TypeError) as error:
        raise NetworkError(
            f"the sparse parameter {name} is inconsistent ({error}); export it again"
        ) from error
    return numpy_helper.from_array(dense, name)
