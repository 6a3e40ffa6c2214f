"""Perceptual distances: LPIPS and DISTS.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018),
its version 0.1 with AlexNet, which the authors recommend as a metric; Ding et al., "Image Quality
Assessment: Unifying Structure and Texture Similarity" (IEEE TPAMI 2020), with VGG16. torchmetrics
provides the formulas and the weights fitted to human judgements; the networks' ImageNet weights are
torchvision's.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from subpixel.errors import ProviderError, UsageError
from subpixel.nets.metric_weights import MetricWeights, ensure_weights, to_tensor
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
            return self._distances(to_tensor(picture), to_tensor(truth))

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
    backbones = _list_backbones()
    ensure_weights("LPIPS and DISTS", backbones, tell)
    for weights in backbones:
        _expect_whole(weights)
    # The networks, not the metrics: DISTS's metric reloads its weights for every picture.
    return Perceptual(
        lpips.LearnedPerceptualImagePatchSimilarity("alex").net, dists.DISTSNetwork().eval()
    )


def _list_backbones() -> tuple[MetricWeights, ...]:
    """The networks' weights; their names end with the first digits of their SHA-256."""
    models = import_module("torchvision.models")
    urls = (models.AlexNet_Weights.DEFAULT.url, models.VGG16_Weights.DEFAULT.url)
    return tuple(MetricWeights(url, Path(url).stem.rpartition("-")[2]) for url in urls)


def _expect_whole(weights: MetricWeights) -> None:
    with weights.file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(weights.digits or ""):
        raise ProviderError(
            f"{weights.file} is damaged: its SHA-256 begins with {digest[:8]}, not with "
            f"{weights.digits}; delete it, and it will be fetched again"
        )
