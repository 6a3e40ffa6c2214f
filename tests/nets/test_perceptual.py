"""With random backbones: the true weights lie on the internet, where no test goes."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.filters import gaussian
from torch import Tensor, nn
from torch.nn import functional

from backbones import random_backbones, unreachable_backbones
from subpixel.cli.main import run
from subpixel.errors import ProviderError, UsageError
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import read_picture, write_picture
from subpixel.nets.perceptual import Perceptual, load_perceptual

Rgb = NDArray[np.uint8]

RELUS_OF_ALEXNET = (1, 4, 7, 9, 11)
LAST_RELUS_OF_VGG16 = (3, 8, 15, 22, 29)


@dataclass(frozen=True, eq=False)
class Judges:
    perceptual: Perceptual
    alexnet: nn.Sequential
    vgg16: nn.Sequential
    home: Path
    """Where PyTorch keeps what it fetches."""
    told: list[str]


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judges]:
    """Fetched from a folder, as from the internet."""
    home, told = tmp_path_factory.mktemp("home"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        alexnet, vgg16 = random_backbones(tmp_path_factory.mktemp("internet"), patch)
        yield Judges(load_perceptual(told.append), alexnet, vgg16, home, told)


@pytest.fixture(scope="module")
def truth() -> Rgb:
    smooth = gaussian(np.random.default_rng(0).random((45, 54, 3)), 2, channel_axis=2)
    low, high = smooth.min(), smooth.max()
    return np.rint((smooth - low) / (high - low) * 255).astype(np.uint8)


def blurred(picture: Rgb, sigma: float) -> Rgb:
    return np.rint(gaussian(picture, sigma, channel_axis=2, preserve_range=True)).astype(np.uint8)


@pytest.mark.slow
def test_equal_pictures_are_at_no_distance(judges: Judges, truth: Rgb) -> None:
    assert judges.perceptual(truth, truth) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.slow
def test_the_more_blurred_the_further_away(judges: Judges, truth: Rgb) -> None:
    found = [judges.perceptual(blurred(truth, sigma), truth) for sigma in (0, 1, 3)]
    for distances in zip(*found, strict=True):
        assert list(distances) == sorted(set(distances))


@pytest.mark.slow
def test_both_are_symmetric(judges: Judges, truth: Rgb) -> None:
    other = blurred(truth, 2)
    there, back = judges.perceptual(other, truth), judges.perceptual(truth, other)
    assert there == pytest.approx(back, rel=1e-5)


def test_both_are_what_the_papers_say(judges: Judges, truth: Rgb) -> None:
    """The formulas written anew, in float64 and on 0 … 1: right in range, channels and layers."""
    other = blurred(truth, 1.5)
    lpips, dists = judges.perceptual(other, truth)
    assert lpips == pytest.approx(_lpips(judges.alexnet, other, truth), rel=1e-4)
    assert dists == pytest.approx(_dists(judges.vgg16, other, truth), rel=1e-4)
    assert lpips > 1e-3
    assert dists > 1e-3


def test_alexnet_bounds_the_size(judges: Judges, truth: Rgb) -> None:
    least = truth[:31, :31]
    assert judges.perceptual(least, least)[0] == 0
    for small in (truth[:30], truth[:, :30]):
        with pytest.raises(UsageError, match="takes 31 pixels and more"):
            judges.perceptual(small, small)


@pytest.mark.slow
def test_evaluate_has_them_fetched_once_and_says_so(
    judges: Judges, truth: Rgb, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [line.partition(" ")[0] for line in judges.told] == ["fetching", "fetching"]
    write_picture(to_picture(truth), tmp_path / "a.png")
    command = ["evaluate", "--data", str(tmp_path), "--perceptual", "--json"]
    assert run([*command, "--pictures", str(tmp_path / "upscaled")]) == 0
    printed = capsys.readouterr()
    assert "fetching" not in printed.err
    upscaled = read_picture(tmp_path / "upscaled" / "a.png").rgb8()
    expected = judges.perceptual(upscaled[3:-3, 3:-3], truth[3:-3, 3:-3])
    found = json.loads(printed.out)["network"]
    assert (found["lpips"], found["dists"]) == pytest.approx(expected)


def test_weights_that_cannot_be_had_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = unreachable_backbones(tmp_path, monkeypatch)
    with pytest.raises(ProviderError, match="can't be fetched") as caught:
        load_perceptual()
    assert all(str(file) in str(caught.value) for file in files)
    assert str(caught.value).count("file:///") == 2
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were put there by hand: nothing of them is unpickled."""
    for file in unreachable_backbones(tmp_path, monkeypatch):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half of it")
    with pytest.raises(ProviderError, match="is damaged: its SHA-256 begins with"):
        load_perceptual()


