"""A network that takes more memory than there is: what fits is compared, the rest is said."""

import gc
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from graphs_of_facts import identity_file
from subpixel.nets.checkpoints.checkpoint import Checkpoint
from subpixel.parity.cases import Case
from subpixel.parity.compare import ParityReport, Tolerance, compare
from subpixel.parity.facts import Judged, prove_facts
from subpixel.parity.matrix.matrix import Cell, CellResult, MatrixReport, condense
from subpixel.parity.memory.ledger import MemoryLedger
from subpixel.parity.verify import verify
from subpixel.publish.release import release
from subpixel.runtime.op import Pixels
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec
from subpixel.system.allocator import return_free_memory
from subpixel.system.memory_guard import CAN_REFUSE

pytestmark = pytest.mark.skipif(not CAN_REFUSE, reason="this system refuses no process its memory")

MIB = 1 << 20
ROOM = 192 * MIB
SPEC = ModelSpec("hungry", 1, "rgb", "rgb", halo=0)
"""What fits takes two thirds of it at the most, and what doesn't more than one and a half: what
the process itself holds may change by tens of megabytes meanwhile."""

SIZES = ((7, 5), (48, 64), (64, 64), (96, 96), (90, 200), (512, 512))
CASES = [Case(1, *size, content) for size in SIZES for content in ("noise", "photo")]


@pytest.fixture(autouse=True)
def clean_heap() -> None:
    """What earlier tests left behind isn't given back just when the memory is counted."""
    gc.collect()
    return_free_memory()


def expect_shortage(line: str, room: int) -> None:
    """It says what was needed and what was free: no more than ``room``, and less than needed."""
    said = re.search(
        r"(?:about|more than) (\d\.\d) GB of memory, where (\d\.\d) GB were free", line
    )
    assert said, line
    need, free = map(float, said.groups())
    assert free <= round(room / 1e9, 1)
    assert free <= need <= 10, "a forecast, or what was refused"


@dataclass(frozen=True)
class HungryOp:
    """The picture itself, for so many bytes a pixel of the squared area, all of them touched."""

    per_square: float
    limit: int = 512 * MIB
    """No more is ever taken: a test must not fill the machine if what it tests is broken."""

    def __call__(self, picture: Pixels, /) -> Pixels:
        area = picture.shape[-1] * picture.shape[-2]
        waste = np.ones(min(int(self.per_square * area**2), self.limit), np.uint8)
        return picture * np.float32(waste[-1])


HUNGRY = HungryOp(4.0)
"""64×64: 64 MiB; 96×96: 324; 90×200: over a gigabyte."""


def identity(picture: Pixels, /) -> Pixels:
    return picture


def _report(most: int | None = ROOM) -> ParityReport:
    return compare(HUNGRY, identity, CASES, 3, memory=MemoryLedger(local=False, max_memory=most))


def test_what_fits_is_compared_and_the_rest_is_said() -> None:
    report = _report()
    assert report, report.worst
    assert {(r.case.height, r.case.width) for r in report.results} == {*SIZES[:3]}
    assert {t.case for t in report.too_large} == {*CASES[6:]}
    assert report.reach == (64, 64)
    lines = str(report).splitlines()
    for size in ("96×96", "90×200", "512×512"):
        (line,) = [line for line in lines if size in line]
        assert line.startswith(f"not covered: 1×{size} (noise, photo): ")
        expect_shortage(line, ROOM)
    assert "not covered: sides over 64, batches over 1" in lines


def test_less_than_was_free_was_taken() -> None:
    """The system refused the rest: that is what would otherwise have been taken."""
    refused = [t for t in _report().too_large if t.case.height == 96]
    assert refused
    assert all(t.need >= t.free and t.free <= ROOM for t in refused)


def test_json_has_what_was_left_out() -> None:
    found = json.loads(json.dumps(_report().to_json(), allow_nan=False))
    assert len(found["too_large"]) == 6
    assert {"case", "need", "free", "forecast"} == {*found["too_large"][0]}
    assert "source" not in found["too_large"][0]["case"]
    assert sum("GB of memory" in gap for gap in found["uncovered"]) == 3


def test_a_network_that_fits_is_compared_as_ever() -> None:
    """The same cases in the same order, and the same report."""
    shuffled = [*reversed(CASES)]
    bounded = compare(identity, identity, shuffled, 3, memory=MemoryLedger(local=False))
    assert bounded == compare(identity, identity, shuffled, 3)
    assert bounded.reach is None
    assert [result.case for result in bounded.results] == shuffled


def test_nothing_that_fits_proves_nothing() -> None:
    report = compare(HUNGRY, identity, CASES[8:], 3, memory=MemoryLedger(True, ROOM))
    assert not report
    assert re.match(r"nothing was compared: more than 0\.\d GB", report.summary())


def test_memory_that_only_the_file_lacks_is_its_fault() -> None:
    """There are many times what the reference takes: the file asks for what is absurd."""
    asks = HungryOp(1e6, limit=1 << 50)
    memory = MemoryLedger(local=True, max_memory=ROOM)
    report = compare(identity, asks, CASES[2:4], 3, memory=memory)
    assert [result.passed for result in report.results] == [False, False]
    assert not report.too_large
    assert "the candidate fails: Unable to allocate" in report.summary()


def test_a_file_that_takes_somewhat_more_than_its_reference_is_not_at_fault() -> None:
    memory = MemoryLedger(local=False, max_memory=ROOM)
    file = HungryOp(24.0)  # 7×5: nothing; 64×64: 384 MiB, six times what the reference takes
    report = compare(HUNGRY, file, [*CASES[:2], *CASES[4:6]], 3, memory=memory)
    assert report, report.worst
    assert {t.case for t in report.too_large} == {*CASES[4:6]}


