"""A network all in integers: near to fp32, exact in its geometry, and fused as it is meant."""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from graphs import run, traced
from subpixel.errors import NetworkError
from subpixel.graph.check import check_model
from subpixel.graph.exact.clear_sums import clear_sums
from subpixel.graph.exact.ties import find_close_pairs, list_code_sums
from subpixel.graph.execute import CPU, optimise_graph
from subpixel.graph.int8.integer import PictureBatch, to_integer
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.imaging.colour import luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.parity.calibration import flat_pictures
from subpixel.runtime.op import Codes
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec
from subpixel.system.session_options import Optimisation
from subpixel.zoo.manifest import find_bundled

PHOTO = Path(__file__).parents[3] / "src" / "subpixel" / "media" / "photo.jpg"
SCALES = pytest.mark.parametrize("scale", [2, 3, 4])


def wrapped(net: torch.nn.Module, scale: int) -> onnx.ModelProto:
    model = rgb_from_luma(traced(net, 18, torch.rand(1, 1, 8, 9)), scale)
    return with_spec(model, ModelSpec("test", scale, "luma", "rgb"))


@cache
def plain(scale: int) -> onnx.ModelProto:
    torch.manual_seed(scale)
    return wrapped(PlainNet(scale, channels=12, depth=2), scale)


def photo() -> Codes:
    """``(1, H, W, 3)``"""
    with Image.open(PHOTO) as image:
        return np.asarray(image.convert("RGB"))[None, :128, :128]


