"""A fixed part of the search for false alarms: ``python benchmarks/honest_campaign.py`` is the
whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from fault_campaign import save_weights, verified
from faults.generator import is_valid
from faults.hosts import RECIPES, host
from honest.claims import CLAIMS
from honest.draw import draw
from honest.rewritings import SAME, WRITINGS
from honest_campaign import difference, judged, told

from subpixel.graph.metadata import read_spec

SEED = 1


def expect_silence(index: int) -> None:
    row = judged(SEED, index)
    assert row.alarm is None, told(row)


@pytest.mark.sample(every=11, slow=3)
@pytest.mark.parametrize("index", range(20))
def test_no_false_alarm(index: int) -> None:
    expect_silence(index)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.checkpoint])
def test_a_host_equals_its_own_weights(name: str, tmp_path: Path) -> None:
    """Else whatever is held to them would count as caught."""
    whole = host(name)
    onnx.save(whole.model, tmp_path / "net.onnx")
    weights = save_weights(whole.module.state_dict(), tmp_path / "net.pth")
    caught, verdict = verified(tmp_path / "net.onnx", weights)
    assert not caught, verdict


@pytest.mark.slow
def test_a_file_that_claims_no_halo_is_held_to_none(tmp_path: Path) -> None:
    """The graph's geometry alone gives one, which holds at even sizes only."""
    whole = host("nested")
    assert whole.spec.halo is None
    onnx.save(whole.model, tmp_path / "net.onnx")
    caught, verdict = verified(tmp_path / "net.onnx", tmp_path / "net.onnx")
    assert not caught, verdict


def test_the_same_seed_gives_the_same_file() -> None:
    first, again = draw(SEED, 0), draw(SEED, 0)
    assert first.name == again.name
    assert first.candidate == again.candidate


QUICK = ("padded and cut", "same whatever the size")
REST = (*(name for name in SAME if name not in QUICK), "shapes written", "left over")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in REST)])
def test_a_rewriting_changes_the_graph_and_no_picture(name: str) -> None:
    """The oracle of the faulty files, whole pictures and tiles; it knows nothing of verify."""
    drawn, model = draw(SEED, 0), host("espcn").model
    rewritten = WRITINGS[name](model, np.random.default_rng(3))
    assert rewritten is not None
    assert is_valid(rewritten)
    assert rewritten.graph != model.graph
    assert difference(replace(drawn, original=model, candidate=rewritten)) is None


@pytest.mark.parametrize("name", [name for name in CLAIMS if name != "as exported"])
def test_a_claim_changes_the_facts_and_no_node(name: str) -> None:
    model = host("unshuffled, bare").model
    claimed = CLAIMS[name](model, np.random.default_rng(3))
    assert claimed is not None
    assert read_spec(claimed) != read_spec(model)
    assert list(claimed.graph.node) == list(model.graph.node)


def test_the_oracle_says_so_where_a_file_is_not_honest() -> None:
    honest = draw(SEED, 0)
    wrong = host("espcn").model
    other = onnx.ModelProto()
    other.CopyFrom(wrong)
    next(node for node in other.graph.node if node.op_type == "Tanh").op_type = "Sigmoid"
    assert difference(replace(honest, original=wrong, candidate=other)) is not None