def _squaring_file() -> onnx.ModelProto:
    """The mean of each pixel's products with all pixels: memory grows with the area's square."""
    nodes = [
        helper.make_node("Reshape", ["input", "tall"], ["column"]),
        helper.make_node("Reshape", ["input", "wide"], ["row"]),
        helper.make_node("Mul", ["column", "row"], ["products"]),
        helper.make_node("ReduceMax", ["products"], ["peak"], keepdims=1),
        helper.make_node("Sub", ["peak", "peak"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "one"], ["zero"]),
        helper.make_node("Add", ["input", "zero"], ["output"]),
    ]
    shapes = {"tall": [3, -1, 1], "wide": [3, 1, -1], "one": [1, 1, 1, 1]}
    constants = [
        numpy_helper.from_array(np.array(shape, np.int64), name) for name, shape in shapes.items()
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, "h", "w"])
        for name in ("input", "output")
    ]
    graph = helper.make_graph(nodes, "squaring", ends[:1], ends[1:], constants)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def test_onnx_runtime_is_refused_memory_too_and_goes_on() -> None:
    """96×96 wants a gigabyte, which at twelve bytes a pixel of the squared area is refused."""
    file = Session(_squaring_file().SerializeToString(), threads=1)
    memory = MemoryLedger(local=False, max_memory=ROOM)
    reference = HungryOp(4.0, limit=96 * MIB)
    report = compare(reference, file, [*CASES[:2], *CASES[6:8]], 3, memory=memory)
    assert report, report.worst
    assert [r.case for r in report.results] == CASES[:2]
    assert [t.case for t in report.too_large] == CASES[6:8]
    assert compare(identity, file, CASES[:2], 3)


def test_a_float64_that_does_not_fit_leaves_the_case_open() -> None:
    """Without it nobody knows whether values that are not close are rounded, or wrong."""

    def off(picture: Pixels, /) -> Pixels:
        return picture + np.float32(1e-3)

    def exact(picture: Pixels, /) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return HungryOp(1e6)(picture).astype(np.float64)

    memory = MemoryLedger(local=True, max_memory=ROOM)
    report = compare(identity, off, CASES[2:3], 3, exact=exact, memory=memory)
    assert not report.results
    assert [t.case for t in report.too_large] == CASES[2:3]


def test_facts_are_not_proven_where_memory_is_short() -> None:
    judged = Judged(HUNGRY, replace(SPEC, halo=None), identity_file(), lambda: identity)
    memory = MemoryLedger(local=True, max_memory=ROOM)
    proven = {
        fact.name: fact
        for fact in prove_facts(judged, HUNGRY, CASES[8:10], Tolerance(), memory=memory)
    }
    assert proven["without optimisation"].verdict == "not proven"
    assert "GB of memory" in proven["without optimisation"].message
    empty = prove_facts(judged, HUNGRY, [], Tolerance(), memory=memory)
    assert {"without optimisation", "the same twice"} <= {
        fact.name for fact in empty if fact.verdict == "not proven"
    }


class HungryNet(nn.Module):
    """A convolution for small windows, in memory that grows with the square of the area."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        if not torch.jit.is_tracing():
            area = picture.shape[-1] * picture.shape[-2]
            torch.ones(min(4 * area**2, 512 * MIB), dtype=torch.uint8)
        return picture + 0.1 * self.conv(picture)


@pytest.mark.slow
def test_a_release_says_up_to_which_size_it_was_seen(tmp_path: Path) -> None:
    report = release(
        HungryNet().eval(),
        tmp_path / "file.onnx",
        spec=ModelSpec("hungry", 1, "rgb", "rgb"),
        exporter="trace",
        isolated=False,
        seed=1,
        max_memory=2 * ROOM,
    )
    assert report, report
    assert report.parity
    assert report.parity.reach
    assert report.summary().startswith("compared up to {}×{} alone: ".format(*report.parity.reach))
    assert {(512, 512), (224, 224)}.isdisjoint(
        (result.case.height, result.case.width) for result in report.parity.results
    )
    assert "not covered: 1×224×224 (noise, photo): " in str(report)


@pytest.mark.slow
def test_a_size_that_was_asked_for_fails_where_it_does_not_fit(tmp_path: Path) -> None:
    onnx.save(identity_file(), tmp_path / "file.onnx")

    class Same(HungryNet):
        def forward(self, picture: Tensor) -> Tensor:
            super().forward(picture)
            return picture

    reference = Checkpoint(Same().eval(), SPEC)
    report = verify(
        tmp_path / "file.onnx",
        reference,
        sizes=[(200, 200)],
        seed=1,
        max_memory=2 * ROOM,
        threads=1,
    )
    assert not report
    assert {(f.case.height, f.case.width) for f in report.failures} == {(200, 200)}
    assert ": it takes " in report.summary()
    expect_shortage(report.summary(), 2 * ROOM)
    assert report.too_large


def test_a_matrix_says_it_too() -> None:
    cell = CellResult(Cell("cpu", "fp32", "all"), condense(_report()))
    assert cell.outcome.verdict == "passed"
    none = condense(compare(HUNGRY, identity, CASES[8:], 3, memory=MemoryLedger(True, ROOM)))
    assert none.verdict == "not available"
    matrix = MatrixReport("a", "b", SPEC, 40.0, 12, 12, (cell,), (), (), ())
    lines = str(matrix).splitlines()
    assert sum(line.startswith("not covered everywhere: 1×") for line in lines) == 3
    assert len(matrix.to_json()["uncovered"]) == 3