def planes(codes: Codes) -> PictureBatch:
    return np.ascontiguousarray(codes.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def pictures() -> Iterator[PictureBatch]:
    yield planes(photo())


@cache
def quantised(scale: int) -> onnx.ModelProto:
    return to_integer(plain(scale), pictures())


def opened(model: onnx.ModelProto, level: Optimisation = "all") -> Session:
    return Session(model.SerializeToString(), optimisation=level, threads=1)


@cache
def bundled(scale: int) -> Session:
    return Session(find_bundled("fast-int8", scale).path, threads=1)


def rounded(pixels: PictureBatch) -> Codes:
    return np.floor(np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(0, 2, 3, 1)


def psnr(a: Codes, b: Codes) -> float:
    return float(-10 * np.log10(np.mean((a / 255 - b / 255) ** 2)))


@SCALES
def test_it_is_near_to_the_float32_network(scale: int) -> None:
    model = plain(scale)
    given = photo()[:, :50, :67]
    found = opened(quantised(scale)).codes(given)
    expected = rounded(run(model, planes(given)))
    assert found.shape == expected.shape
    assert psnr(found, expected) > 45


def test_the_tutorials_network() -> None:
    """Without the sum of luma at the end, and with wide layers."""
    torch.manual_seed(0)
    model = wrapped(SuperResolutionNet(3), 3)
    given = photo()[:, :30, :41]
    found = opened(to_integer(model, pictures())).codes(given)
    assert psnr(found, rounded(run(model, planes(given)))) > 40


def test_flat_areas_keep_their_level() -> None:
    """In float32 they do but for half a code value at both ends, and here lost six levels."""
    model = onnx.load(find_bundled("fast", 4).path)
    spec = read_spec(model)
    assert spec is not None
    session = opened(to_integer(model, chain(pictures(), flat_pictures(spec))))
    levels = np.arange(256, dtype=np.uint8)[:, None, None, None]
    found = session.codes(np.tile(levels, (1, 31, 31, 3)))
    assert (found[:, 60:64, 60:64] == levels).all()


@SCALES
def test_colour_keeps_its_place(scale: int) -> None:
    """Colour without luma, against the float32 network's: bicubic in both."""
    given = photo()[:, :50, :67]
    found = opened(quantised(scale)).codes(given)
    expected = rounded(run(plain(scale), planes(given)))
    chroma = [c - luma(c.astype(np.float32))[..., None] for c in (found, expected)]
    error = np.abs(chroma[0] - chroma[1])
    # Beyond it are places where luma is white or black: 8 bits clip it with colour, not before.
    assert np.quantile(error, 0.99) < 1.2  # of which rounding the two pictures makes one
    assert np.abs(np.mean(chroma[0] - chroma[1], axis=(0, 1, 2))).max() < 0.05


@pytest.mark.parametrize("scale", [2, 3, 4])
@given(colours=st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=4))
@settings(max_examples=10)
def test_flat_colours_stay_themselves(scale: int, colours: list[tuple[int, int, int]]) -> None:
    edge = 14 * scale
    for colour in colours:
        flat = np.broadcast_to(np.array(colour, np.uint8), (1, 32, 35, 3))
        inner = bundled(scale).codes(flat)[:, edge:-edge, edge:-edge]
        assert np.abs(inner.astype(int) - colour).max() <= 1


@given(height=st.integers(1, 40), width=st.integers(1, 70), data=st.data())
@settings(max_examples=20)
def test_a_part_of_the_picture_equals_the_whole_to_the_bit(
    height: int, width: int, data: st.DataObject
) -> None:
    """Columns are taken together in groups: no pixel may notice where in its group it lies."""
    session, halo = bundled(2), 7
    codes = np.random.default_rng(width).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    left = data.draw(st.integers(0, width - 1))
    top = data.draw(st.integers(0, height - 1))
    whole, part = session.codes(codes), session.codes(codes[:, top:, left:])
    assert whole.shape == (1, 2 * height, 2 * width, 3)
    down, along = (2 * halo if start else 0 for start in (top, left))
    assert np.array_equal(part[:, down:, along:], whole[:, 2 * top + down :, 2 * left + along :])


def test_a_batch_equals_its_pictures() -> None:
    session = opened(quantised(3))
    codes = np.random.default_rng(0).integers(0, 256, (3, 9, 21, 3), dtype=np.uint8)
    batch = session.codes(codes)
    for one, expected in zip(codes, batch, strict=True):
        assert np.array_equal(session.codes(one[None])[0], expected)


def test_the_file_passes_its_checks_and_says_what_it_is() -> None:
    made = quantised(3)
    spec = read_spec(made)
    assert spec == ModelSpec("test", 3, "luma", "rgb", precision="int8", samples="uint8")
    report = check_model(made, spec)
    assert report, report
    assert made.SerializeToString() == to_integer(plain(3), pictures()).SerializeToString()


def test_onnx_runtime_computes_all_of_it_in_integers() -> None:
    """Nothing is left in floating point, nor any transposition of pictures but the one meant."""
    made = optimise_graph(quantised(3), CPU, "all")
    kinds = [(node.domain, node.op_type) for node in made.graph.node]
    names = {name for _, name in kinds}
    assert not names & {"Conv", "DequantizeLinear", "QuantizeLinear", "Relu", "FusedConv"}
    assert kinds.count(("com.microsoft", "QLinearConv")) == 1 + 4 + 2 + 3
    assert kinds.count(("com.microsoft", "QLinearAdd")) == 1
    assert [name for _, name in kinds].count("Transpose") == 1


def test_unfused_it_computes_the_same() -> None:
    """As other runtimes may, in floating point between 8-bit steps; exact halves may fall
    either way, and grow on their way through the layers."""
    given = photo()[:, :40, :53]
    fused, plainly = opened(quantised(3)).codes(given), opened(quantised(3), "none").codes(given)
    error = np.abs(fused.astype(int) - plainly)
    assert error.max() <= 2
    assert np.mean(error > 0) < 0.02


def test_no_pictures_at_all() -> None:
    with pytest.raises(NetworkError, match="no picture to calibrate it on"):
        to_integer(plain(2), [])


@SCALES
def test_processors_add_all_pairs_of_codes_alike(scale: int) -> None:
    sums = list_code_sums(quantised(scale))
    assert len(sums) == 1
    assert not any(find_close_pairs(sum_).any() for sum_ in sums)


def test_a_sum_in_the_middle_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that the ranges ask for is one with close pairs for one of these networks."""
    monkeypatch.setattr("subpixel.graph.int8.integer.clear_sums", lambda model: model)
    for seed in range(20):
        torch.manual_seed(seed)
        plainly = to_integer(wrapped(PlainNet(2, channels=4, depth=2), 2), pictures())
        if any(find_close_pairs(sum_).any() for sum_ in list_code_sums(plainly)):
            break
    monkeypatch.undo()
    torch.manual_seed(seed)
    made = to_integer(wrapped(PlainNet(2, channels=4, depth=2), 2), pictures())
    assert made == clear_sums(plainly) != plainly
    assert not any(find_close_pairs(sum_).any() for sum_ in list_code_sums(made))
