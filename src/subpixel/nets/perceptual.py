"""Perceptual distances: LPIPS and DISTS.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018),
its version 0.1 with AlexNet, which the authors recommend as a metric; Ding et al., "Image Quality
Assessment: Unifying Structure and Texture Similarity" (IEEE TPAMI 2020), with VGG16. torchmetrics
provides the formulas and the weights fitted to human judgements; the networks' ImageNet weights are
torchvision's.
"""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from subpixel.errors import ProviderError, UsageError, one_line
from subpixel.nets.spandrel.torchvision_schemas import ensure_torchvision

MIN_LPIPS_SIDE = 31
"""The minimum height and width for AlexNet."""


@dataclass(frozen=True, eq=False)
class Perceptual:
    """LPIPS and DISTS of two pictures: 0 for equal ones, larger the more they differ."""

    lpips: nn.Module
    """Takes two ``(1, 3, H, W)`` in 0 … 1, and shifts them to -1 … 1 itself."""
    dists: nn.Module
    """Takes two ``(1, 3, H, W)`` in 0 … 1."""

    def __call__(
        self, picture: NDArray[np.uint8], truth: NDArray[np.uint8], /
    ) -> tuple[float, float]:
        """LPIPS and DISTS of two ``(H, W, 3)`` RGB pictures of one size, neither cropped nor
        resized.

        They take about 1.7 GB of memory per megapixel. Raises :class:`UsageError` where a side is
        below 31 pixels.
        """
        if min(truth.shape[:2]) < MIN_LPIPS_SIDE:
            raise UsageError(
                f"a picture measures {truth.shape[0]}×{truth.shape[1]} without its border; LPIPS "
                f"takes {MIN_LPIPS_SIDE} pixels and more: leave it out"
            )
        with torch.inference_mode():
            return self._distances(_to_tensor(picture), _to_tensor(truth))

    def _distances(self, picture: Tensor, truth: Tensor) -> tuple[float, float]:
        lpips, dists = self.lpips(picture, truth, normalize=True), self.dists(picture, truth)
        # Rounding can make the distance of equal pictures negative.
        return max(0.0, float(lpips)), max(0.0, float(dists))


def load_perceptual(tell: Callable[[str], None] = lambda line: None) -> Perceptual:
    """Both metrics, on the CPU.

    The ImageNet weights are loaded from PyTorch's cache, ``torch.hub.get_dir()``. Missing ones are
    downloaded from PyTorch's site, 761 MB in all, each announced by ``tell``. Raises
    :class:`ProviderError` where they can't be downloaded or are damaged, and
    :class:`ModuleNotFoundError` without torchmetrics or torchvision.
    """
    ensure_torchvision()
    lpips = import_module("torchmetrics.image.lpip")
    dists = import_module("torchmetrics.functional.image.dists")
    _ensure_weights(tell)
    # The networks, not the metrics: DISTS's metric reloads its weights for every picture.
    return Perceptual(
        lpips.LearnedPerceptualImagePatchSimilarity("alex").net, dists.DISTSNetwork().eval()
    )


def _to_tensor(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.moveaxis(picture, -1, 0)[None].astype(np.float32) / 255)


def _ensure_weights(tell: Callable[[str], None]) -> None:
    files = _backbones()
    try:
        for file in _missing_files(files):
            _fetch_weights(files[file], file, tell)
    except (OSError, RuntimeError, HTTPException) as error:
        raise ProviderError(_explain_missing(files, error)) from error
    for file in files:
        _expect_whole(file)


def _backbones() -> Mapping[Path, str]:
    """The paths of the weights, and the URL of each."""
    models = import_module("torchvision.models")
    urls = (models.AlexNet_Weights.DEFAULT.url, models.VGG16_Weights.DEFAULT.url)
    folder = Path(torch.hub.get_dir(), "checkpoints")
    return {folder / Path(urlparse(url).path).name: url for url in urls}


def _missing_files(files: Mapping[Path, str]) -> list[Path]:
    return [file for file in files if not file.is_file()]


def _fetch_weights(url: str, file: Path, tell: Callable[[str], None]) -> None:
    """Not by torchvision, which announces downloads on stdout, among a command's output."""
    tell(f"fetching {url} to {file}")
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(url, str(file), _digits(file), sys.stderr.isatty())


def _explain_missing(files: Mapping[Path, str], error: Exception) -> str:
    missing = _missing_files(files)
    return (
        f"LPIPS and DISTS need weights that are not there and can't be fetched: "
        f"{' and '.join(map(str, missing))} ({one_line(error)}). Fetch "
        f"{' and '.join(files[file] for file in missing)} elsewhere and put them there, or set "
        "TORCH_HOME to a folder that has them in hub/checkpoints/"
    )


def _digits(file: Path) -> str:
    """The beginning of the file's SHA-256, at the end of its name."""
    return file.stem.rpartition("-")[2]


def _expect_whole(file: Path) -> None:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(_digits(file)):
        raise ProviderError(
            f"{file} is damaged: its SHA-256 begins with {digest[:8]}, not with {_digits(file)}; "
            "delete it, and it will be fetched again"
        )
