"""The three runs of scripts/train_bundled.py with a small network, for seconds."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import train_bundled
from safetensors import safe_open

from subpixel.media.photograph import photograph
from subpixel.nets.checkpoints.checkpoint import load_checkpoint
from subpixel.train.data.device.packing import LumaPack, write_pack
from subpixel.train.presets import PRESETS

SMALL = replace(PRESETS["smoke"], late_crop=24, flat_share=0.25)


@pytest.fixture(scope="module")
def pack() -> LumaPack:
    green = photograph()[..., 1]
    return LumaPack({"a": [green[:200], green[100:, :300]], "b": [green[:, 200:]]}, {"c": [green]})


def order(pack: LumaPack, out: Path) -> train_bundled.Order:
    return train_bundled.Order(pack, out, SMALL, "cpu", seconds=1.2)


@pytest.mark.slow
def test_three_networks_come_of_one_pack(
    pack: LumaPack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_bundled.train_all(order(pack, tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"balanced-x{scale}.{suffix}" for scale in (2, 3, 4) for suffix in ("safetensors", "csv")
    )
    for scale in (2, 3, 4):
        file = tmp_path / f"balanced-x{scale}.safetensors"
        assert load_checkpoint(file).spec.scale == scale
        with safe_open(file, "numpy") as weights:
            facts = weights.metadata()
        assert facts["photographs"] == "3"
        rows = (tmp_path / f"balanced-x{scale}.csv").read_text().splitlines()
        assert rows[0] == "step,seconds,loss,held_out_psnr"
        assert rows[-1].split(",")[0] == facts["steps"]
    capsys.readouterr()
    train_bundled.train_all(order(pack, tmp_path))
    assert capsys.readouterr().out.count("is there") == 3


@pytest.mark.slow
def test_a_killed_session_is_taken_up_again(
    pack: LumaPack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time that it had left."""
    monkeypatch.setattr("subpixel.train.loop.SAVE_EVERY_SECONDS", 0.0)

    class KilledError(Exception):
        pass

    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(train_bundled, "course", lambda *_: kill)
        with pytest.raises(KilledError):
            train_bundled.train_all(order(pack, tmp_path))
    state = torch.load(tmp_path / "balanced-x3.state", weights_only=True)
    assert state["seconds"] > 0
    assert state["step"] > 0
    train_bundled.train_all(replace(order(pack, tmp_path), scales=[3]))
    with safe_open(tmp_path / "balanced-x3.safetensors", "numpy") as weights:
        assert int(weights.metadata()["steps"]) >= state["step"]


@pytest.mark.slow
def test_it_needs_little_of_the_machine(pack: LumaPack, tmp_path: Path) -> None:
    """What a bare machine with PyTorch lacks is not there."""
    write_pack(tmp_path / "pack.npz", pack)
    blocked = ("pyvips", "platformdirs", "rich", "click", "onnx", "onnxruntime", "spandrel")
    script = Path(train_bundled.__file__)
    program = (
        f"import sys, runpy; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        f"sys.argv = ['x', 'train', '--pack', {str(tmp_path / 'pack.npz')!r}, '--out', "
        f"{str(tmp_path / 'out')!r}, '--device', 'cpu', '--preset', 'smoke', '--seconds', '1']\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    assert len(list((tmp_path / "out").glob("*.safetensors"))) == 3


def test_the_gpu_s_preset_is_balanced_s_network() -> None:
    balanced = PRESETS["balanced"]
    sizes = [(p.channels, p.depth, p.network) for p in (train_bundled.GPU, balanced)]
    assert sizes[0] == sizes[1]
    assert np.isclose(sum(train_bundled.SHARES.values()), 1)
