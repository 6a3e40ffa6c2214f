"""int8 by ONNX Runtime's quantiser: near to fp32, the same every time, and without traces."""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto

from graphs import Graph, run, traced
from subpixel.errors import NetworkError
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.int8.calibrate import PictureBatch
from subpixel.graph.int8.quantize import LayerCount, count_layers, round_to_grid, to_int8
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.graph.passes.wrap import RGB_PREFIX, rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.spec import ModelSpec


def small(opset: int = 18) -> onnx.ModelProto:
    torch.manual_seed(0)
    return traced(PlainNet(2, channels=8, depth=3), opset, torch.rand(1, 1, 8, 9))


def noise(channels: int = 1) -> Iterator[PictureBatch]:
    random = np.random.default_rng(0)
    return (random.random((1, channels, 24, 17), np.float32) for _ in range(3))


def psnr(a: PictureBatch, b: PictureBatch) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2)))


@pytest.mark.parametrize("opset", [9, 11, 18])
def test_inner_layers_become_whole_numbers_and_stay_near(opset: int) -> None:
    model = small(opset)
    quantised = to_int8(model, noise())
    onnx.checker.check_model(quantised, full_check=True)
    integers = [t for t in quantised.graph.initializer if t.data_type == TensorProto.INT8]
    weights = [t for t in integers if len(t.dims) == 4]
    assert len(weights) == 3  # five layers, but for the first and the last
    assert (count_layers(model), count_layers(quantised)) == (LayerCount(0, 5), LayerCount(3, 5))
    assert halo(quantised) == halo(model)
    pixels = np.random.default_rng(1).random((2, 1, 20, 31), np.float32)
    found, expected = run(quantised, pixels), run(model, pixels)
    assert found.dtype == np.float32
    assert not np.array_equal(found, expected)
    assert psnr(found, expected) > 40


def test_weights_take_seven_bits_with_a_scale_per_channel() -> None:
    quantised = to_int8(small(), noise())
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in quantised.graph.initializer}
    weights = {n: a for n, a in tensors.items() if a.dtype == np.int8 and a.ndim == 4}
    assert max(int(np.abs(a).max()) for a in weights.values()) == 64
    for node in quantised.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            assert tensors[node.input[1]].shape == (8,)


WEIGHTS = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.just(3), st.just(3)),
    elements=st.floats(-1, 1, width=32),
)


@given(WEIGHTS)
def test_rounding_keeps_what_a_filter_does_to_even_areas(weights: PictureBatch) -> None:
    rounded = round_to_grid(weights).astype(np.float64)
    largest = np.abs(weights).max(axis=(1, 2, 3)).astype(np.float64)
    step = np.where(largest > 0, largest, 1) / 64
    assert np.allclose(np.abs(rounded).max(axis=(1, 2, 3)), largest)
    steps = rounded / step[:, None, None, None]
    assert np.allclose(steps, np.rint(steps), atol=1e-4)
    error = np.abs((rounded - weights).sum(axis=(1, 2, 3))) / step
    assert error.max() <= 1 + 1e-4  # to the nearest each: up to half a step per weight


def test_the_quantiser_takes_the_rounded_weights_as_they_are() -> None:
    model = small()
    quantised = to_int8(model, noise())
    floats = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in quantised.graph.initializer}
    inner = [n for n, a in floats.items() if a.shape == (8, 8, 3, 3)]
    assert len(inner) == 3
    for name in inner:
        scale = tensors[f"{name}_scale"][:, None, None, None]
        found = tensors[f"{name}_quantized"] * scale
        assert np.allclose(found, round_to_grid(floats[name]), atol=1e-6)


def test_colour_around_a_luma_network_stays_in_float32() -> None:
    model = with_spec(rgb_from_luma(small(), 2), ModelSpec("test", 2, "luma", "rgb"))
    before = model.SerializeToString()
    quantised = to_int8(model, noise(3))
    assert model.SerializeToString() == before
    assert read_spec(quantised) == ModelSpec("test", 2, "luma", "rgb", precision="int8")
    dequantised = {n.output[0] for n in quantised.graph.node if n.op_type == "DequantizeLinear"}
    colour = [
        n for n in quantised.graph.node if n.op_type == "Conv" and n.name.startswith(RGB_PREFIX)
    ]
    assert len(colour) == 2
    assert not dequantised & {name for node in colour for name in node.input}


@pytest.mark.slow
def test_the_same_pictures_give_the_same_file_whatever_the_hash_seed() -> None:
    """In processes of their own: Python orders sets anew in each."""
    program = (
        "import sys, hashlib, numpy as np, onnx\n"
        "from subpixel.graph.int8.quantize import round_to_grid, to_int8\n"
        "from subpixel.zoo.manifest import find_bundled\n"
        "picture = np.random.default_rng(0).random((1, 3, 24, 17), np.float32)\n"
        "data = to_int8(onnx.load(find_bundled('fast', 2).path), [picture]).SerializeToString()\n"
        "print(hashlib.sha256(data).hexdigest())"
    )
    found = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        assert done.stderr == b""
        found.add(done.stdout)
    assert len(found.pop()) == 65
    assert not found


def test_it_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    handlers = list(logging.getLogger().handlers)
    network = small()
    capfd.readouterr()  # on older processors PyTorch says here that it has no NNPACK
    to_int8(network, noise())
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers
    assert logging.root.manager.disable == logging.NOTSET


def test_a_network_without_inner_layers_is_refused() -> None:
    graph = Graph()
    shallow = graph.model(graph.conv("input", 1, pads=[1] * 4))
    with pytest.raises(NetworkError, match=r"has 1 layers.*keep it in fp32"):
        to_int8(shallow, noise())


def test_pictures_that_the_network_refuses() -> None:
    with pytest.raises(NetworkError, match="can't be quantised"):
        to_int8(small(), noise(channels=2))


def test_no_pictures_at_all() -> None:
    with pytest.raises(NetworkError, match="can't be quantised"):
        to_int8(small(), [])
