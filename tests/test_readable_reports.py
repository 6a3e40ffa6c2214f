"""What a judge returns can be printed: lines for people, and no dataclass as Python writes it."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import subpixel
from subpixel.graph.check import CheckReport, Finding
from subpixel.graph.metadata import load_model
from subpixel.parity.bisect.blame import Blame
from subpixel.parity.cases import Case
from subpixel.parity.compare import Fact, ParityReport, compare
from subpixel.parity.memory.ledger import TooLarge
from subpixel.spec import ModelSpec

SPEC = ModelSpec("net", 2, "rgb", "rgb", architecture="Nearest")
GOOD, BAD = Finding("opset", True, "18"), Finding("axes", False, "the height is fixed")
CASES = (Case(1, 8, 9, "noise"), Case(1, 9, 8, "noise"))


def _double(pixels: np.ndarray) -> np.ndarray:
    return pixels.repeat(2, -1).repeat(2, -2)


def _parity() -> ParityReport:
    report = compare(_double, _double, CASES, 3)
    facts = (
        Fact("halo", "wrong", "it looks further"),
        Fact("tiles", "proven", "4 tiles"),
        Fact("float16", "not proven", "too dear"),
    )
    return replace(report, facts=facts, seed=7)


def _expect_lines(report: object, lines: list[str]) -> None:
    text = str(report)
    assert f"{type(report).__name__}(" not in text
    assert [line for line in lines if line not in text.splitlines()] == []


def test_each_judge_says_what_it_found() -> None:
    """By the source: whatever is true or false as a verdict has its own text."""
    root = Path(subpixel.__file__).parent
    judges = [
        (node.name, {item.name for item in node.body if isinstance(item, ast.FunctionDef)})
        for file in root.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Report", "Blame", "Outcome"))
    ]
    verdicts = {name: methods for name, methods in judges if "__bool__" in methods}
    assert len(verdicts) >= 6
    assert [name for name, methods in verdicts.items() if "__str__" not in methods] == []


def test_a_check() -> None:
    assert str(CheckReport((GOOD,))) == "1 of 1 checks passed"
    assert str(CheckReport((GOOD, BAD))) == "1 of 2 checks passed\naxes: the height is fixed"
    assert str(BAD) == "axes: the height is fixed"


def test_a_comparison() -> None:
    report = _parity()
    assert str(report).splitlines() == [
        "all 2 cases are the same, but halo: it looks further",
        "halo: wrong: it looks further",
        "tiles: proven: 4 tiles",
        "not covered: float16: too dear",
        "not covered: sides over 9, batches over 1",
        "random sizes and pictures drawn with --seed 7",
    ]
    assert str(ParityReport("a", "b", None, report.tolerance, ())) == "nothing was compared"
    large = TooLarge(Case(1, 64, 48, "noise"), 21 * 10**9, 12 * 10**9, forecast=True)
    short = replace(report, too_large=(large,))
    told = "about 21.0 GB of memory, where 12.0 GB were free"
    assert f"not covered: 1×64×48 (noise): {told}" in str(short).splitlines()
    assert replace(short, results=()).summary() == f"nothing was compared: {told}"


def test_a_release() -> None:
    release = pytest.importorskip("subpixel.publish.release")
    report = release.ReleaseReport(
        SPEC, "trace", 18, CheckReport((BAD,)), _parity(), (), None, Path("out.failed.onnx")
    )
    first = "Nearest x2, rgb, fp32; it failed, and nothing was written"
    _expect_lines(report, [first, "axes: the height is fixed", "wrote out.failed.onnx"])
    good = replace(report, check=CheckReport((GOOD,)), path=Path("out.onnx"))
    _expect_lines(good, ["1 of 1 checks passed", "tiles: proven: 4 tiles", "wrote out.onnx"])


def test_who_is_to_blame() -> None:
    assert str(Blame("a", "b", equal=True)) == "the pictures are equal"
    asked = Blame("a", "b", equal=True, asked=True)
    assert str(asked) == "the pictures are within what was asked"
    (result, _) = compare(_double, lambda p: _double(p) + 0.5, CASES, 3).results
    blame = Blame(
        "a",
        "b",
        equal=False,
        stage="file",
        node="Conv_3",
        op_type="Conv",
        evidence=("pads differ",),
        result=result,
        alone=replace(result, reason=None),
        mended=False,
        folder=Path("case"),
    )
    _expect_lines(
        blame,
        [
            "file: the node Conv_3 (Conv)",
            f"picture: noise 1×8×9: {result.reason}",
            "alone: within tolerance",
            "there is more behind it: mending this node alone is not enough",
            "differs: pads differ",
            "wrote case",
        ],
    )


def test_what_is_checked_of_a_bundled_network_is_readable() -> None:
    from subpixel.graph.check import check_model
    from subpixel.graph.metadata import read_spec
    from subpixel.zoo.manifest import find_bundled

    model = load_model(find_bundled("fast", 2).path)
    spec = read_spec(model)
    assert spec is not None
    assert str(check_model(model, spec)).endswith("checks passed")
