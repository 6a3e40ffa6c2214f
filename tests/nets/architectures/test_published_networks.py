"""ESPCN, FSRCNN, SRCNN, VDSR and EDSR: the weights of public repositories compute the same here."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import published
from same_function import assert_same_function, compute_exactly, offsets_bound, weights_bound
from subpixel.errors import CheckpointError
from subpixel.imaging.resample import bicubic_matrix
from subpixel.nets.architectures.espcn import ESPCN
from subpixel.nets.architectures.fsrcnn import FSRCNN
from subpixel.nets.architectures.srcnn import SRCNN
from subpixel.nets.architectures.vdsr import VDSR
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.spec import ModelSpec
from untrained import untrained


def saved(folder: Path, net: nn.Module) -> Path:
    torch.save({"state_dict": net.state_dict()}, folder / "net.pth")
    return folder / "net.pth"


def picture(channels: int) -> Tensor:
    return torch.rand((2, channels, 13, 11), generator=torch.Generator().manual_seed(1))


def facts(spec: ModelSpec) -> tuple[str, int, str, str, str]:
    return spec.architecture, spec.scale, spec.colour, spec.interface, spec.purpose


@pytest.mark.parametrize("names", [("feature_maps", "sub_pixel"), ("first_part", "last_part")])
@pytest.mark.parametrize(("scale", "channels"), [(2, 1), (3, 1), (4, 3)])
def test_espcn(tmp_path: Path, names: tuple[str, str], scale: int, channels: int) -> None:
    net = published.seeded(published.Espcn(scale, channels, names))
    loaded = load_checkpoint(untrained(saved(tmp_path, net)))
    colour = "luma" if channels == 1 else "rgb"
    assert facts(loaded.spec) == ("ESPCN", scale, colour, colour, "super-resolution")
    assert_same_function(loaded.module, net, picture(channels))


@pytest.mark.parametrize("build", [published.fsrcnn_lornatang, published.fsrcnn_yjn870])
@pytest.mark.parametrize(("scale", "depth"), [(2, 1), (3, 4), (4, 2)])
def test_fsrcnn(tmp_path: Path, build: type[nn.Module], scale: int, depth: int) -> None:
    net = published.seeded(build(scale, depth))
    loaded = load_checkpoint(untrained(saved(tmp_path, net)), scale=scale)
    assert facts(loaded.spec) == ("FSRCNN", scale, "luma", "luma", "super-resolution")
    assert_same_function(loaded.module, net, picture(1))


def keeping_grey(scale: int) -> FSRCNN:
    """Enlarges bilinearly, roughly, as a trained network would, and adds a little noise."""
    net = FSRCNN(scale, wide=2, narrow=2, depth=1)
    triangle = (1 - (torch.arange(9) - 4).abs() / scale).clamp(min=0)
    kernel = triangle[:, None] * triangle[None, :]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for layer in net.features[::2]:
            layer.weight[0, 0, layer.weight.shape[-1] // 2, layer.weight.shape[-1] // 2] = 1.0
        net.deconvolution.weight[0, 0] = kernel * scale**2 / kernel.sum() + 0.01 * torch.randn(9, 9)
    return net


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_scale_of_fsrcnn_is_measured(tmp_path: Path, scale: int) -> None:
    torch.manual_seed(0)
    net = keeping_grey(scale)
    loaded = load_checkpoint(untrained(saved(tmp_path, net)))
    assert loaded.spec.scale == scale
    assert_same_function(loaded.module, net, picture(1))


def test_a_scale_that_can_not_be_measured(tmp_path: Path) -> None:
    net = published.seeded(published.fsrcnn_yjn870(3, 1))
    with pytest.raises(
        CheckpointError,
        match=r"shapes don't reveal its scale.*; name the sc",
    ):
        load_checkpoint(untrained(saved(tmp_path, net)))


def enlarged(pixels: Tensor, scale: int) -> Tensor:
    rows, columns = (torch.from_numpy(bicubic_matrix(n, scale)) for n in pixels.shape[-2:])
    return rows @ pixels @ columns.T


PRE_ENLARGED = [
    ("SRCNN", published.srcnn_yjn870(1)),
    ("SRCNN", published.srcnn_yjn870(3)),
    ("SRCNN", published.srcnn_lornatang()),
    ("VDSR", published.VdsrLornatang(18)),
    ("VDSR", published.VdsrLornatang(3)),
    ("VDSR", published.VdsrTwtygqyy(18)),
    ("VDSR", published.VdsrChain()),
]


@pytest.mark.parametrize(("name", "net"), PRE_ENLARGED)
def test_networks_for_enlarged_pictures(tmp_path: Path, name: str, net: nn.Module) -> None:
    published.seeded(net)
    file = saved(tmp_path, net)
    channels = next(net.parameters()).shape[1] if name == "SRCNN" else 1
    colour = "luma" if channels == 1 else "rgb"
    restoring = load_checkpoint(untrained(file))
    assert facts(restoring.spec) == (name, 1, colour, colour, "restoration")
    assert_same_function(restoring.module, net, picture(channels))
    enlarging = load_checkpoint(untrained(file), scale=3)
    assert facts(enlarging.spec) == (name, 3, colour, colour, "super-resolution")
    larger = enlarged(picture(channels).double(), 3)
    found = compute_exactly(enlarging.module, picture(channels))
    # the enlargement's weights are rounded to float32
    bound = weights_bound(enlarging.module, picture(channels), roundings=1)
    torch.testing.assert_close(found, compute_exactly(net, larger), rtol=0, atol=bound)


def assert_same_but_for_the_means(found: nn.Module, net: nn.Module, top: float) -> None:
    """Means are divided by ``top`` and rounded to float32."""

    def expected(pixels: Tensor) -> Tensor:
        return compute_exactly(net, pixels * top) / top

    bound = offsets_bound(expected, picture(3), roundings=2)
    assert_same_function(found, expected, picture(3), bound)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("top", [1.0, 255.0])
def test_edsr(tmp_path: Path, scale: int, top: float) -> None:
    net = published.seeded(published.EdsrOfficial(scale, top))
    loaded = load_checkpoint(untrained(saved(tmp_path, net)))
    assert facts(loaded.spec) == ("EDSR", scale, "rgb", "rgb", "super-resolution")
    assert_same_but_for_the_means(loaded.module, net, top)


def test_the_wide_edsr_scales_its_residuals(tmp_path: Path) -> None:
    net = published.seeded(published.EdsrOfficial(2, 255.0, width=256, residual_scale=0.1))
    loaded = load_checkpoint(untrained(saved(tmp_path, net)))
    assert_same_but_for_the_means(loaded.module, net, 255)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_edsr_of_basicsr(tmp_path: Path, scale: int) -> None:
    net = published.seeded(published.EdsrBasicSr(scale))
    loaded = load_checkpoint(untrained(saved(tmp_path, net)))
    assert loaded.spec.scale == scale
    assert_same_but_for_the_means(loaded.module, net, 1.0)


@pytest.mark.parametrize("net", [ESPCN(3), FSRCNN(2), SRCNN(), VDSR()])
def test_our_modules_read_their_own_weights(tmp_path: Path, net: nn.Module) -> None:
    scale = 2 if isinstance(net, FSRCNN) else None
    loaded = load_checkpoint(untrained(saved(tmp_path, net)), scale=scale)
    assert_same_function(loaded.module, net, picture(1))


def test_a_missing_layer_is_named_as_the_file_would(tmp_path: Path) -> None:
    weights = published.fsrcnn_yjn870(2, 2).state_dict()
    del weights["mid_part.3.weight"]
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"looks like FSRCNN, but mid_part\.3\.weight is mis"):
        load_checkpoint(tmp_path / "net.pth", scale=2)


def test_a_network_of_two_channels(tmp_path: Path) -> None:
    net = published.Espcn(2, 2, ("first_part", "last_part"))
    with pytest.raises(
        CheckpointError, match=r"has 2 input channels; subpixel runs 1 \(luma\) and 3"
    ):
        load_checkpoint(untrained(saved(tmp_path, net)))
