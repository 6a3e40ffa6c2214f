"""The reference pipeline, from its published weights to the cat, against its own steps by hand.

The reference does its colour in 8 bits with Pillow. Pillow 13 cuts off instead of rounding, on
the way to YCbCr and back (its tables are shifted right by 6 bits), and the tutorial's
``np.uint8`` cuts off the network's luma: on average each step takes half a code value of
brightness, 2 together. So the same steps are done twice here: with PyTorch and Pillow in
floating point, which the file must agree with; and word for word, to show that cutting off is
all that separates the two.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from exports import export_module
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.export.exporters import opset_range
from subpixel.publish.release import release
from subpixel.runtime.session import Session
from subpixel.spec import Exporter, Interface

Codes = NDArray[np.float64]
"""``(H, W)`` or ``(H, W, 3)``, in code values 0 … 255."""

EXPORTS = (
    pytest.param("trace", 10, marks=pytest.mark.campaign),
    ("script", 10),
    ("trace", opset_range("trace")[-1]),
    pytest.param("script", opset_range("script")[-1], marks=pytest.mark.campaign),
    ("dynamo", opset_range("dynamo")[-1]),
)
INNER = slice(4, -4)
"""At its edges Pillow's bicubic weighs the samples that are there, ours repeats the last one."""

TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
"""As JFIF prints it (ITU-T T.871, section 7)."""


@dataclass(frozen=True)
class Cat:
    picture: Image.Image
    weights: Path
    net: nn.Module

    @property
    def rgb(self) -> NDArray[np.uint8]:
        return np.asarray(self.picture)


@pytest.fixture(scope="module")
def cat(shared_data: Path) -> Cat:
    weights = shared_data / "seed" / "superres_epoch100-44c6958e.pth"
    with Image.open(shared_data / "seed" / "cat_224x224.jpg") as file:
        picture = file.convert("RGB")
    assert picture.size == (224, 224)
    return Cat(picture, weights, load_checkpoint(weights).module)


def luma_by_pytorch(cat: Cat, luma: NDArray[np.float32]) -> Codes:
    """``(H, W)`` luma in code values → the enlarged one, clipped."""
    with torch.inference_mode():
        result = cat.net(torch.from_numpy(luma / np.float32(255))[None, None])
    return np.clip(result[0, 0].numpy().astype(np.float64) * 255, 0, 255)


def in_floating_point(cat: Cat) -> Codes:
    """The reference's steps by PyTorch and Pillow, nothing rounded before the end."""
    planes = (cat.rgb @ TO_YCBCR.T).astype(np.float32)
    luma = luma_by_pytorch(cat, planes[..., 0])
    chroma = [
        Image.fromarray(planes[..., k]).resize((672, 672), Image.Resampling.BICUBIC) for k in (1, 2)
    ]
    return rounded(np.dstack([luma, *chroma]) @ np.linalg.inv(TO_YCBCR).T)


def word_for_word(cat: Cat) -> tuple[Codes, Codes]:
    """Luma and RGB as the reference's script makes them, 8 bits at every step."""
    y, cb, cr = cat.picture.convert("YCbCr").split()
    luma = Image.fromarray(np.uint8(luma_by_pytorch(cat, np.asarray(y, dtype=np.float32))))
    chroma = [plane.resize(luma.size, Image.Resampling.BICUBIC) for plane in (cb, cr)]
    rgb = Image.merge("YCbCr", [luma, *chroma]).convert("RGB")
    return np.asarray(luma, dtype=float), np.asarray(rgb, dtype=float)


def rounded(codes: Codes) -> Codes:
    return np.floor(np.clip(codes, 0, 255) + 0.5)


def by_session(file: Path, planes: NDArray[np.uint8]) -> Codes:
    """``(H, W, C)`` 8-bit samples through a network file, to 8-bit code values."""
    pixels = planes.transpose(2, 0, 1)[None] / np.float32(255)
    return rounded(Session(file)(pixels)[0].transpose(1, 2, 0).astype(np.float64) * 255)


def published(cat: Cat, out: Path, exporter: Exporter, opset: int, interface: Interface) -> Path:
    """Export, check, verify; the file is there only when all went well."""
    report = release(cat.weights, out, interface=interface, exporter=exporter, opset=opset)
    assert report, report.parity and report.parity.worst
    assert (report.exporter, report.opset, report.spec.halo) == (exporter, opset, 5)
    assert report.parity is not None
    # A code value, in a million, lies on the brink of rounding; which one the processor decides.
    assert all(r.psnr is not None and r.psnr > 130 for r in report.parity.results)
    return out


def check_luma(cat: Cat, file: Path) -> None:
    samples = np.asarray(cat.picture.convert("YCbCr").getchannel(0))[..., None]
    by_hand, _ = word_for_word(cat)
    difference = by_session(file, samples)[..., 0] - by_hand
    assert difference.shape == (672, 672)
    assert np.abs(difference).max() <= 1


def check_rgb(cat: Cat, file: Path) -> None:
    difference = (by_session(file, cat.rgb) - in_floating_point(cat))[INNER, INNER]
    assert difference.shape == (664, 664, 3)
    assert np.abs(difference).max() <= 2
    assert np.abs(difference @ TO_YCBCR[0]).max() <= 1


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(("exporter", "opset"), EXPORTS)
def test_the_cats_luma(cat: Cat, tmp_path: Path, exporter: Exporter, opset: int) -> None:
    spec = load_checkpoint(cat.weights).spec
    exported = export_module(cat.net, spec, exporter=exporter, opset=opset)
    onnx.save(exported.model, tmp_path / "luma.onnx")
    check_luma(cat, tmp_path / "luma.onnx")


@pytest.mark.slow
def test_the_cat_in_colour(cat: Cat, tmp_path: Path) -> None:
    check_rgb(cat, published(cat, tmp_path / "rgb.onnx", "trace", 10, "rgb"))


@pytest.mark.slow
@pytest.mark.parametrize(("exporter", "opset"), EXPORTS)
def test_the_cat_by_every_exporter(
    cat: Cat, tmp_path: Path, exporter: Exporter, opset: int
) -> None:
    check_luma(cat, published(cat, tmp_path / "luma.onnx", exporter, opset, "native"))
    check_rgb(cat, published(cat, tmp_path / "rgb.onnx", exporter, opset, "rgb"))


def test_the_references_8_bit_steps_darken_the_picture(cat: Cat) -> None:
    _, by_hand = word_for_word(cat)
    difference = (in_floating_point(cat) - by_hand)[INNER, INNER]
    assert 1 < difference.mean() < 2.5
    assert np.abs(difference - difference.mean(axis=(0, 1))).max() <= 6
    assert np.abs(difference).max() <= 7
