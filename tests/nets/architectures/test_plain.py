from pathlib import Path

import pytest
import safetensors.torch
import torch

from exports import export_module
from subpixel.errors import CheckpointError
from subpixel.graph.geometry.receptive import halo
from subpixel.nets.architectures.plain import PlainNet
from untrained import load_untrained


def test_its_weights_are_recognised(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, file = PlainNet(3, 6, 2).eval(), tmp_path / "plain.safetensors"
    safetensors.torch.save_file(net.state_dict(), file)
    loaded = load_untrained(file)
    assert (loaded.spec.architecture, loaded.spec.scale) == ("PlainNet", 3)
    pixels = torch.rand(1, 1, 9, 8)
    assert torch.equal(loaded.module(pixels), net(pixels))


def test_weights_of_two_widths_are_refused(tmp_path: Path) -> None:
    state = PlainNet(2, 6, 2).state_dict() | {"middle.1.weight": torch.zeros(5, 6, 3, 3)}
    safetensors.torch.save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(CheckpointError, match=r"middle\.1\.weight has the shape"):
        load_untrained(tmp_path / "odd.safetensors")


@pytest.mark.parametrize("depth", [1, 4])
def test_the_halo_is_depth_and_three(depth: int, tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    safetensors.torch.save_file(PlainNet(2, 4, depth).state_dict(), file)
    loaded = load_untrained(file)
    exported = export_module(loaded.module, loaded.spec, exporter="trace")
    assert halo(exported.model) == exported.spec.halo == depth + 3


def test_training_starts_near_plain_enlargement() -> None:
    torch.manual_seed(0)
    pixels = torch.rand(1, 1, 12, 12)
    nearest = torch.nn.functional.interpolate(pixels, scale_factor=3, mode="nearest")
    assert (PlainNet(3)(pixels) - nearest).abs().mean() < 0.2
