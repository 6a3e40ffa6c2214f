"""Padding in the graph against padding in PyTorch."""

from dataclasses import replace
from typing import get_args

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from graphs import Graph
from rounding import dot_bound
from subpixel.errors import NetworkError
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.passes.pad import with_padding, without_padding
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.export.attempt import Attempt
from subpixel.nets.export.export import export_attempt
from subpixel.nets.padding import Padded
from subpixel.nets.torch_op import TorchOp
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec, Padding
from subpixel.upscaling.tiles.bands import Workers, run_tiles
from subpixel.upscaling.tiles.tiling import plan_tiles


class Below(nn.Module):
    """Works below the picture's resolution, so on multiples of four; it sees what was padded."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(16, 64, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.pixel_shuffle(self.conv(nn.functional.pixel_unshuffle(pixels, 4)), 8)


SPEC = ModelSpec("below", 2, "luma", "luma", size_multiple=4)


@pytest.fixture(
    scope="module",
    params=[(1, False, "reflect"), (12, False, "reflect"), (6, True, "edge"), (9, False, "zeros")],
)
def padded(request: pytest.FixtureRequest) -> tuple[Padded, Session]:
    minimum, square, padding = request.param
    spec = replace(SPEC, size_minimum=minimum, square=square, padding=padding)
    exported = export_attempt(Below(), spec, Attempt("trace", (1, 20, 28), 4, padding), 18)
    assert exported.spec == replace(spec, pads=True, halo=exported.spec.halo)
    onnx.checker.check_model(exported.model, full_check=True)
    return Padded(Below().eval(), spec), Session(exported.model.SerializeToString())


@settings(max_examples=25)
@given(height=st.integers(1, 30), width=st.integers(1, 30), batch=st.integers(1, 2))
def test_any_size_goes(padded: tuple[Padded, Session], height: int, width: int, batch: int) -> None:
    module, session = padded
    pixels = np.random.default_rng(height * 31 + width).random((batch, 1, height, width))
    pixels = pixels.astype(np.float32)
    expected = TorchOp(module)(pixels)
    assert expected.shape == (batch, 1, 2 * height, 2 * width)
    np.testing.assert_allclose(session(pixels), expected, rtol=0, atol=_rounding(module))


def _rounding(padded: Padded) -> float:
    """One convolution of pixels of at most 1."""
    conv = padded.net.conv
    terms = conv.weight[0].numel() + 1
    magnitude = (conv.weight.abs().sum((1, 2, 3)) + conv.bias.abs()).max().item()
    return dot_bound(terms, magnitude)


@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    padding=st.sampled_from(get_args(Padding)),
)
def test_tiles_are_padded_as_the_file_pads(height: int, width: int, padding: Padding) -> None:
    """What the tiler shows a network beyond the picture is what the file itself would show it."""
    net, spec = _Identity(), replace(SPEC, scale=1, size_minimum=12, padding=padding)
    samples = np.arange(height * width, dtype=np.float32).reshape(height, width, 1)
    plan = plan_tiles(height, width, tile=None, halo=0, multiple=4, minimum=12, padding=padding)
    seen: list[np.ndarray] = []
    echo = lambda tiles: seen.append(tiles) or tiles  # noqa: E731
    run_tiles(echo, samples, samples.copy(), plan, workers=Workers(1))
    Padded(net, spec)(torch.from_numpy(samples.transpose(2, 0, 1)[None]))
    assert np.array_equal(seen[0].transpose(0, 3, 1, 2), net.seen.numpy())


class _Identity(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        self.seen = pixels
        return pixels


def test_an_opset_without_such_padding_is_refused() -> None:
    with pytest.raises(NetworkError, match="needs opset 12 or later; 11 was asked for"):
        export_attempt(Below(), SPEC, Attempt("trace", (1, 20, 28), 4), 11)
    free = onnx.helper.make_opsetid("", 11)
    model = onnx.ModelProto(ir_version=7, opset_import=[free])
    with pytest.raises(NetworkError, match="opset 12"):
        with_padding(model, SPEC)


def coarse(spec: ModelSpec) -> onnx.ModelProto:
    """Works at a quarter of the picture's resolution, and sees one pixel around there: 7 px."""
    graph = Graph()
    low = graph.node("SpaceToDepth", "input", blocksize=4)
    graph.channels = 16
    phases = graph.conv(low, 16 * spec.scale**2, pads=[1] * 4)
    return graph.model(graph.node("DepthToSpace", phases, blocksize=4 * spec.scale))


@pytest.mark.parametrize("padding", get_args(Padding))
@pytest.mark.parametrize(("minimum", "square"), [(1, False), (12, True)])
def test_padding_comes_off_again(padding: Padding, minimum: int, square: bool) -> None:
    spec = replace(SPEC, padding=padding, size_minimum=minimum, square=square)
    model = coarse(spec)
    padded = with_padding(model, spec)
    assert (halo(model, 4), halo(padded, 4)) == (7, None)
    plain = without_padding(padded, spec)
    assert plain is not None
    assert list(plain.graph.node) == list(model.graph.node)
    wrapped = without_padding(rgb_from_luma(padded, 2), spec)
    assert wrapped is not None
    assert halo(wrapped, 4) == 7


def test_what_pads_otherwise_stays() -> None:
    padded = with_padding(coarse(SPEC), SPEC)
    assert without_padding(coarse(SPEC), SPEC) is None
    claims = ({"size_multiple": 8}, {"padding": "edge"}, {"scale": 1}, {"square": True})
    for claim in claims:
        assert without_padding(padded, replace(SPEC, **claim)) is None  # type: ignore[arg-type]
    for place, node in enumerate(padded.graph.node):
        if node.name.startswith("pad/"):
            changed = onnx.ModelProto()
            changed.CopyFrom(padded)
            changed.graph.node[place].input[0] = "pad/one"
            assert without_padding(changed, SPEC) is None, node.name
