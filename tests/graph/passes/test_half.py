import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from graphs import Graph, run, traced
from subpixel.errors import NetworkError
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.graph.passes.float16 import find_overflow, to_fp16
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.spec import ModelSpec


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 13, 18, 20])
@pytest.mark.parametrize("wrapped", [False, True])
def test_runs_and_differs_by_less_than_a_code_value(opset: int, wrapped: bool) -> None:
    torch.manual_seed(0)
    model = traced(PlainNet(2, channels=8, depth=3), opset, torch.rand(1, 1, 8, 9))
    if wrapped:
        model = rgb_from_luma(model, 2)
    small = to_fp16(model)
    onnx.checker.check_model(small, full_check=True)
    assert len(small.SerializeToString()) < len(model.SerializeToString())
    kinds = {t.data_type for t in small.graph.initializer} - {onnx.TensorProto.INT64}
    assert kinds == {onnx.TensorProto.FLOAT16}
    assert halo(small) == halo(model)
    pixels = np.random.default_rng(0).random((2, 3 if wrapped else 1, 12, 9), np.float32)
    result, expected = run(small, pixels), run(model, pixels)
    assert result.dtype == np.float32
    assert 0 < np.abs(result - expected).max() < 1 / 255


def test_resizing_keeps_its_scales_in_float32() -> None:
    graph = Graph()
    scales = graph.constant([1, 1, 2, 2], np.float32)
    large = graph.node("Resize", graph.conv("input", 1, pads=[1] * 4), "", scales)
    small = to_fp16(graph.model(large))
    onnx.checker.check_model(small, full_check=True)
    assert run(small, np.ones((1, 1, 4, 4), np.float32)).shape == (1, 1, 8, 8)


def test_the_facts_say_so_and_the_given_model_is_not_touched() -> None:
    graph, spec = Graph(), ModelSpec("test", 1, "luma", "luma")
    model = with_spec(graph.model(graph.conv("input", 1, pads=[1] * 4)), spec)
    before = model.SerializeToString()
    assert read_spec(to_fp16(model)) == replace(spec, precision="fp16")
    assert model.SerializeToString() == before


def test_weights_beyond_float16_are_refused() -> None:
    graph = Graph()
    large = graph.node("Mul", "input", graph.constant([1e5], np.float32))
    with pytest.raises(NetworkError, match="holds 100000; float16 ends at 65504"):
        to_fp16(graph.model(large))


def test_the_converter_brings_no_torch_and_no_warnings() -> None:
    program = (
        "import sys, onnxruntime.transformers.float16; "
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("gain", "overflows"), [(100.0, False), (60000.0, False), (70000.0, True)])
def test_values_beyond_float16_on_the_way_are_found(gain: float, overflows: bool) -> None:
    """A processor computes float16 in float32, so that the result alone shows nothing."""
    graph = Graph()
    large = graph.node("Mul", "input", graph.constant([np.sqrt(gain)], np.float32))
    larger = graph.node("Mul", large, graph.constant([np.sqrt(gain)], np.float32))
    back = graph.node("Mul", larger, graph.constant([1 / np.sqrt(gain)], np.float32))
    half = to_fp16(graph.model(graph.node("Mul", back, graph.constant([0.001], np.float32))))
    pictures = [np.ones((1, 1, 4, 4), np.float32)]
    assert np.isfinite(run(half, pictures[0])).all()
    assert (find_overflow(half, pictures) is not None) == overflows


def test_an_overflow_that_some_pictures_alone_cause_is_found() -> None:
    graph = Graph()
    large = graph.node("Exp", graph.node("Mul", "input", graph.constant([12.0], np.float32)))
    half = to_fp16(graph.model(graph.node("Log", large)))
    dark, bright = np.zeros((1, 1, 4, 4), np.float32), np.ones((1, 1, 4, 4), np.float32)
    assert find_overflow(half, [dark]) is None
    assert "leaves float16's range" in str(find_overflow(half, [dark, bright]))
