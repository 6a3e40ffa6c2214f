"""AlexNet and VGG16 with random weights, in the place of ImageNet's, for LPIPS and DISTS."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from subpixel.nets.torchvision_schemas import ensure_torchvision


def random_backbones(folder: Path, patch: pytest.MonkeyPatch) -> tuple[nn.Sequential, ...]:
    """The convolutions of both, in float64, whose weights are in ``folder``.

    torchvision is told to fetch them from there. Their names end in the first eight digits of
    their SHA-256, as the true ones' do.
    """
    torch.manual_seed(0)
    return tuple(_put(build, weights, folder, patch) for build, weights in _known())


def unreachable_backbones(home: Path, patch: pytest.MonkeyPatch) -> list[Path]:
    """Where PyTorch, at home in ``home``, looks for weights that are in no place at all."""
    patch.setenv("TORCH_HOME", str(home))
    names = []
    for build, weights in _known():
        names.append(f"{build.__name__}-00000000.pth")
        patch.setattr(weights.value, "url", (home / "nowhere" / names[-1]).as_uri())
    return [home / "hub" / "checkpoints" / name for name in names]


def _known() -> tuple[tuple[Any, Any], ...]:
    ensure_torchvision()
    from torchvision import models

    alexnet, vgg16 = models.AlexNet_Weights.DEFAULT, models.VGG16_Weights.DEFAULT
    return (models.alexnet, alexnet), (models.vgg16, vgg16)


def _put(build: Any, weights: Any, folder: Path, patch: pytest.MonkeyPatch) -> nn.Sequential:  # noqa: ANN401
    with torch.device("meta"):
        network = build()
    features: nn.Sequential = network.features.to_empty(device="cpu").requires_grad_(False)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.normal_(layer.bias, std=0.1)
    # The classifier, which is loaded but not used, is a zero that the file holds once.
    zeros = {name: torch.zeros(1).expand(w.shape) for name, w in network.state_dict().items()}
    used = {f"features.{name}": weight for name, weight in features.state_dict().items()}
    torch.save(zeros | used, folder / "weights.pth")
    digits = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()[:8]
    file = (folder / "weights.pth").rename(folder / f"{build.__name__}-{digits}.pth")
    patch.setattr(weights.value, "url", file.as_uri())
    return features.double()
