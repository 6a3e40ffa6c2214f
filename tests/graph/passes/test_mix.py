"""Networks between two of one graph."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from networks import sub_pixel_network
from subpixel.errors import NetworkError, UsageError
from subpixel.graph.execute import runtime_engine
from subpixel.graph.passes.mix import mix_weights
from subpixel.zoo.manifest import find_bundled


def _weights(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _ends() -> tuple[onnx.ModelProto, onnx.ModelProto]:
    start, end = (onnx.load(find_bundled(name, 2).path) for name in ("balanced", "denoise"))
    return start, end


def test_every_weight_is_on_the_line() -> None:
    start, end = _ends()
    mixed = _weights(mix_weights(start, end, 0.25))
    for name, first in _weights(start).items():
        exact = 0.75 * first.astype(np.float64) + 0.25 * _weights(end)[name].astype(np.float64)
        assert np.array_equal(mixed[name], exact.astype(np.float32)), name


def test_the_ends_are_the_two_networks() -> None:
    start, end = _ends()
    picture = np.random.default_rng(0).random((1, 3, 24, 31), np.float32)
    engine = runtime_engine()
    for strength, whole in ((0.0, start), (1.0, end)):
        mixed = mix_weights(start, end, strength)
        results = [engine(model, {"input": picture})["output"] for model in (mixed, whole)]
        assert np.array_equal(*results)


def test_what_is_no_weight_stays() -> None:
    start, end = _ends()
    before = start.SerializeToString()
    mixed = mix_weights(start, end, 0.5)
    assert mixed.graph.node == start.graph.node
    assert start.SerializeToString() == before


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan")])
def test_a_strength_outside_is_refused(strength: float) -> None:
    with pytest.raises(UsageError, match="0 to 1"):
        mix_weights(*_ends(), strength)


def test_networks_of_other_graphs_are_refused() -> None:
    start, _ = _ends()
    with pytest.raises(NetworkError, match="one graph"):
        mix_weights(start, onnx.load(find_bundled("fast", 2).path), 0.5)
    with pytest.raises(NetworkError, match="one graph"):
        mix_weights(start, onnx.load(find_bundled("denoise", 3).path), 0.5)


def test_weights_of_another_shape_are_refused() -> None:
    start, end = sub_pixel_network(), sub_pixel_network()
    tensor = end.graph.initializer[0]
    array = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(array[..., None], tensor.name))
    with pytest.raises(NetworkError, match="shape"):
        mix_weights(start, end, 0.5)
