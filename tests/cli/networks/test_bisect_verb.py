"""``subpixel bisect``, as a user types it."""

import json
from pathlib import Path

import onnx
import pytest
from onnx import helper

from networks import sub_pixel_network
from subpixel.cli.main import run
from subpixel.graph.metadata import with_spec
from subpixel.spec import ModelSpec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``good.onnx``, and ``bad.onnx`` whose sub-pixels are in another order."""
    good = with_spec(sub_pixel_network(3), ModelSpec("small", 2, "rgb", "rgb"))
    onnx.save(good, tmp_path / "good.onnx")
    shuffle = next(node for node in good.graph.node if node.op_type == "DepthToSpace")
    del shuffle.attribute[:]
    shuffle.attribute.extend(helper.make_attribute(*pair) for pair in {"blocksize": 2}.items())
    onnx.save(good, tmp_path / "bad.onnx")
    return tmp_path


def command(folder: Path, bad: str, *more: str) -> list[str]:
    return ["bisect", str(folder / bad), "--against", str(folder / "good.onnx"), *more]


@pytest.mark.slow
def test_equal_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(folder, "good.onnx", "-o", str(folder / "case"))) == 0
    assert "equal" in capsys.readouterr().out
    assert not (folder / "case").exists()


def test_a_fault_and_its_case(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = folder / "case"
    assert run(command(folder, "bad.onnx", "-o", str(case))) == 1
    said = capsys.readouterr().out
    assert "DepthToSpace" in said
    assert "mode: 'CRD' → not given" in said
    assert f"wrote     {case}" in said
    assert {file.name for file in case.iterdir()} >= {"case.onnx", "reproduce.py", "report.md"}
    assert run(command(folder, "bad.onnx", "-o", str(case))) == 1
    assert "exists" in capsys.readouterr().err
    assert run(command(folder, "bad.onnx", "-o", str(case), "--overwrite")) == 1
    assert "wrote" in capsys.readouterr().out


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(folder, "bad.onnx", "--json")) == 1
    found = json.loads(capsys.readouterr().out)
    wanted = {"equal": False, "stage": "graph", "op_type": "DepthToSpace", "case": None}
    assert {key: found[key] for key in wanted} == wanted
    assert found["node"] == "y", "without a name of its own a node goes by its result's"
    assert found["module"] is None


def test_usage(folder: Path) -> None:
    assert run(["bisect", str(folder / "bad.onnx")]) == 2
    assert run(command(folder, "bad.onnx", "--device", "abacus")) == 2
    assert run(command(folder, "bad.onnx", "--device", "openvino")) == 2, "it takes no graphs apart"
