"""``subpixel export``: what is said while it tries one way after another."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from subpixel.cli.networks.export import command
from subpixel.errors import ExportError
from subpixel.publish import release as releasing

NET = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
"""


def test_every_further_attempt_is_a_line_off_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, time_limit: float) -> None:
        raise ExportError(f"not within {time_limit}")

    (tmp_path / "shown_network.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(releasing, "export_apart", fail)
    arguments = ["--module", "shown_network:build", "--exporter", "trace", "-o", "net.onnx"]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, ExportError)
    assert result.stdout == ""
    ways = [
        "trace from 1×51×67",
        "trace from 1×56×72, padded to multiples of 8, batch of 1",
        "trace from 1×80×112, padded to multiples of 16, batch of 1",
        "trace from 1×128×128, batch of 1, for that size alone",
    ]
    assert result.stderr.splitlines() == [
        f"rejected: {way}; next: {after}" for way, after in pairwise(ways)
    ]
