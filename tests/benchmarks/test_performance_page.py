"""The page is made of figures, of which any may be missing."""

from dataclasses import replace
from pathlib import Path

import measurements
import pytest
from interleaved import Cell, Run
from measurements import Measurements
from peers import BASE, FLOOR, PEERS, TUTORIAL
from whole_process import MINIMUM, MINIMUM_DEFAULT, OURS, OURS_DEFAULT

pytest.importorskip("matplotlib", reason="needs the extra bench")


def _cell(*seconds: float) -> Cell:
    return Cell(tuple(Run(s, 2 * s, 300 * 2**20) for s in seconds))


@pytest.fixture
def found() -> Measurements:
    """subpixel takes half the time of everything else; 8192² is too much for ONNX Runtime."""
    at_512 = {name: _cell(0.25 if name == "subpixel" else 0.5) for name in PEERS}
    at_8192 = {name: Cell(fault="out of memory") for name in PEERS} | {"subpixel": _cell(64.0)}
    row = {"Set5": 30.0, "Set14": 27.0}
    return Measurements(
        machine="a machine",
        day="2026-01-01",
        minutes=12.0,
        load=0.1,
        memory=2**33,
        multiply_adds=dict.fromkeys(PEERS, 50000.0),
        psnr={"subpixel": 60.0},
        quality=dict.fromkeys((TUTORIAL, FLOOR), row) | {"fast": {"Set5": 33, "Set14": 29}},
        pictures={512: at_512, 8192: at_8192},
        files={2000: {"`fast`": _cell(4.0), FLOOR: Cell(fault="over 240 s")}},
        processes={
            MINIMUM: _cell(0.2, 0.4),
            OURS: _cell(0.25, 0.5),
            MINIMUM_DEFAULT: _cell(0.2, 0.4),
            OURS_DEFAULT: _cell(0.22, 0.44),
        },
    )


def test_json_and_back(found: Measurements, tmp_path: Path) -> None:
    measurements.write(found, tmp_path / "found.json")
    assert measurements.read(tmp_path / "found.json") == found


def test_tables(found: Measurements, tmp_path: Path) -> None:
    from performance_page import write_page

    write_page(found, tmp_path)
    page = (tmp_path / "performance.md").read_text("utf-8")
    lines = page.splitlines()
    # 512² took 0.5 s: at 8192², 256 times as large, ONNX Runtime would have taken 128 s.
    assert "| subpixel | fp32 | 2.00 | (2.00) | 60 |" in lines
    assert f"| {BASE} | fp32 | 1.00 | out of memory |  |" in lines
    assert "| `fast` | 1.00 | out of memory | +3.00 | +2.00 |" in lines
    assert "`subpixel upscale` takes 1.25 times the bare minimum" in page
    assert "`fast-int8` ×3 takes 1.00 times as long as Pillow's bicubic" in page
    assert "| `fast` | 1.000 | 300 |" in lines
    assert f"| {FLOOR} | over 240 s | – |" in lines
    plots = {file.name for file in tmp_path.glob("*.svg")}
    assert plots == {"performance-growth.svg", "performance-peers.svg", "quality-time.svg"}
    assert all(f"({name})" in page for name in plots)


def test_the_smallest_run(found: Measurements, tmp_path: Path) -> None:
    """No size but a small one, no file."""
    from performance_page import write_page

    small = replace(found, pictures={64: found.pictures[512]}, files={}, load=3.0)
    write_page(small, tmp_path)
    page = (tmp_path / "performance.md").read_text("utf-8")
    assert "| `fast` |" in page
    assert "**others were at work**: the load average was 3.0" in page