@torch.inference_mode()
def _lpips(alexnet: nn.Sequential, *pictures: Rgb) -> float:
    """Zhang et al., equation 1: features of unit length, squares weighted, means over space."""
    weights = _fitted("lpips_models/alex.pth")
    found = 0.0
    for layer, (x, y) in enumerate(_both(alexnet, RELUS_OF_ALEXNET, pictures)):
        squares = (functional.normalize(x) - functional.normalize(y)) ** 2
        found += float((squares * weights[f"lin{layer}.model.1.weight"]).sum(1).mean())
    return found


@torch.inference_mode()
def _dists(vgg16: nn.Sequential, *pictures: Rgb) -> float:
    """Ding et al., equations 4 to 6: the likeness of channels' means, and their correlation."""
    weights = _fitted("dists_models/weights.pt")
    layers = [_l2_pooled if isinstance(layer, nn.MaxPool2d) else layer for layer in vgg16]
    both = [tuple(map(_unit, pictures)), *_both(layers, LAST_RELUS_OF_VGG16, pictures)]
    means, correlations = (torch.cat(them) for them in zip(*map(_likeness, both), strict=True))
    alpha, beta = weights["alpha"].flatten(), weights["beta"].flatten()
    return 1 - float((alpha @ means + beta @ correlations) / (alpha.sum() + beta.sum()))


def _likeness(both: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    x, y = (features.flatten(2)[0] for features in both)
    x_mean, y_mean = x.mean(1), y.mean(1)
    covariance = (x * y).mean(1) - x_mean * y_mean
    variances = x.var(1, correction=0) + y.var(1, correction=0)
    means = (2 * x_mean * y_mean + 1e-6) / (x_mean**2 + y_mean**2 + 1e-6)
    return means, (2 * covariance + 1e-6) / (variances + 1e-6)


def _l2_pooled(x: Tensor) -> Tensor:
    window = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype)
    kernel = torch.outer(window, window).expand(x.shape[1], 1, 3, 3)
    return functional.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1]).sqrt()


def _both(
    layers: Sequence[Callable[[Tensor], Tensor]], taps: Sequence[int], pictures: Sequence[Rgb]
) -> list[tuple[Tensor, Tensor]]:
    """What the layers numbered ``taps`` say of either picture."""
    return list(zip(*(_features(layers, taps, picture) for picture in pictures), strict=True))


def _features(
    layers: Sequence[Callable[[Tensor], Tensor]], taps: Sequence[int], picture: Rgb
) -> list[Tensor]:
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).double()
    x = (_unit(picture) - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    found = []
    for number, layer in enumerate(layers[: taps[-1] + 1]):
        x = layer(x)
        if number in taps:
            found.append(x)
    return found


def _unit(picture: Rgb) -> Tensor:
    return torch.from_numpy(picture / 255).permute(2, 0, 1)[None]


def _fitted(file: str) -> dict[str, Tensor]:
    """What the metrics' authors fitted to people's judgements, as torchmetrics brings it."""
    folder = Path(import_module("torchmetrics.functional.image.dists").__file__ or "").parent
    found = torch.load(folder / file, map_location="cpu")
    return {name: weight.double() for name, weight in found.items()}
