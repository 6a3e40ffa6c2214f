"""Settings that weights don't tell: what photographs show of them, and what is asked for."""

import copy
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import published
from published import EdsrBasicSr
from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.checkpoints.checkpoint import (
    Checkpoint,
    CheckpointFile,
    Choice,
    load_checkpoint,
    parse_choice,
)
from trained import passing_on, trained, trained_to_restore

DIV2K, NONE = (0.4488, 0.4371, 0.4040), (0.0, 0.0, 0.0)

TRAINED = {
    (1.0, 255.0, DIV2K): "res_scale=1, range=255, mean=div2k",
    (0.1, 255.0, DIV2K): "res_scale=0.1, range=255, mean=div2k",
    (0.2, 1.0, NONE): "res_scale=0.2, range=1, mean=none",
    (1.0, 1.0, DIV2K): "res_scale=1, range=1, mean=div2k",
}


@cache
def edsr(residual_scale: float, top: float, mean: tuple[float, ...]) -> nn.Module:
    torch.manual_seed(0)
    net = EdsrBasicSr(2, 12, top, mean, residual_scale)
    return trained(net, 2, 3, steps=400 if mean == NONE else 300, rate=6e-3)


def saved(folder: Path, net: nn.Module) -> Path:
    torch.save({"params": net.state_dict()}, folder / "net.pth")
    return folder / "net.pth"


def picture(channels: int) -> Tensor:
    return torch.rand((1, channels, 15, 19), generator=torch.Generator().manual_seed(1))


def assert_same(found: nn.Module, expected: nn.Module, channels: int) -> None:
    with torch.no_grad():
        torch.testing.assert_close(
            found(picture(channels)), expected(picture(channels)), rtol=1e-4, atol=1e-4
        )


@pytest.mark.slow
@pytest.mark.parametrize("how", TRAINED, ids=TRAINED.values())
def test_pictures_show_how_edsr_was_trained_or_it_is_asked_for(
    tmp_path: Path, how: tuple[float, float, tuple[float, ...]]
) -> None:
    """Never anything else; what is asked for, and then said, is taken."""
    net, file = edsr(*how), saved(tmp_path, edsr(*how))
    try:
        loaded = load_checkpoint(file)
    except CheckpointError as error:
        asked = re.findall(r"--setting (\w+)=", str(error))
        truth = dict(part.split("=") for part in TRAINED[how].split(", "))
        assert set(asked) < set(truth), "something is shown even after seconds of training"
        choice = parse_choice([f"{name}={truth[name]}" for name in asked])
        loaded = load_checkpoint(CheckpointFile(file, choice=choice))
    assert_same(loaded.module, net, 3)


@pytest.mark.slow
def test_pictures_decide_by_themselves(tmp_path: Path) -> None:
    loaded = load_checkpoint(saved(tmp_path, edsr(1.0, 1.0, DIV2K)))
    assert "res_scale=1, range=1, mean=div2k, as its pictures show" in loaded.spec.origin
    assert_same(loaded.module, edsr(1.0, 1.0, DIV2K), 3)


