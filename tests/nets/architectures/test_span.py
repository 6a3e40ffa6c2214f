"""SPAN, folded: against the layers as they are trained."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.span import fold_conv3xc
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.nets.spandrel.module import import_spandrel
from untrained import load_untrained


def span(feature_channels: int = 6, upscale: int = 2, norm: bool = True) -> nn.Module:
    torch.manual_seed(0)
    return import_spandrel("spandrel.architectures.SPAN").SPAN(
        num_in_ch=3,
        num_out_ch=3,
        feature_channels=feature_channels,
        upscale=upscale,
        norm=norm,
    )


def picture() -> Tensor:
    return torch.rand((2, 3, 9, 7), generator=torch.Generator().manual_seed(1))


def deployed(net: nn.Module) -> dict[str, Tensor]:
    """What NTIRE submissions hold: the folded convolutions alone, the rest of Conv3XC dropped."""
    with torch.no_grad():
        net.eval()(picture())  # works out eval_conv
    return {k: v for k, v in net.state_dict().items() if ".sk." not in k and ".conv." not in k}


def test_a_folded_layer_is_the_trained_one_and_the_one_it_runs_as() -> None:
    torch.manual_seed(0)
    layer = import_spandrel("spandrel.architectures.SPAN.__arch.span").Conv3XC(
        3, 5, gain1=2, relu=True
    )
    features = picture()
    trained, run = layer.train()(features), layer.eval()(features)
    holder = nn.Sequential(layer)
    fold_conv3xc(holder)
    assert torch.equal(holder(features), run)
    torch.testing.assert_close(holder(features), trained)
    assert {type(module) for module in holder.modules()} == {
        nn.Sequential,
        nn.Conv2d,
        nn.LeakyReLU,
    }


@pytest.mark.parametrize("norm", [True, False])
def test_a_folded_network_is_the_network(tmp_path: Path, norm: bool) -> None:
    net = span(norm=norm)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    loaded = load_untrained(tmp_path / "net.pth")
    assert (loaded.spec.architecture, loaded.spec.scale, loaded.spec.colour) == ("SPAN", 2, "rgb")
    assert torch.equal(loaded.module(picture()), net.eval()(picture()))
    assert not any(type(module).__name__ == "Conv3XC" for module in loaded.module.modules())


@pytest.mark.parametrize(("norm", "upscale"), [(True, 4), (False, 2)])
def test_a_deployed_network(tmp_path: Path, norm: bool, upscale: int) -> None:
    net = span(norm=norm, upscale=upscale)
    torch.save(deployed(net), tmp_path / "net.pth")
    loaded = load_untrained(tmp_path / "net.pth")
    assert (loaded.spec.architecture, loaded.spec.scale) == ("SPAN", upscale)
    assert torch.equal(loaded.module(picture()), net.eval()(picture()))


def test_a_deployed_network_with_a_layer_too_many(tmp_path: Path) -> None:
    weights = {**deployed(span()), "block_7.c1_r.eval_conv.weight": torch.ones(1)}
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match=r"SPAN, but block_7\.c1_r\.eval_conv\.weight is not"):
        load_untrained(tmp_path / "net.pth")


def test_a_deployed_network_of_a_million_channels(tmp_path: Path) -> None:
    weights = {key: torch.ones(1) for key in deployed(span())}
    weights["conv_1.eval_conv.weight"] = torch.zeros(1 << 20, 3, 1, 1)
    weights["upsampler.0.weight"] = torch.zeros(12, 1, 1, 1)
    torch.save(weights, tmp_path / "net.pth")
    with pytest.raises(CheckpointError, match="requires a network of more than"):
        load_untrained(tmp_path / "net.pth")


@pytest.mark.slow
def test_it_can_be_exported_for_any_size(tmp_path: Path) -> None:
    torch.save(span().state_dict(), tmp_path / "net.pth")
    module = load_untrained(tmp_path / "net.pth").module
    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(module, (picture(),), dynamic_shapes=(sizes,), strict=False)
    other = torch.rand(2, 3, 8, 12)
    torch.testing.assert_close(program.module()(other), module(other))


def test_the_community_network(shared_data: Path) -> None:
    """Its mean colour and range show in the colours of a picture: 32 dB with them, 13 without."""
    from subpixel.imaging.metrics import quality
    from subpixel.media.image_file import read_picture

    loaded = load_checkpoint(shared_data / "community" / "span-x4.pth")
    assert (loaded.spec.scale, loaded.spec.size_multiple) == (4, 1)
    bench = shared_data / "bench" / "Set5"
    low = read_picture(bench / "x4" / "head.png").rgb8()
    truth = read_picture(bench / "GT" / "head.png").rgb8()
    with torch.inference_mode():
        pixels = torch.from_numpy(low.copy()).permute(2, 0, 1)[None] / 255
        result = loaded.module(pixels).clamp(0, 1).mul(255).round().byte()[0].permute(1, 2, 0)
    height, width = result.shape[:2]
    assert quality(result.numpy(), truth[:height, :width], 4).psnr > 32
