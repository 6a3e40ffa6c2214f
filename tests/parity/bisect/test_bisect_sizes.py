"""Faults in networks that reckon sizes: the node named is right, or none is named.

A cut in such a graph hands sizes over. Where a part doesn't run by itself, that says nothing of
the fault, and must not lead to it.
"""

import runpy
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from faults.mutants import FAULTS, Mutant
from faults.patient import session
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_fault_injection import disguised, shows

from sized import SIZED, sized_network
from specimens import SHARED
from subpixel.errors import NetworkError
from subpixel.graph.execute import Engine, runtime_engine
from subpixel.graph.flow import TensorValues, flow
from subpixel.nets.factory import load_factory
from subpixel.parity.bisect.alignment.align import align
from subpixel.parity.bisect.bisect import bisect
from subpixel.parity.bisect.locate import SpliceTrial
from subpixel.parity.bisect.origin import ONLY_HERE
from subpixel.parity.bisect.splice import Splice
from subpixel.parity.cases import Case, pixels
from subpixel.parity.compare import Tolerance

QUICK = "hourglass"
SEEDS = (1, 2, 3)
LEAST_RIGHT = 0.95


def pictures() -> Iterator[NDArray[np.float32]]:
    random = np.random.default_rng(7)
    for shape in ((1, 3, 48, 72), (1, 3, 8, 16), (2, 3, 32, 24)):
        yield random.random(shape, np.float32)


def visible_faults(model: onnx.ModelProto, *seeds: int) -> Iterator[Mutant]:
    """One of each kind and place that changes a picture, each made once."""
    good, seen = session(model), set()
    for seed in seeds:
        for fault in FAULTS.values():
            mutant = fault(model, np.random.default_rng(seed))
            key = mutant and mutant.model.SerializeToString(deterministic=True)
            if mutant and key not in seen and shows(good, mutant.model, pictures()):
                yield mutant
            seen.add(key)


def loads(model: onnx.ModelProto) -> bool:
    try:
        session(model)
    except Exception:  # ONNX Runtime's exceptions share no base of their own
        return False
    return True


def verdict(mutant: Mutant, folder: Path) -> str:
    """right, unsure (no node is named), refused or wrong."""
    onnx.save(mutant.model, folder / "bad.onnx")
    try:
        blame = bisect(folder / "bad.onnx", folder / "good.onnx")
    except NetworkError:
        return "wrong" if loads(mutant.model) else "refused"
    if blame.node is None:
        return "unsure"
    return "right" if blame.node in mutant.nodes else "wrong"


def expect_right(name: str, mutants: Iterable[Mutant], folder: Path) -> int:
    """No wrong answer, and few that are unsure, whatever the names and the order of the nodes; how
    many files could be judged."""
    onnx.save(sized_network(name), folder / "good.onnx")
    table: Counter[tuple[str, str]] = Counter()
    for mutant in mutants:
        for file in (mutant, disguised(mutant)):
            table[verdict(file, folder), mutant.kind] += 1
    counts: Counter[str] = Counter()
    for (answer, _), number in table.items():
        counts[answer] += number
    missed = {key: number for key, number in table.items() if key[0] != "right"}
    assert not counts["wrong"], (counts, missed)
    judged = counts.total() - counts["refused"]
    assert counts["right"] >= LEAST_RIGHT * judged, (counts, missed)
    return judged


@pytest.mark.campaign
@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED)
def test_the_node_named_is_right(name: str, tmp_path: Path) -> None:
    judged = expect_right(name, visible_faults(sized_network(name), *SEEDS), tmp_path)
    assert judged >= 20, "the network hides faults: its picture must react to them"


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED)
def test_the_node_named_is_right_in_a_few(name: str, tmp_path: Path) -> None:
    few = list(visible_faults(sized_network(name), 4))[::4]
    assert expect_right(name, few, tmp_path) >= 4


