"""The forms in which people have checkpoints: each taken rightly, or refused with what helps.

The oracle is PyTorch called directly on the module that the weights came from.
"""

import argparse
import copy
import json
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.optim.swa_utils import AveragedModel

import published
from same_function import assert_same_function, moved_weights_bound
from subpixel.errors import CheckpointError
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, load_checkpoint, parse_choice
from trained import passing_on, trained

BUNDLED = Path(__file__).parents[3] / "weights" / "fast-x2.safetensors"

Weights = Mapping[str, Tensor]


@cache
def net() -> PlainNet:
    """A bundled network, in PyTorch alone."""
    weights = safetensors.torch.load_file(BUNDLED)
    depth = sum(key.startswith("middle") and key.endswith("weight") for key in weights)
    module = PlainNet(2, weights["first.weight"].shape[0], depth)
    module.load_state_dict(weights)
    return module.eval()


@cache
def other() -> PlainNet:
    """The same before its last steps of training: like it, but not the same."""
    module = copy.deepcopy(net())
    with torch.no_grad():
        module.last.bias.add_(0.004)
    return module


def good() -> dict[str, Tensor]:
    return dict(net().state_dict())


def bad() -> dict[str, Tensor]:
    return dict(other().state_dict())


def prefixed(prefix: str, weights: Weights) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in weights.items()}


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def discriminator() -> dict[str, Tensor]:
    return {"conv.weight": noise(4, 3, 3, 3), "fc.weight": noise(1, 4)}


VGG = {"perceptual_loss.vgg.features.0.weight": noise(8, 3, 3, 3)}


def saved(content: Callable[[], object], name: str = "net.pth") -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        torch.save(content(), folder / name)
        return folder / name

    return save


@dataclass(frozen=True)
class Form:
    """A form of checkpoint; ``expected`` is the module that it holds, or what a refusal says."""

    name: str
    save: Callable[[Path], Path]
    expected: Callable[[], nn.Module] | str = net
    weights: str | None = None
    settings: tuple[str, ...] = ()
    said: str = ""
    """What the origin says of how it was taken."""


def optimizer() -> dict[str, Any]:
    moments = {i: {"exp_avg": weight} for i, weight in enumerate(good().values())}
    return {"state": moments, "param_groups": [{"lr": 1e-3, "params": list(moments)}]}


def averaged_model() -> dict[str, Tensor]:
    averaged = AveragedModel(other())
    averaged.module.load_state_dict(good())
    return dict(averaged.state_dict())


def ema_pytorch() -> dict[str, Tensor]:
    flags = {"initted": torch.tensor(True), "step": torch.tensor(100)}
    return {**prefixed("online_model.", bad()), **prefixed("ema_model.", good()), **flags}


def compiled_beside_wrapped_ema() -> dict[str, Tensor]:
    """A LightningModule's: a compiled network, and its AveragedModel."""
    return {**prefixed("net._orig_mod.", bad()), **prefixed("ema_model.module.", good())}


def lit_ema() -> dict[str, Tensor]:
    """latent-diffusion's: parameters' names without dots."""
    names = {f"model_ema.{key.replace('.', '')}": value for key, value in good().items()}
    counters = {"model_ema.decay": torch.tensor(0.999), "model_ema.num_updates": torch.tensor(9)}
    return {**prefixed("model.", bad()), **names, **counters}


def nameless_ema() -> dict[str, Any]:
    return {"model": bad(), "ema": {"decay": 0.999, "shadow_params": list(good().values())}}


def counted() -> dict[str, Tensor]:
    counts = ("total_ops", "total_params", "first.total_ops", "middle.0.total_params")
    return {**good(), **{key: torch.zeros(1, dtype=torch.float64) for key in counts}}


def normed(normalise: Callable[[nn.Module], nn.Module]) -> Callable[[], dict[str, Tensor]]:
    def build() -> dict[str, Tensor]:
        module = copy.deepcopy(net())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the old hooks are deprecated
            for part in list(module.modules()):
                if isinstance(part, nn.Conv2d):
                    normalise(part)
        return dict(module.state_dict())

    return build


