"""``subpixel verify --matrix`` as a user types it."""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from PIL import Image

from exports import export_module
from subpixel.cli.main import run
from subpixel.cli.networks.verify import _case_cells
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.nets.architectures.plain import PlainNet
from subpixel.parity.cases import Case
from subpixel.parity.compare import CaseResult
from subpixel.spec import ModelSpec

FP32 = ["--matrix", "--precision", "fp32"]


@pytest.fixture(autouse=True)
def few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subpixel.parity.cases.BUDGET", 1.0)


@pytest.fixture(scope="module")
def verb(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """``verify NETWORK --against CHECKPOINT``."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    net, spec = PlainNet(2, channels=4, depth=1).eval(), ModelSpec("s", 2, "luma", "luma")
    torch.save(net.state_dict(), folder / "net.pth")
    model = export_module(net, spec, exporter="trace").model
    onnx.save(with_spec(model, spec), folder / "net.onnx")
    return ["verify", str(folder / "net.onnx"), "--against", str(folder / "net.pth")]


def test_a_table_with_a_row_per_cell(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    half = Path(verb[1]).with_name("half.onnx")
    onnx.save(to_fp16(onnx.load(verb[1])), half)
    precisions = ["--matrix", "--precision", "fp32", "--precision", "fp16"]
    assert run(["verify", str(half), *verb[2:], *precisions, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if line.startswith("│ cpu")]
    assert len(rows) == 16
    assert sum("passed" in row for row in rows) == 8
    assert sum("not available (1)" in row for row in rows) == 8
    assert "(1)  the file is fp16 already; give the fp32 file" in said
    assert said.count("tiles equal the whole") == 1
    assert "floor: 50 dB between reduced precision and fp32" in said
    assert said.rstrip().endswith("11 passed, 0 failed, 8 not available")


def test_bf16_is_no_precision_of_the_matrix(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*verb, "--matrix", "--precision", "bf16"]) == 2
    assert "precision is 'bf16'; it is one of fp32, fp16, int8" in capsys.readouterr().err


def test_a_floor_that_is_missed_is_a_failure(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    options = ["--matrix", "--precision", "int8", "--floor-db", "99", "--html", str(page)]
    assert run([*verb, *options, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is False
    assert report["floor_db"] == 99
    verdicts = [(row["cell"]["precision"], row["outcome"]["verdict"]) for row in report["cells"]]
    assert set(verdicts) == {("fp32", "passed"), ("int8", "failed")}
    assert report["environment"]["packages"]["onnxruntime"]
    assert "✗ Not verified" in page.read_text("utf-8")


def test_a_page_is_not_overwritten_unasked(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "report.html"
    page.write_text("mine")
    assert run([*verb, *FP32, "--html", str(page)]) == 1
    assert "exists; use --overwrite" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert run([*verb, *FP32, "--html", str(page), "--overwrite"]) == 0
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.slow
def test_the_loss_on_a_benchmark_set(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(2):
        Image.radial_gradient("L").convert("RGB").resize((40, 30 + index)).save(
            tmp_path / f"{index}.png"
        )
    options = ["--matrix", "--device", "cpu", "--precision", "fp32", "--precision", "fp16"]
    options += ["--bench", str(tmp_path)]
    assert run([*verb, *options, "--json"]) == 0
    exact, half = json.loads(capsys.readouterr().out)["scores"]
    assert (exact["precision"], exact["loss"]) == ("fp32", 0.0)
    assert half["precision"] == "fp16"
    assert 0 < abs(half["loss"]) < 0.05
    assert half["psnr"] == pytest.approx(exact["psnr"] - half["loss"])
    assert run([*verb, *options]) == 0
    assert "on the benchmark set" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--html", "page.html"], "--html needs --matrix"),
        (["--floor-db", "40"], "--floor-db needs --matrix"),
        (["--precision", "fp16"], "--precision needs --matrix"),
        (["--bench", "set"], "--bench needs --matrix"),
        (["--device", "cpu", "--device", "cuda"], "several --device need --matrix"),
        ([*FP32, "--rtol", "1"], "--rtol clashes with --matrix"),
        ([*FP32, "--bench", "missing"], "missing is no folder"),
        ([*FP32, "--calibration", "missing"], "missing is no folder"),
        ([*FP32, "--device", "abacus"], "device is 'abacus'"),
        (["--matrix", "--precision", "fp8"], "'fp8' is not one of"),
    ],
)
def test_what_would_be_ignored_or_isnt_there(
    verb: list[str], options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*verb, *options]) == 2
    assert said in capsys.readouterr().err


def test_a_row_within_a_wide_tolerance_is_not_the_same() -> None:
    result = CaseResult(
        Case(1, 2, 3, "noise"), True, None, max_abs=0.9, max_rel=1.0, max_codes=230,
        differing_codes=6, codes=6, psnr=0.9,
    )  # fmt: skip
    assert _case_cells(result)[-1] == "within what was asked"
    assert _case_cells(replace(result, max_codes=1))[-1] == "same"


def test_verify_alone_is_as_it_was(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*verb, "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True
