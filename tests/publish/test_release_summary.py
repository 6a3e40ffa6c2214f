"""A file for one size alone is never silently that."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from subpixel.cli.main import run
from subpixel.publish.release import release
from subpixel.spec import ModelSpec


class Nearest(nn.Module):
    def forward(self, rgb: Tensor) -> Tensor:
        return nn.functional.interpolate(rgb, scale_factor=2.0)


FIXED = ModelSpec("fixed", 2, "rgb", "rgb", architecture="Nearest", fixed_size=(16, 24))

MODULE = """
import torch
from torch import nn
from subpixel import ModelSpec

def build():
    net = nn.Sequential(nn.Conv2d(3, 12, 1), nn.PixelShuffle(2))
    return net, ModelSpec("fixed", 2, "rgb", "rgb", fixed_size=(16, 24))
"""


@pytest.mark.slow
def test_the_summary_begins_with_the_size(tmp_path: Path) -> None:
    report = release(Nearest(), tmp_path / "net.onnx", spec=FIXED, exporter="trace")
    assert report
    assert report.summary() == "for 16×24 alone: Nearest x2, rgb, fp32"


@pytest.mark.slow
def test_the_summary_of_a_file_for_any_size(tmp_path: Path) -> None:
    spec = ModelSpec("free", 2, "rgb", "rgb", architecture="Nearest")
    report = release(Nearest(), tmp_path / "net.onnx", spec=spec, exporter="trace")
    assert report.summary() == "Nearest x2, rgb, fp32"


@pytest.mark.slow
def test_the_first_line_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    (tmp_path / "fixed_size_network.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = ["export", "--module", "fixed_size_network:build", "-o", "net.onnx"]
    assert run([*arguments, "--exporter", "trace"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("network   for 16×24 alone: ")