@pytest.mark.parametrize("name", [QUICK, pytest.param("safmn", marks=pytest.mark.slow)])
def test_every_cut_runs(name: str) -> None:
    """A right graph, cut anywhere, gives its own picture."""
    graph, engine = flow(sized_network(name)), runtime_engine()
    case = Case(1, 16, 24, "noise")
    splice = Splice(align(graph, graph), engine, engine, pixels(case, 3))
    trial = SpliceTrial(splice, case, Tolerance())
    results = [trial.push(cut) for cut in range(len(splice.cuts))]
    assert len(results) > 10
    assert all(results), "none is unknown"
    assert all(result.passed for result in results if result)


def refusing(names: frozenset[str]) -> Engine:
    """ONNX Runtime that can't load a part which one of these values goes into."""
    engine = runtime_engine()

    def run(model: onnx.ModelProto, feeds: TensorValues, /) -> TensorValues:
        if not names.isdisjoint(feeds):
            raise NetworkError("it can't be loaded")
        return engine(model, feeds)

    return run


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_cuts_that_do_not_run_are_no_evidence(data: st.DataObject) -> None:
    """The fault lies in the part that is found, and no cut in that part could be judged."""
    graph = flow(sized_network(QUICK))
    layers = [node.name for node in graph.nodes if node.op_type == "Conv"]
    wrong = data.draw(st.sampled_from(layers))
    values = [name for node in graph.nodes for name in node.output]
    refused = frozenset(data.draw(st.sets(st.sampled_from(values))))
    model = onnx.ModelProto()
    model.CopyFrom(sized_network(QUICK))
    del next(node for node in model.graph.node if node.name == wrong).input[2]
    bad = flow(model)
    case = Case(1, 12, 9, "noise")
    splice = Splice(align(bad, graph), refusing(refused), refusing(refused), pixels(case, 3))
    (part,) = SpliceTrial(splice, case, Tolerance()).parts(lambda *_: None)
    at = next(i for i, node in enumerate(bad.nodes) if node.name == wrong)
    assert part.before.nodes <= at < part.after.nodes
    between = [cut for cut in splice.cuts if part.before.nodes < cut.nodes < part.after.nodes]
    assert all(not refused.isdisjoint(cut.values) for cut in between)
    assert part.alone is None or not part.alone.passed
    assert part.mended in (None, True)


def test_a_bias_that_was_edited(tmp_path: Path) -> None:
    """Its neighbour was named, as long as the cut beside it failed to load."""
    model: Any = onnx.ModelProto()
    model.CopyFrom(sized_network(QUICK))
    node = next(node for node in model.graph.node if node.name == "middle/Conv")
    tensor = next(each for each in model.graph.initializer if each.name == node.input[2])
    tensor.CopyFrom(
        onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) + 0.5, tensor.name)
    )
    onnx.save(model, tmp_path / "bad.onnx")
    onnx.save(sized_network(QUICK), tmp_path / "good.onnx")
    blame = bisect(tmp_path / "bad.onnx", tmp_path / "good.onnx")
    assert (blame.stage, blame.node, blame.mended) == ("graph", "middle/Conv", True), blame


@pytest.mark.slow
def test_a_shared_network_with_an_edited_bias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another network's export and the script that edits it; also against its code."""
    cases = SHARED.parent / "cases" / "networks"
    files = [cases / name for name in ("u.py", "u.onnx", "break_m.py")]
    if not all(file.is_file() for file in files):
        pytest.skip("needs cases/networks of the folder ../shared beside the repository")
    for file in files:
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("break_m.py")
    blame = bisect("bad.onnx", "u.onnx")
    assert (blame.stage, blame.node) == ("graph", "m/Conv"), blame
    assert ONLY_HERE in blame.evidence
    blame = bisect("bad.onnx", load_factory("u:net"))
    assert (blame.stage, blame.node) == ("change after export", "m/Conv"), blame
