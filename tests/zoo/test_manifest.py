import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np
import onnx
import pytest
from PIL import Image
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from subpixel.errors import NetworkError, UsageError
from subpixel.graph.check import check_model
from subpixel.graph.metadata import read_spec
from subpixel.measure.benchmark_set import benchmark
from subpixel.measure.evaluate import evaluate
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import (
    DEFAULT_NETWORK,
    DENOISE,
    FOLDER,
    BundledNetwork,
    find_bundled,
    read_manifest,
    verify_bundled,
)

rows = pytest.mark.parametrize("row", read_manifest(), ids=lambda row: f"{row.name}-x{row.scale}")


def test_there_is_one_for_every_scale() -> None:
    names = {row.name for row in read_manifest()}
    assert {DEFAULT_NETWORK, DENOISE, "fast", "fast-int8"} <= names
    for name in names - {"espcn-int8"}:  # which loses too much at x2
        assert [row.scale for row in read_manifest() if row.name == name] == [2, 3, 4]
    assert {row.file for row in read_manifest()} == {p.name for p in FOLDER.glob("*.onnx")}


@rows
def test_the_file_is_what_the_manifest_says(row: BundledNetwork) -> None:
    model = onnx.load(verify_bundled(row))
    spec = read_spec(model)
    assert spec is not None
    assert check_model(model, spec)
    assert (spec.name, spec.scale, spec.licence) == (row.name, row.scale, row.licence)
    assert row.path.stat().st_size < (200_000 if row.name.startswith("fast") else 500_000)


@rows
def test_it_is_within_the_cost_of_its_class(row: BundledNetwork) -> None:
    colour = 3 + 3 * 3 * 25 * row.scale**2  # luma, and the bicubic chroma, in the graph
    most = 14_000 if row.name.startswith("fast") else 120_000
    assert 10_000 <= row.multiply_adds - colour <= most


def test_all_are_small_enough_to_be_in_the_package() -> None:
    assert sum(row.path.stat().st_size for row in read_manifest()) < 10_000_000


def _measured() -> Iterator[object]:
    """Set5 for all; Set14 where people look first, by hand for all; BSD100 by hand."""
    for row in read_manifest():
        called = f"{row.name}-x{row.scale}"
        first = row.scale == 3 and row.name in ("fast", "balanced")
        marks = [pytest.mark.slow] if first else [pytest.mark.slow, pytest.mark.campaign]
        yield pytest.param(row, "Set5", id=f"{called}-Set5")
        yield pytest.param(row, "Set14", id=f"{called}-Set14", marks=marks)
        if first:
            by_hand = [pytest.mark.slow, pytest.mark.campaign]
            yield pytest.param(row, "BSD100", id=f"{called}-BSD100", marks=by_hand)


@pytest.mark.sample(every=5)
@pytest.mark.parametrize(("row", "name"), [*_measured()])
def test_the_figures_are_measured(shared_data: Path, row: BundledNetwork, name: str) -> None:
    """The manifest's PSNR, once more, by us and by scikit-image; and clearly above bicubic."""
    made: dict[str, np.ndarray] = {}
    pictures = benchmark(shared_data / "bench" / name, row.scale)
    upscaler = Upscaler(row.path, device="cpu")
    found = evaluate(upscaler, pictures, keep=lambda r: made.update({r.picture: r.upscaled}))
    assert found.network.psnr == pytest.approx(row.psnr[name], abs=0.01)
    assert found.bicubic.psnr == pytest.approx(row.bicubic_psnr[name], abs=0.01)
    theirs = fmean(_by_scikit_image(made[f.name], f, row.scale) for f in pictures.truths)
    assert found.network.psnr == pytest.approx(theirs, abs=0.01)
    easy = row.scale == 3 and name != "BSD100" and not row.name.startswith(DENOISE)
    assert found.network.psnr > found.bicubic.psnr + (1.5 if easy else 1.0)


def _by_scikit_image(upscaled: np.ndarray, truth_file: Path, scale: int) -> float:
    with Image.open(truth_file) as image:
        truth = np.asarray(image.convert("RGB"))
    lumas = [
        rgb2ycbcr(p)[scale : upscaled.shape[0] - scale, scale : upscaled.shape[1] - scale, 0]
        for p in (upscaled, truth[: upscaled.shape[0], : upscaled.shape[1]])
    ]
    return float(peak_signal_noise_ratio(*lumas, data_range=255))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("quality", [50, 75])
def test_denoise_is_ahead_on_jpegs(shared_data: Path, scale: int, quality: int) -> None:
    """Of the default network, and of bicubic interpolation."""
    pictures = benchmark(shared_data / "bench" / "Set5", scale, jpeg=quality)
    ours, other = (
        evaluate(Upscaler(find_bundled(name, scale).path, device="cpu"), pictures)
        for name in (DENOISE, DEFAULT_NETWORK)
    )
    assert ours.network.psnr > max(other.network.psnr, ours.bicubic.psnr) + 0.5


def test_a_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = find_bundled("fast", 3)
    (tmp_path / row.file).write_bytes(row.path.read_bytes()[:-1])
    monkeypatch.setattr("subpixel.zoo.manifest.FOLDER", tmp_path)
    with pytest.raises(NetworkError, match="is damaged: its sha256"):
        verify_bundled(row)


def test_the_message_lists_what_there_is() -> None:
    with pytest.raises(UsageError, match=re.escape("it has 2, 3, 4")):
        find_bundled("fast", 7)