def rescaled(normalise: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """What PyTorch itself computes with a spectral norm, in eval mode."""
    module = copy.deepcopy(net())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for part in list(module.modules()):
            if isinstance(part, nn.Conv2d):
                normalise(part)
    return module.eval()


@cache
def spectral(kind: str) -> nn.Module:
    """With the vectors after some steps of the power iteration."""
    torch.manual_seed(0)
    module = rescaled(nn.utils.spectral_norm if kind == "hook" else parametrizations.spectral_norm)
    module.train()
    for _ in range(5):
        module(torch.rand(1, 1, 8, 8))
    return module.eval()


def with_weights_of(normal: nn.Module) -> nn.Module:
    """A plain network with the weights that PyTorch worked out from normalised ones."""
    normal(torch.zeros(1, 1, 8, 8))  # the hooks work them out as it runs
    plain, parts = copy.deepcopy(net()), dict(normal.named_modules())
    with torch.no_grad():
        for name, part in plain.named_modules():
            if isinstance(part, nn.Conv2d):
                part.weight.copy_(parts[name].weight)
                part.bias.copy_(parts[name].bias)
    return plain


def sharded(suffix: str, index: str) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        keys = list(good())
        names = [f"{index}-0000{i + 1}-of-00002{suffix}" for i in range(2)]
        places = {key: names[i % 2] for i, key in enumerate(keys)}
        for name in names:
            part = {key: good()[key] for key in keys if places[key] == name}
            if suffix == ".safetensors":
                safetensors.torch.save_file(part, folder / name)
            else:
                torch.save(part, folder / name)
        file = folder / f"{index}{suffix}.index.json"
        file.write_text(json.dumps({"metadata": {}, "weight_map": places}))
        return file

    return save


def one_shard(folder: Path) -> Path:
    sharded(".safetensors", "model")(folder)
    return folder / "model-00001-of-00002.safetensors"


def npz(save: Callable[..., None]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save(folder / "net.npz", **{key: value.numpy() for key, value in good().items()})
        return folder / "net.npz"

    return write


def on_cuda(folder: Path) -> Path:
    """As PyTorch writes tensors that are on a GPU: their storages' places say so."""
    torch.save(good(), folder / "cpu.pth")
    file = folder / "cuda.pth"
    with zipfile.ZipFile(folder / "cpu.pth") as source, zipfile.ZipFile(file, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                place = b"X\x03\x00\x00\x00cpu"
                assert place in data
                data = data.replace(place, b"X\x06\x00\x00\x00cuda:0")
            target.writestr(entry.filename, data)
    return file


def safetensors_called(name: str) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        safetensors.torch.save_file(good(), folder / name, {"format": "pt"})
        return folder / name

    return save


def in_a_zip(folder: Path) -> Path:
    torch.save(good(), folder / "net.pth")
    with zipfile.ZipFile(folder / "net.zip", "w") as archive:
        archive.write(folder / "net.pth", "net.pth")
    return folder / "net.zip"


def scripted(folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(net()), folder / "net.pt")
    return folder / "net.pt"


@cache
def with_relu() -> nn.Module:
    """ESPCN's keys, but ReLU between the layers."""
    torch.manual_seed(0)
    front = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU())
    front.extend([nn.Conv2d(16, 12, 3, padding=1), nn.ReLU()])
    back = nn.Sequential(nn.Conv2d(12, 4, 3, padding=1), nn.PixelShuffle(2))
    passing_on(front, front[0], front[2], back[0])
    parts = {"first_part": front, "last_part": back}
    return trained(nn.Sequential(OrderedDict(parts)), 2, 1, steps=1400)


@cache
def with_softsign() -> nn.Module:
    """The tutorial's keys again, with an activation that nobody tries."""
    torch.manual_seed(0)
    layers = [(1, 64, 5), (64, 64, 3), (64, 32, 3), (32, 4, 3)]
    net = nn.Sequential()
    for number, (inputs, outputs, kernel) in enumerate(layers, 1):
        net.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))
        net.add_module(f"act{number}", nn.Softsign() if number < 4 else nn.PixelShuffle(2))
    with torch.no_grad():
        net.conv1.weight.mul_(8)  # away from where it is like tanh
    return trained(net, 2, 1, steps=60)


def untrained_espcn() -> dict[str, Tensor]:
    return dict(untrained_espcn_module().state_dict())


@cache
def untrained_espcn_module() -> nn.Module:
    return published.seeded(published.Espcn(2, 1, ("first_part", "last_part")))


