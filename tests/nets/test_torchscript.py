"""TorchScript archives: run to compare with, never exported, and never unpickled."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from exports import export_module
from subpixel.errors import CheckpointError
from subpixel.nets.activations import modules_in_order
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.torch_op import TorchOp
from subpixel.nets.torchscript import is_torchscript, load_torchscript
from subpixel.parity.bisect.bisect import bisect
from subpixel.parity.verify import verify
from subpixel.spec import ModelSpec


def net() -> PlainNet:
    torch.manual_seed(0)
    return PlainNet(2, channels=4, depth=1).eval()


def archive(module: nn.Module, file: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), file)
    return file


@pytest.mark.parametrize("name", ["net.ts", "net.torchscript", "net.pt"])
def test_an_archive_by_any_name(tmp_path: Path, name: str) -> None:
    file, module = archive(net(), tmp_path / name), net()
    assert is_torchscript(file)
    loaded, picture = load_torchscript(file), torch.rand(2, 1, 9, 7)
    assert (loaded.spec.scale, loaded.spec.colour) == (2, "luma")
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(picture), module(picture))


def test_checkpoints_are_none(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "net.pth")
    (tmp_path / "text.pt").write_text("PK")
    assert not is_torchscript(tmp_path / "net.pth")
    assert not is_torchscript(tmp_path / "text.pt")
    assert not is_torchscript(tmp_path / "missing.pt")


def test_a_program_that_is_no_network_for_pictures(tmp_path: Path) -> None:
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))
    with pytest.raises(CheckpointError, match="no super-resolution network"):
        load_torchscript(archive(module, tmp_path / "net.ts"))


def test_a_damaged_archive(tmp_path: Path) -> None:
    file = archive(net(), tmp_path / "net.ts")
    file.write_bytes(file.read_bytes()[:-100])
    assert not is_torchscript(file)
    with pytest.raises(CheckpointError, match="no TorchScript archive that PyTorch can read"):
        load_torchscript(file)


@pytest.mark.slow
def test_a_file_is_compared_with_a_program(tmp_path: Path) -> None:
    spec = ModelSpec("net", 2, "luma", "luma")
    file = tmp_path / "net.onnx"
    file.write_bytes(export_module(net(), spec, exporter="trace").model.SerializeToString())
    program = archive(net(), tmp_path / "net.ts")
    assert verify(file, program)
    assert bisect(file, program).equal
    with torch.no_grad():
        (changed := net()).last.bias.add_(0.1)
    other = archive(changed, tmp_path / "changed.ts")
    assert not verify(file, other)
    assert bisect(file, other).stage == "graph"


def test_a_program_shows_no_modules(tmp_path: Path) -> None:
    op = TorchOp(load_torchscript(archive(net(), tmp_path / "net.ts")).module)
    assert modules_in_order(op, np.zeros((1, 1, 4, 4), np.float32)) == ()
