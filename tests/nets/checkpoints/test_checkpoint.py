"""Checkpoints: what is read, what is refused, and that nothing in them is run."""

import contextlib
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from untrained import load_untrained


@pytest.fixture
def net() -> PlainNet:
    return PlainNet(2, channels=4, depth=2)


def saved(folder: Path, content: object, name: str = "net.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_the_reference_weights(shared_data: Path) -> None:
    loaded = load_checkpoint(shared_data / "seed" / "superres_epoch100-44c6958e.pth")
    assert isinstance(loaded.module, SuperResolutionNet)
    assert not loaded.module.training
    assert {parameter.device.type for parameter in loaded.module.parameters()} == {"cpu"}
    spec = loaded.spec
    assert (spec.scale, spec.colour, spec.interface) == (3, "luma", "luma")
    assert spec.architecture == "SuperResolutionNet"
    assert spec.name == "superres_epoch100-44c6958e"
    assert spec.origin == "superres_epoch100-44c6958e.pth (sha256 44c6958e)"
    assert spec.licence == "unknown"


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_scale_is_read_from_the_last_layer(tmp_path: Path, scale: int) -> None:
    for net in (SuperResolutionNet(scale), PlainNet(scale, channels=3, depth=1)):
        assert load_untrained(saved(tmp_path, net.state_dict())).spec.scale == scale


def test_a_plain_network_keeps_its_size(tmp_path: Path, net: PlainNet) -> None:
    loaded = load_untrained(saved(tmp_path, net.state_dict()))
    assert same_weights(loaded.module, net)
    assert loaded.spec.architecture == "PlainNet"


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.ckpt", "net.PTH"])
def test_the_suffixes_of_pytorch(tmp_path: Path, net: PlainNet, name: str) -> None:
    loaded = load_untrained(saved(tmp_path, net.state_dict(), name))
    assert same_weights(loaded.module, net)


def test_safetensors(tmp_path: Path, net: PlainNet) -> None:
    file = tmp_path / "net.safetensors"
    safetensors.torch.save_file(net.state_dict(), file)
    loaded = load_untrained(file)
    assert same_weights(loaded.module, net)
    assert hashlib.sha256(file.read_bytes()).hexdigest()[:8] in loaded.spec.origin


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {"state_dict": weights, "epoch": 7},
        lambda weights: {"params": weights},
        lambda weights: {"params": {"other": torch.ones(1)}, "params_ema": weights},
        lambda weights: {"model": {"state_dict": weights}},
        lambda weights: {f"module.{key}": value for key, value in weights.items()},
        lambda weights: {"model": {f"module.{key}": value for key, value in weights.items()}},
        lambda weights: {f"_orig_mod.{key}": value for key, value in weights.items()},
        lambda weights: {"state_dict": {f"net.generator.{k}": v for k, v in weights.items()}},
    ],
)
def test_the_wrappers_of_trainers(
    tmp_path: Path, net: PlainNet, wrap: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    loaded = load_untrained(saved(tmp_path, wrap(net.state_dict())))
    assert same_weights(loaded.module, net)


def test_half_precision_weights_become_float32(tmp_path: Path, net: PlainNet) -> None:
    loaded = load_untrained(saved(tmp_path, net.half().state_dict()))
    assert {parameter.dtype for parameter in loaded.module.parameters()} == {torch.float32}
    assert same_weights(loaded.module, net.float())


def test_loading_leaves_the_random_numbers_alone(tmp_path: Path, net: PlainNet) -> None:
    file = saved(tmp_path, net.state_dict())
    before = torch.random.get_rng_state()
    load_untrained(file)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_licence_is_taken_from_the_file_alone(tmp_path: Path, net: PlainNet) -> None:
    weights = net.state_dict()
    file = saved(tmp_path, {"params": weights, "license": "CC-BY-4.0"})
    assert load_untrained(file).spec.licence == "CC-BY-4.0"
    safetensors.torch.save_file(weights, tmp_path / "n.safetensors", {"modelspec.license": "MIT"})
    assert load_untrained(tmp_path / "n.safetensors").spec.licence == "MIT"


def test_a_scale_that_the_weights_contradict(tmp_path: Path, net: PlainNet) -> None:
    file = saved(tmp_path, net.state_dict())
    assert load_untrained(file, scale=2).spec.scale == 2
    with pytest.raises(CheckpointError, match="enlarges by 2, not by 3; say 2, or name another"):
        load_untrained(file, scale=3)
    with pytest.raises(UsageError, match="the scale is 0; it is a whole number from 1 to 16"):
        load_untrained(file, scale=0)


class Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call, self.arguments


def save_in_old_format(content: object, file: Path) -> None:
    torch.save(content, file, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("saver", [torch.save, save_in_old_format])
def test_a_trap_is_not_sprung(tmp_path: Path, saver: Callable[[object, Path], object]) -> None:
    sprung = tmp_path / "sprung"
    trap, file = Trap(os.mkdir, str(sprung)), tmp_path / "trap.pth"
    saver({"conv1.weight": torch.ones(1), "x": trap}, file)
    with pytest.raises(CheckpointError, match=r"wants to run (posix|nt)\.mkdir when it is read"):
        load_untrained(file)
    assert not sprung.exists()
    torch.load(file, weights_only=False)
    assert sprung.exists(), "the trap itself must work, or this test shows nothing"


def test_a_bare_pickle_is_not_run_either(tmp_path: Path) -> None:
    sprung, file = tmp_path / "sprung", tmp_path / "trap.pth"
    file.write_bytes(pickle.dumps(Trap(os.mkdir, str(sprung))))
    with pytest.raises(CheckpointError):
        load_untrained(file)
    assert not sprung.exists()


def test_a_whole_pickled_module_is_refused(tmp_path: Path, net: PlainNet) -> None:
    with pytest.raises(
        CheckpointError, match=r"wants to run subpixel\.nets\.architectures\.plain\.PlainNet"
    ):
        load_untrained(saved(tmp_path, net))


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda weights: {k: v for k, v in weights.items() if k != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("middle.1.bias"), r"looks like PlainNet, but middle\.1\.bias is missing"),
        (without("middle.1.weight"), r"looks like PlainNet, but middle\.1\.weight is missing"),
        (without("first.weight"), r"the nearest is PlainNet, .* without first\.weight"),
        (lambda w: {**w, "extra": torch.ones(1)}, "looks like PlainNet, but extra is not known"),
        (lambda w: {**w, "last.weight": torch.ones(5, 4, 3, 3)}, r"last\.weight has 5 outputs"),
        (lambda w: {**w, "last.weight": torch.ones(4)}, r"last\.weight has the shape \(4,\)"),
        (lambda w: {**w, "last.weight": torch.ones(4, 9, 3, 3)}, r"instead of \(4, 4, 3, 3\)"),
        (lambda w: {**w, "last.bias": torch.ones(4).to_sparse()}, r"last\.bias is missing"),
        (lambda w: {**w, "last.bias": torch.ones(4, device="meta")}, r"last\.bias is missing"),
        (lambda w: {**w, "first.bias": torch.full((4,), torch.nan)}, "first.bias holds NaN"),
        (lambda w: {**w, "first.bias": torch.full((4,), torch.inf)}, "first.bias holds NaN or inf"),
        (lambda w: {}, "holds no weights, no tensor at all; its entries are none"),
        (lambda w: {"a": 1, "b": torch.ones(1)}, "its weights: b"),
        (lambda w: list(w), "holds a list, not a dictionary"),
        (lambda w: torch.ones(3), "holds a Tensor, not a dictionary"),
    ],
)
def test_other_contents_are_refused_in_one_line(
    tmp_path: Path, net: PlainNet, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    file = saved(tmp_path, change(net.state_dict()))
    with pytest.raises(CheckpointError, match=message) as caught:
        load_untrained(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"this is a text file\n", b"\x80\x02garbage", b"PK\x03\x04"]
)
def test_files_of_another_kind(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"PyTorch can read|readable safetensors") as caught:
        load_untrained(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_scripted_archive(tmp_path: Path, net: PlainNet) -> None:
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(net), tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="is a TorchScript archive, a program"):
        load_untrained(tmp_path / "net.pt")


def test_a_missing_file_a_folder_and_a_strange_suffix(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        load_untrained(tmp_path / "missing.pth")
    with pytest.raises(CheckpointError, match="can't be read"):
        load_untrained(tmp_path)
    (tmp_path / "net.onnx").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"ends in '.onnx'; a checkpoint ends in .pth, "):
        load_untrained(tmp_path / "net.onnx")


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_found_or_harmless(tmp_path: Path, name: str, data: st.DataObject) -> None:
    weights, file = PlainNet(2, channels=1, depth=1).state_dict(), tmp_path / name
    safetensors.torch.save_file(weights, file) if "safe" in name else torch.save(weights, file)
    content = bytearray(file.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[position] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(CheckpointError):
        load_untrained(file)
