"""The matrix: every way to run a network, what passes, what fails, and what can't be had."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from exports import export_module
from networks import NearestNeighbour
from rounding import likely_bound
from subpixel.errors import NetworkError, ProviderError, UsageError
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.parity.cases import Case
from subpixel.parity.compare import CODES, Tolerance, compare
from subpixel.parity.matrix import matrix
from subpixel.parity.matrix.matrix import (
    Cell,
    CellOutcome,
    CellResult,
    MatrixReport,
    TaskScore,
    Verdict,
    condense,
    verify_matrix,
)
from subpixel.runtime.op import NetOp, Pixels
from subpixel.runtime.openvino import is_installed
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec, Precision
from subpixel.zoo.manifest import find_bundled

LUMA = ModelSpec("small", 2, "luma", "luma", "PlainNet")
FLOOR = Tolerance(rtol=None, max_codes=CODES, min_psnr=50.0)


@pytest.fixture(autouse=True)
def only_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this machine has."""
    monkeypatch.setattr(matrix, "available_devices", lambda: ("cpu",))


@pytest.fixture
def few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """One case of each height and width: the budget admits no more."""
    monkeypatch.setattr("subpixel.parity.cases.BUDGET", 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``small.pth`` and its faithful exports ``luma.onnx``, ``rgb.onnx`` and ``half.onnx``."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    net = PlainNet(2, channels=4, depth=1).eval()
    torch.save(net.state_dict(), folder / "small.pth")
    model = export_module(net, LUMA, exporter="trace").model
    onnx.save(with_spec(model, LUMA), folder / "luma.onnx")
    rgb = with_spec(rgb_from_luma(model, 2), replace(LUMA, interface="rgb"))
    onnx.save(rgb, folder / "rgb.onnx")
    onnx.save(to_fp16(with_spec(model, LUMA)), folder / "half.onnx")
    return folder


def verdicts(report: MatrixReport) -> dict[str, set[Verdict]]:
    found: dict[str, set[Verdict]] = {}
    for result in report.cells:
        found.setdefault(result.cell.precision, set()).add(result.outcome.verdict)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_a_faithful_file_passes_in_every_way(folder: Path) -> None:
    report = verify_matrix(folder / "luma.onnx", folder / "small.pth", devices=["cpu"], floor_db=35)
    assert report, report.summary()
    assert verdicts(report) == {
        "fp32": {"passed"},
        "fp16": {"passed"},
        "int8": {"passed"},
    }
    assert len(report.cells) == len({result.cell for result in report.cells}) == 24
    ran = [result.outcome for result in report.cells]
    assert {(outcome.cases, outcome.failures) for outcome in ran} == {(report.grid, 0)}
    assert {outcome.provider for outcome in ran} == {"CPUExecutionProvider"}
    exact = [r.outcome for r in report.cells if r.cell.precision == "fp32"]
    assert all(o.max_codes is not None and o.max_codes <= 1 for o in exact)
    bound = likely_bound(onnx.load(folder / "rgb.onnx"), np.ones((1, 3, 24, 24), np.float32))
    assert all(o.max_abs is not None and o.max_abs < bound for o in exact)
    assert len(report.properties) == 9
    assert {result.outcome.verdict for result in report.properties} == {"passed"}


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_a_changed_weight_fails_and_is_shown(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "luma.onnx")
    tensor = next(t for t in model.graph.initializer if list(t.dims) == [4, 4, 3, 3])
    weights = numpy_helper.to_array(tensor).copy()
    weights.flat[np.abs(weights).argmax()] *= 1.2
    tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    onnx.save(model, tmp_path / "broken.onnx")
    report = verify_matrix(tmp_path / "broken.onnx", folder / "small.pth", precisions=["fp32"])
    assert not report
    assert verdicts(report) == {"fp32": {"failed"}}
    assert {cell for spot in report.spots for cell in spot.cells} == {r.cell for r in report.cells}


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_a_wrong_file_fails_whatever_precision_is_asked_for(folder: Path, tmp_path: Path) -> None:
    """int8 is near to the fp32 file; that is worth nothing where the file itself is wrong."""
    torch.save(PlainNet(2, channels=4, depth=1).state_dict(), tmp_path / "other.pth")
    report = verify_matrix(
        folder / "luma.onnx", tmp_path / "other.pth", precisions=["int8"], floor_db=30
    )
    assert verdicts(report) == {"fp32": {"failed"}, "int8": {"passed"}}
    assert not report


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_the_floor_decides_for_reduced_precision(folder: Path) -> None:
    against = folder / "small.pth"
    low, high = (
        verify_matrix(folder / "luma.onnx", against, precisions=["int8"], floor_db=floor)
        for floor in (30, 90)
    )
    assert low.cells[0].cell == Cell("cpu", "fp32")  # unasked: else nothing is held to PyTorch
    (found,) = {result.outcome.least_psnr for result in low.cells[-2:]}
    assert found is not None
    assert 30 < found < 90
    assert low
    assert not high
    assert verdicts(high) == {"fp32": {"passed"}, "int8": {"failed"}}
    assert "at least 90 dB is asked for" in str(high.cells[1].outcome.reason)
    assert (low.floor_db, high.floor_db) == (30, 90)


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_the_bundled_network_in_int8() -> None:
    """Its quality on noise, where it differs most; the default floor of 50 dB it misses."""
    file = find_bundled("fast", 3).path
    report = verify_matrix(file, file, precisions=["int8"], floor_db=32)
    assert report, report.summary()
    outcome = report.cells[-1].outcome
    assert outcome.worst is not None
    assert outcome.worst.content == "noise"
    assert outcome.least_psnr is not None
    assert 32 < outcome.least_psnr < 50


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_where_interfaces_differ_the_luma_side_is_put_on_rgb(folder: Path) -> None:
    for candidate, reference in (("rgb.onnx", "small.pth"), ("luma.onnx", "rgb.onnx")):
        report = verify_matrix(folder / candidate, folder / reference, precisions=["fp32"])
        assert report, report.summary()
        assert report.spec.interface == "rgb"


@pytest.mark.usefixtures("few_cases")
def test_a_file_of_reduced_precision_is_that_and_nothing_else(folder: Path) -> None:
    report = verify_matrix(folder / "half.onnx", folder / "small.pth")
    assert report
    assert verdicts(report) == {
        "fp32": {"not available"},
        "fp16": {"passed"},
        "int8": {"not available"},
    }
    assert report.cells[0].outcome.reason == "the file is fp16 already; give the fp32 file"


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_a_dear_network_runs_the_whole_grid_at_the_defaults_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subpixel.parity.cases.BUDGET", 1e9)
    report = verify_matrix(folder / "luma.onnx", folder / "small.pth", precisions=["fp32"])
    assert report.full_grid >= 72
    assert report.grid < report.full_grid
    for result in report.cells:
        main = result.cell == Cell("cpu", "fp32")
        assert result.outcome.cases == (report.full_grid if main else report.grid)


@pytest.mark.usefixtures("few_cases")
def test_threads_and_progress(folder: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    report = verify_matrix(
        folder / "luma.onnx",
        folder / "small.pth",
        precisions=["fp32"],
        threads=2,
        report=lambda *step: seen.append(step),
    )
    assert {result.cell.threads for result in report.cells} == {1, 2}
    done = [step[1] for step in seen]
    assert done == sorted(done)
    assert {step[2] for step in seen} == {sum(r.outcome.cases for r in report.cells)}
    assert done[-1] == seen[-1][2]


@pytest.mark.slow
@pytest.mark.usefixtures("few_cases")
def test_the_task_is_scored_per_device_and_precision(folder: Path) -> None:
    psnrs: dict[str, float] = {"fp32": 31.0, "fp16": 30.5}

    def score(file: Path, device: str) -> float:
        assert device == "cpu"
        return psnrs[json.loads(Session(file).metadata["subpixel.precision"])]

    report = verify_matrix(
        folder / "luma.onnx",
        folder / "small.pth",
        precisions=["fp32", "fp16"],
        score=score,
    )
    assert report.scores == (
        TaskScore("cpu", "fp32", 31.0, 0.0),
        TaskScore("cpu", "fp16", 30.5, 0.5),
    )


@pytest.mark.usefixtures("few_cases")
@pytest.mark.parametrize(
    ("error", "precision", "verdict"),
    [
        (ProviderError("it fell back to the CPU"), "fp32", "not available"),
        (NetworkError("9 : NOT_IMPLEMENTED : no Conv"), "fp16", "not available"),
        (NetworkError("9 : NOT_IMPLEMENTED : no Conv"), "fp32", "failed"),
        (NetworkError("10 : INVALID_GRAPH"), "fp16", "failed"),
    ],
)
def test_what_cant_be_opened(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    precision: Precision,
    verdict: Verdict,
) -> None:
    """Kernels may lack in reduced precision; a broken graph is our fault, and fp32 always runs."""

    def refuse(*_: object, **__: object) -> Session:
        raise error

    monkeypatch.setattr(matrix, "open_session", refuse)
    report = verify_matrix(folder / "luma.onnx", folder / "small.pth", precisions=[precision])
    assert verdicts(report)[precision] == {verdict}
    assert report.cells[-1].outcome.reason == str(error)
    assert not report
    assert report.properties == ()


def test_names_that_there_arent(folder: Path) -> None:
    files = folder / "luma.onnx", folder / "small.pth"
    with pytest.raises(UsageError, match="device is 'abacus'"):
        verify_matrix(*files, devices=["abacus"])
    with pytest.raises(UsageError, match="precision is 'fp8'"):
        verify_matrix(*files, precisions=["fp8"])  # type: ignore[list-item]


# The verdict's logic, on fakes.


@dataclass(frozen=True)
class Brighter:
    """Nearest neighbour, and ``by`` brighter where the picture is ``side`` pixels wide."""

    by: float
    side: int

    def __call__(self, pixels: Pixels, /) -> Pixels:
        more = self.by if pixels.shape[3] == self.side else 0.0
        return NearestNeighbour(2)(pixels) + np.float32(more)


def broken(_: Pixels, /) -> Pixels:
    raise NetworkError("no such shape")


CASES = [Case(1, 4, 4, "zeros"), Case(1, 5, 5, "noise"), Case(1, 6, 6, "photo")]


def outcome_of(candidate: NetOp, tolerance: Tolerance) -> CellOutcome:
    return condense(compare(NearestNeighbour(2), candidate, CASES, 1, tolerance, provider="fake"))


def test_equal_results() -> None:
    found = outcome_of(NearestNeighbour(2), FLOOR)
    assert (found.verdict, found.reason, found.provider) == ("passed", None, "fake")
    assert (found.cases, found.failures, found.max_codes, found.max_abs) == (3, 0, 0, 0.0)
    assert found.least_psnr == np.inf


@pytest.mark.parametrize(
    ("by", "tolerance", "verdict"),
    [
        (2e-3, FLOOR, "passed"),  # 54 dB
        (4e-3, FLOOR, "failed"),  # 48 dB
        (2e-3, Tolerance(), "failed"),
        (1e-6, Tolerance(), "passed"),
    ],
)
def test_one_case_decides(by: float, tolerance: Tolerance, verdict: Verdict) -> None:
    found = outcome_of(Brighter(by, 5), tolerance)
    assert found.verdict == verdict
    assert found.failures == (verdict == "failed")
    assert found.worst == CASES[1]
    assert found.least_psnr == pytest.approx(-20 * np.log10(by), abs=0.5)


def test_a_crash_is_worse_than_any_number() -> None:
    def candidate(pixels: Pixels, /) -> Pixels:
        return broken(pixels) if pixels.shape[3] == 6 else Brighter(0.5, 5)(pixels)

    for tolerance in (FLOOR, Tolerance()):
        found = outcome_of(candidate, tolerance)
        assert (found.verdict, found.failures, found.worst) == ("failed", 2, CASES[2])
        assert "no such shape" in str(found.reason)
        assert found.max_abs == pytest.approx(0.5)


def report_of(*outcomes: Verdict) -> MatrixReport:
    return MatrixReport(
        candidate="a",
        reference="b",
        spec=LUMA,
        floor_db=50.0,
        full_grid=72,
        grid=72,
        cells=tuple(
            CellResult(Cell("cpu", "fp32", threads=n), CellOutcome(verdict, least_psnr=np.inf))
            for n, verdict in enumerate(outcomes, start=1)
        ),
        properties=(),
        scores=(),
        spots=(),
    )


@pytest.mark.parametrize(
    ("outcomes", "passed"),
    [
        (("passed",), True),
        (("passed", "not available"), True),
        (("not available",), False),
        ((), False),
        (("passed", "failed"), False),
    ],
)
def test_what_a_report_is_worth(outcomes: tuple[Verdict, ...], passed: bool) -> None:
    report = report_of(*outcomes)
    assert bool(report) is passed
    assert report.to_json()["passed"] is passed
    assert report.summary().startswith("verified" if passed else "NOT verified")
    assert f"{outcomes.count('not available')} not available" in report.summary()


def test_json_is_what_programs_rely_on() -> None:
    found = json.loads(json.dumps(report_of("passed").to_json(), allow_nan=False))
    assert found.keys() == {
        "passed",
        "candidate",
        "reference",
        "spec",
        "floor_db",
        "full_grid",
        "grid",
        "cells",
        "properties",
        "scores",
        "uncovered",
    }
    (row,) = found["cells"]
    assert row["cell"] == {
        "device": "cpu",
        "precision": "fp32",
        "optimisation": "all",
        "threads": 1,
    }
    assert row["outcome"] == {
        "verdict": "passed",
        "reason": None,
        "provider": None,
        "cases": 0,
        "failures": 0,
        "max_codes": None,
        "max_abs": None,
        "least_psnr": "inf",
        "worst": None,
        "too_large": [],
    }


@pytest.mark.skipif(not is_installed(), reason="needs OpenVINO: pip install '.[openvino]'")
@pytest.mark.usefixtures("few_cases")
def test_openvino_has_no_levels_of_optimisation(folder: Path) -> None:
    file = folder / "rgb.onnx"
    report = verify_matrix(file, file, devices=["openvino"], precisions=["fp32", "fp16"])
    assert report, report.summary()
    assert [result.cell for result in report.cells] == [
        Cell("openvino", precision, "all", threads)
        for precision in ("fp32", "fp16")
        for threads in (1, None)
    ]
    assert {result.outcome.provider for result in report.cells} == {"OpenVINO"}
