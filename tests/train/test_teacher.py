from pathlib import Path

import pytest
import torch
from torch import nn

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.vdsr import VDSR
from subpixel.nets.spandrel.module import import_spandrel
from subpixel.train.teacher import load_teacher
from untrained import untrained


def saved(folder: Path, net: nn.Module) -> Path:
    file = folder / "teacher.pth"
    torch.save(net.state_dict(), file)
    return file


@pytest.fixture
def window_network() -> nn.Module:
    """SwinIR on luma, which pads by reflection, so that sides below 16 are too small for it."""
    swin = import_spandrel("spandrel.architectures.SwinIR").SwinIR
    net: nn.Module = swin(
        upscale=2,
        upsampler="pixelshuffledirect",
        in_chans=1,
        img_size=16,
        window_size=8,
        embed_dim=12,
        depths=[1],
        num_heads=[2],
    )
    return net


@pytest.mark.parametrize("scale", [2, 3])
def test_a_luma_network_of_the_scale_can_teach(tmp_path: Path, scale: int) -> None:
    """VDSR's weights fit any scale."""
    for net in (PlainNet(scale, channels=3, depth=1), VDSR(1, width=2)):
        teacher = load_teacher(untrained(saved(tmp_path, net)), scale, crop=16)
        assert not teacher.module.training
        assert teacher.module(torch.rand(2, 1, 16, 16)).shape == (2, 1, 16 * scale, 16 * scale)


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_a_network_of_windows_can_teach_where_they_fit(
    tmp_path: Path, window_network: nn.Module
) -> None:
    file = untrained(saved(tmp_path, window_network))
    assert load_teacher(file, 2, crop=16).spec.architecture == "SwinIR"
    with pytest.raises(
        CheckpointError,
        match=r"teacher\.pth: takes sides of at least 16 that are multiples of 1; .*of 8×8$",
    ):
        load_teacher(file, 2, crop=8)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    other_scale = saved(tmp_path, PlainNet(3, channels=3, depth=1))
    with pytest.raises(CheckpointError, match=r"teacher\.pth: enlarges by 3, not by 2"):
        load_teacher(other_scale, 2, crop=16)
    rgb = untrained(saved(tmp_path, VDSR(3, width=2)))
    with pytest.raises(CheckpointError, match=r"teacher\.pth: takes RGB; a teacher takes luma"):
        load_teacher(rgb, 2, crop=16)
    with pytest.raises(CheckpointError, match=r"none\.pth: can't be read"):
        load_teacher(tmp_path / "none.pth", 2, crop=16)