def beside_the_weights() -> dict[str, Any]:
    """What trainers' own options and measurements come to in a pickle."""
    options = argparse.Namespace(scale=2, data=Path("somewhere"))
    return {"args": options, "psnr": np.float64(31.5), "epoch": 7, "state_dict": good()}


def masked() -> dict[str, Tensor]:
    mask = torch.zeros(4, 4).masked_fill(torch.ones(4, 4).triu(1).bool(), -torch.inf)
    return {**good(), "attn_mask": mask}


FORMS = (
    Form(
        "BasicSR: params and params_ema",
        saved(lambda: {"params": bad(), "params_ema": good()}),
        said="weights params_ema, averaged (also there: params)",
    ),
    Form("the plain ones by --weights", saved(lambda: {"params": bad(), "params_ema": good()}),
         other, weights="params"),
    Form("ema", saved(lambda: {"model": bad(), "ema": good()}), said="weights ema, averaged"),
    Form("model_ema", saved(lambda: {"model": bad(), "model_ema": good()}), said="model_ema, av"),
    Form("timm: state_dict_ema", saved(lambda: {"state_dict": bad(), "state_dict_ema": good()}),
         said="state_dict_ema, averaged"),
    Form("g_ema beside g and d", saved(lambda: {"g": bad(), "d": discriminator(), "g_ema": good()}),
         said="weights g_ema, averaged (also there: g)"),
    Form(
        "generator_ema beside an optimizer",
        saved(lambda: {"generator": bad(), "generator_ema": good(), "optimizer": optimizer()}),
        said="generator_ema, averaged",
    ),
    Form("ema inside ema", saved(lambda: {"model": bad(), "ema": {"module": good(), "updates": 3}}),
         said="weights ema.module, averaged"),
    Form("ema_state_dict", saved(lambda: {"net": bad(), "ema_state_dict": good()}),
         said="ema_state_dict, averaged"),
    Form("SWA: AveragedModel", saved(averaged_model), said="; weights, averaged"),
    Form("SWA beside the weights",
         saved(lambda: {"state_dict": bad(), "swa_state_dict": averaged_model()}),
         said="swa_state_dict, averaged"),
    Form("ema_pytorch", saved(ema_pytorch), said="ema_model, averaged (also there: online_model)"),
    Form("an average beside a compiled network", saved(compiled_beside_wrapped_ema),
         said="ema_model, averaged (also there: net)"),
    Form("latent-diffusion's LitEma", saved(lit_ema), said="model_ema, averaged"),
    Form("torch_ema: averages without names", saved(nameless_ema),
         r"averaged weights without names \(ema\.shadow_params\).*--weights model"),
    Form("torch_ema, the plain ones", saved(nameless_ema), other, weights="model"),
    Form("a set that is not there", saved(lambda: {"params": good()}),
         "holds no weights under 'ema'; it has params", weights="ema"),
    Form("two sets of no telling name", saved(lambda: {"one": good(), "two": bad()}),
         "holds several sets of weights: one, two; choose one: --weights one"),
    Form("thop's counters", saved(counted)),
    Form("torch.compile", saved(lambda: prefixed("_orig_mod.", good()))),
    Form("torch.compile of a part",
         saved(lambda: {k.replace("middle.", "middle._orig_mod."): v for k, v in good().items()})),
    Form("DataParallel", saved(lambda: {"state_dict": prefixed("module.", good())})),
    Form("DataParallel of a part",
         saved(lambda: {k.replace("middle.", "middle.module."): v for k, v in good().items()})),
    Form("Lightning: model and a loss network",
         saved(lambda: {"state_dict": {**prefixed("model.", good()), **VGG}, "epoch": 1})),
    Form(
        "Lightning: generator and discriminator",
        saved(lambda: {"state_dict": {
            **prefixed("generator.", good()), **prefixed("discriminator.", discriminator())}}),
    ),
    Form("Lightning: two networks",
         saved(lambda: {"state_dict": {**prefixed("one.", good()), **prefixed("two.", bad())}}),
         "holds several networks: one, two; choose one: --weights one"),
    Form("Lightning: one of two networks",
         saved(lambda: {"state_dict": {**prefixed("one.", bad()), **prefixed("two.", good())}}),
         weights="two"),
    Form("net_g beside net_d", saved(lambda: {"net_g": good(), "net_d": discriminator()})),
    Form("weight norm, hooks", saved(normed(nn.utils.weight_norm))),
    Form("weight norm, parametrizations", saved(normed(parametrizations.weight_norm))),
    Form("spectral norm, hooks", saved(lambda: spectral("hook").state_dict()),
         lambda: with_weights_of(spectral("hook")), settings=("default",)),
    Form("spectral norm, parametrizations", saved(lambda: spectral("param").state_dict()),
         lambda: with_weights_of(spectral("param")), settings=("default",)),
    Form("shards of safetensors", sharded(".safetensors", "model")),
    Form("shards of .bin", sharded(".bin", "pytorch_model")),
    Form("one shard", one_shard, "one part of several; use their index, model.safetensors.index"),
    Form(".npz", npz(np.savez)),
    Form(".npz, compressed", npz(np.savez_compressed)),
    Form("float16", saved(lambda: {k: v.half() for k, v in good().items()}),
         lambda: copy.deepcopy(net()).half().float(), said="stored as float16, run in float32"),
    Form("bfloat16", saved(lambda: {k: v.bfloat16() for k, v in good().items()}),
         lambda: copy.deepcopy(net()).bfloat16().float(), said="stored as bfloat16"),
    Form("on a GPU", on_cuda),
    Form(".bin", saved(good, "pytorch_model.bin")),
    Form(".pkl", saved(good, "net.pkl")),
    Form("a name of no meaning", saved(good, "net_best.tar.gz")),
    Form("safetensors called .pth", safetensors_called("net.pth")),
    Form("a .zip with a checkpoint in it", in_a_zip, "zip archive with 'net.pth' in it.*unpack it"),
    Form("options and NumPy's numbers beside", saved(beside_the_weights)),
    Form("a mask of -infinity beside", saved(masked), "looks like PlainNet, but attn_mask is not"),
    Form("an optimizer alone", saved(lambda: {"optimizer": optimizer(), "epoch": 3}),
         "holds the state of an optimizer, and no weights"),
    Form("no tensors", saved(lambda: {"epoch": 3, "loss": [0.1]}), "holds no weights, no tensor"),
    Form("a discriminator alone", saved(lambda: {"net_d": discriminator()}),
         "holds net_d, by the name no network for pictures.*--weights net_d"),
    Form("a whole module", saved(net), r"wants to run .*PlainNet .*state_dict\(\).*--module"),
    Form("TorchScript", scripted, "TorchScript archive, a program.*subpixel verify"),
    Form("ESPCN's keys, ReLU", saved(lambda: with_relu().state_dict()),
         with_relu, said="activation=relu, output=linear, range=1, as its pictures show"),
    Form("the tutorial's keys, softsign", saved(lambda: with_softsign().state_dict()),
         "keys look like SuperResolutionNet, but it computes something else.*--module"),
    Form("untrained", saved(untrained_espcn),
         "keys look like ESPCN, but it computes something else.*--setting default"),
    Form("untrained, and said to be as usual", saved(untrained_espcn),
         untrained_espcn_module, settings=("default",)),
)  # fmt: skip


@pytest.mark.sample(every=7)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_it_is_taken_rightly_or_refused_with_what_helps(tmp_path: Path, form: Form) -> None:
    file = CheckpointFile(form.save(tmp_path), form.weights, parse_choice(form.settings))
    if isinstance(form.expected, str):
        with pytest.raises(CheckpointError, match=form.expected) as caught:
            load_checkpoint(file)
        assert "\n" not in str(caught.value)
        return
    loaded, picture = load_checkpoint(file), torch.rand(2, 1, 21, 18)
    # all others must be the very weights
    bound = moved_weights_bound(loaded.module, picture) if "norm" in form.name else 0
    assert_same_function(loaded.module, form.expected(), picture, bound)
    assert form.said in loaded.spec.origin
    assert all(note in loaded.spec.origin for note in loaded.notes)


def test_there_are_enough_of_them() -> None:
    assert len({form.name for form in FORMS}) >= 20


def test_what_is_like_it_is_not_it() -> None:
    """Else the forms with two sets of weights would show nothing."""
    picture = torch.rand(2, 1, 21, 18)
    with torch.no_grad():
        difference = float((net()(picture) - other()(picture)).abs().max())
    assert difference > 10 * moved_weights_bound(net(), picture)
