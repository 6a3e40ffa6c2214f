"""Sparse parameters made dense."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from onnx import helper, numpy_helper

from graphs import Graph, run
from subpixel.errors import NetworkError
from subpixel.graph.passes.sparse import make_dense

PICTURE = np.random.default_rng(0).random((1, 1, 9, 7), np.float32)


def sparse_tensor(dense: np.ndarray, name: str, *, flat: bool = True) -> onnx.SparseTensorProto:
    at = np.flatnonzero(dense)
    places = at if flat else np.stack(np.unravel_index(at, dense.shape), 1)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(dense.reshape(-1)[at], name),
        numpy_helper.from_array(places.astype(np.int64), f"{name}/places"),
        dense.shape,
    )


def holding(sparse: onnx.SparseTensorProto) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.graph.sparse_initializer.append(sparse)
    return model


@given(arrays(np.float32, array_shapes(max_dims=4, max_side=4)), st.booleans())
def test_every_value_is_in_its_place(dense: np.ndarray, flat: bool) -> None:
    dense = np.nan_to_num(dense)
    model = holding(sparse_tensor(dense, "weights", flat=flat))
    make_dense(model)
    assert not model.graph.sparse_initializer
    (tensor,) = model.graph.initializer
    assert tensor.name == "weights"
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), dense)


def test_the_network_is_the_same() -> None:
    """ONNX Runtime reads sparse initialisers by itself."""
    graph = Graph(channels=1)
    model = graph.model(graph.shuffle(graph.conv("input", 4, pads=[1, 1, 1, 1]), 2))
    weights = model.graph.initializer[0]
    values = numpy_helper.to_array(weights).copy()
    values[0] = 0
    model.graph.sparse_initializer.append(sparse_tensor(values, weights.name))
    model.graph.initializer.remove(weights)
    expected = run(model, PICTURE)
    make_dense(model)
    np.testing.assert_array_equal(run(model, PICTURE), expected)


@pytest.mark.parametrize(
    ("dims", "message"), [((1 << 20, 1 << 20), "values"), ((2,), "inconsistent")]
)
def test_what_contradicts_itself_is_refused(dims: tuple[int, ...], message: str) -> None:
    sparse = sparse_tensor(np.array([0, 0, 0, 5], np.float32), "weights")
    sparse.dims[:] = dims
    with pytest.raises(NetworkError, match=message):
        make_dense(holding(sparse))