@pytest.mark.slow
def test_a_residual_scale_that_is_none_of_the_usual_is_asked_for(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = trained(EdsrBasicSr(2, 12, 255.0, DIV2K, 0.15), 2, 3, steps=200, rate=6e-3)
    file = saved(tmp_path, net)
    with pytest.raises(
        CheckpointError, match=r"reveal the settings of its training.*--setting res_scale=1\|"
    ):
        load_checkpoint(file)
    choice = parse_choice(["res_scale=0.15", "range=255", "mean=div2k"])
    loaded = load_checkpoint(CheckpointFile(file, choice=choice))
    assert_same(loaded.module, net, 3)
    assert "res_scale=0.15, range=255, mean=div2k, as asked" in loaded.spec.origin


def test_an_untrained_edsr_is_asked_for(tmp_path: Path) -> None:
    file = saved(tmp_path, published.seeded(published.EdsrOfficial(2, 255.0)))
    with pytest.raises(CheckpointError, match=r"is EDSR, but neither its weights nor .*res_scale"):
        load_checkpoint(file)


class Srcnn(nn.Module):
    """``residual`` adds the picture to the result; ``tanh`` stands between the layers."""

    def __init__(self, residual: bool, activation: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 9, padding=4)
        self.conv2 = nn.Conv2d(16, 8, 5, padding=2)
        self.conv3 = nn.Conv2d(8, 1, 5, padding=2)
        self.residual, self.activation = residual, activation()

    def forward(self, x: Tensor) -> Tensor:
        deep = self.activation(self.conv2(self.activation(self.conv1(x))))
        result: Tensor = self.conv3(deep)
        return result + x if self.residual else result


class DeepChain(nn.Module):
    """VDSR's keys, but the picture is not added."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.input = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.residual_layer = nn.Sequential(published.ConvRelu(8))
        self.output = nn.Conv2d(8, 1, 3, padding=1, bias=False)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.output(self.residual_layer(self.input(x).relu()))
        return result + x if self.residual else result


LOOKALIKES = {
    "SRCNN": lambda: Srcnn(False, nn.ReLU),
    "SRCNN with its input added": lambda: Srcnn(True, nn.ReLU),
    "SRCNN with tanh": lambda: Srcnn(False, nn.Tanh),
    "VDSR": lambda: DeepChain(True),
    "VDSR without its input": lambda: DeepChain(False),
}


@cache
def lookalike(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = LOOKALIKES[name]()
    layers = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
    if isinstance(net, DeepChain):
        layers = [net.input, *net.residual_layer[0].children(), net.output]
    if net.residual:  # what is learnt is the difference alone
        return trained_to_restore(net, 2, steps=600)
    return trained_to_restore(passing_on(net, *layers), 2, steps=800)


SURE = {("SRCNN", None), ("VDSR", None)}
"""Those that are clearly better than bicubic enlargement after seconds of training."""


def outcome(file: Path, scale: int | None) -> tuple[Checkpoint | None, str]:
    """What is loaded, or why nothing is."""
    try:
        return load_checkpoint(file, scale=scale), ""
    except CheckpointError as error:
        return None, str(error)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOKALIKES)
@pytest.mark.parametrize("scale", [None, 2])
def test_networks_with_the_keys_of_others(tmp_path: Path, name: str, scale: int | None) -> None:
    """Right, or refused; never run as what they only look like."""
    net = lookalike(name)
    file = saved(tmp_path, net)
    loaded, refusal = outcome(file, scale)
    if loaded is None:
        assert "but it computes something else" in refusal
        assert (name, scale) not in SURE
    else:
        inner = loaded.module[1] if scale else loaded.module
        assert_same(inner, net, 1)


@pytest.mark.parametrize("name", LOOKALIKES)
def test_networks_that_compute_something_else(tmp_path: Path, name: str) -> None:
    """A trained network whose last layer is turned round makes negatives."""
    net = copy.deepcopy(LOOKALIKES[name]())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    with pytest.raises(CheckpointError, match=r"its keys look like (SRCNN|VDSR), but .*--module"):
        load_checkpoint(saved(tmp_path, net))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["res_scale"], "setting is 'res_scale'; write NAME=VALUE, or default"),
        (["=1"], "setting is '='; write NAME=VALUE"),
        (["range=1", "range=255"], "setting range is given twice"),
    ],
)
def test_settings_of_another_form(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_choice(texts)


def test_what_is_said_is_understood() -> None:
    choice = parse_choice(["default", "res_scale=0.1"])
    assert choice == Choice((("res_scale", "0.1"),), default=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("window=8", "EDSR has no open setting 'window'; it has res_scale, range, mean"),
        ("res_scale=-1", "res_scale is '-1'; it is a number above 0"),
        ("range=256", "range is '256'; it is one of 1, 255"),
    ],
)
def test_settings_that_are_not_there(tmp_path: Path, text: str, message: str) -> None:
    file = saved(tmp_path, published.seeded(EdsrBasicSr(2)))
    with pytest.raises(UsageError, match=message):
        load_checkpoint(CheckpointFile(file, choice=parse_choice([text])))


def test_the_published_weights_are_what_they_seem(shared_data: Path) -> None:
    seed = load_checkpoint(shared_data / "seed" / "superres_epoch100-44c6958e.pth")
    span = load_checkpoint(shared_data / "community" / "span-x4.pth")
    assert seed.notes == ()
    assert "range=255, mean=div2k, as its pictures show" in span.spec.origin
