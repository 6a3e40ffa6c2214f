"""What is said of weights that nobody knows: the nearest architecture, and what is missing."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.architecture import Architecture, Checkpoint
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.checkpoints.recognition import likeness
from subpixel.nets.spandrel.networks import main_architectures


def refusal(folder: Path, weights: dict[str, Tensor]) -> str:
    torch.save(weights, folder / "net.pth")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder / "net.pth")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_classifier(tmp_path: Path) -> None:
    """The state dict of a ResNet, its numbers cut down."""
    blocks = [f"layer{layer}.{block}" for layer in range(1, 5) for block in range(2)]
    weights = {
        "conv1.weight": torch.ones(64, 3, 7, 7),
        "bn1.weight": torch.ones(64),
        "bn1.num_batches_tracked": torch.tensor(1),
        **{f"{b}.conv{i}.weight": torch.ones(4, 4, 3, 3) for b in blocks for i in (1, 2)},
        "fc.weight": torch.ones(1000, 512),
        "fc.bias": torch.ones(1000),
    }
    said = refusal(tmp_path, weights)
    assert "holds no network that subpixel knows; its weights: conv1.weight, bn1.weight, " in said
    assert "a fully connected layer (fc.weight) computes 1000 outputs" in said
    assert said.endswith("as in a classifier")


def test_a_classifier_that_looks_like_another_network(tmp_path: Path) -> None:
    """VGG-19's features are numbered as one layout of VDSR, but for the last."""
    convolutions = {f"features.{i}.weight": torch.ones(4, 4, 3, 3) for i in range(0, 36, 2)}
    said = refusal(tmp_path, {**convolutions, "classifier.6.weight": torch.ones(1000, 4096)})
    assert "classifier.6.weight" in said


def test_the_nearest_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    known = {architecture.name: architecture for architecture in main_architectures()}
    signature = sorted(known["ATD"].signatures[0])
    said = refusal(tmp_path, {key: torch.ones(1) for key in signature if "td" not in key})
    lacked = [key for key in signature if "td" in key]
    count = len(signature) - len(lacked)
    assert f"the nearest is ATD, of whose {len(signature)} telling keys they have {count}" in said
    assert f"without {lacked[0]}" in said


def unloadable(weights: object, scale: object) -> Checkpoint:
    raise AssertionError(weights, scale)


def test_likeness_takes_the_best_signature_and_ignores_numbers() -> None:
    signatures = (frozenset({"a.0.w", "b"}), frozenset({"c", "d", "e"}))
    architecture = Architecture("two", signatures, unloadable)
    near = likeness({"a.7.w": torch.ones(1), "c": torch.ones(1)}, architecture)
    assert (near.telling, near.missing, near.share) == (2, ("b",), 0.5)


def test_keys_that_are_there_under_other_numbers_are_named(tmp_path: Path) -> None:
    weights = {f"body.{i}.{part}": torch.ones(4) for i in (0, 2) for part in ("weight", "bias")}
    said = refusal(tmp_path, weights)
    assert "Compact, of whose 2 telling keys they have 1, without body.1.weight; a network" in said


def test_nothing_in_common(tmp_path: Path) -> None:
    said = refusal(tmp_path, {"qzx": torch.ones(1)})
    assert "holds no network that subpixel knows; its weights: qzx; a network of your own " in said
    assert "--module PACKAGE.MODULE:FACTORY" in said


def test_every_detector_of_spandrel_is_understood() -> None:
    """As sets of keys: where spandrel says yes to the keys of one of our sets, so do we."""
    known = main_architectures()
    assert len(known) >= 42
    for architecture in known:
        assert architecture.signatures
        for signature in architecture.signatures:
            assert architecture.detects(dict.fromkeys(signature, torch.ones(1)))
            assert (
                not architecture.detects(dict.fromkeys(sorted(signature)[1:], torch.ones(1)))
                or len(architecture.signatures) > 1
            )
