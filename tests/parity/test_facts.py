"""What a file claims is proven by running it; what it only claims is found out."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from faults.hosts import host
from onnx import helper, numpy_helper

from graphs import Graph
from graphs_of_facts import identity_file, sharpening_file
from subpixel.errors import NetworkError
from subpixel.graph.exact.ties import list_code_sums
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.passes.pad import with_padding
from subpixel.parity.cases import grid
from subpixel.parity.compare import Fact, tolerance_for
from subpixel.parity.facts import Judged, prove_facts
from subpixel.runtime.op import NetOp
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec
from subpixel.zoo.manifest import find_bundled

SPEC = ModelSpec("sharp", 1, "rgb", "rgb", halo=2)


def facts(
    model: onnx.ModelProto, spec: ModelSpec, reference: onnx.ModelProto | None = None
) -> dict[str, Fact]:
    def unoptimised() -> NetOp:
        return Session(model.SerializeToString(), optimisation="none", threads=1)

    judged = Judged(Session(model.SerializeToString(), threads=1), spec, model, unoptimised)
    truth = Session((reference or model).SerializeToString(), threads=1)
    cases = [case for case in grid(spec).cases if case.pixels <= 51 * 67]
    proven = prove_facts(judged, truth, cases, tolerance_for(spec.precision))
    return {fact.name: fact for fact in proven}


def verdicts(proven: dict[str, Fact]) -> dict[str, str]:
    return {name: fact.verdict for name, fact in proven.items()}


def test_an_honest_file_is_proven_in_everything() -> None:
    assert set(verdicts(facts(sharpening_file(), SPEC)).values()) == {"proven"}


@pytest.mark.parametrize("halo", [0, 1])
def test_a_halo_too_small_is_wrong_by_the_graph_and_by_the_tiles(halo: int) -> None:
    proven = facts(sharpening_file(), replace(SPEC, halo=halo))
    assert proven["halo"].verdict == proven["tiles"].verdict == "wrong"
    assert f"the file says {halo}; its graph reaches 2" in proven["halo"].message


@pytest.mark.parametrize("claim", [{"scale": 2}, {"interface": "luma", "colour": "luma"}])
def test_another_scale_or_number_of_channels_is_wrong(claim: dict[str, Any]) -> None:
    assert facts(sharpening_file(), replace(SPEC, **claim))["sizes and scale"].verdict == "wrong"


def test_floats_that_claim_to_be_code_values_are_wrong() -> None:
    proven = facts(sharpening_file(), replace(SPEC, samples="uint8"))
    assert proven["input and output"].verdict == "wrong"


@pytest.mark.parametrize("claim", [{"pads": True, "size_multiple": 2}, {}])
def test_sizes_that_a_file_says_it_takes_are_tried(claim: dict[str, Any]) -> None:
    """It takes even sizes alone, and does not pad."""
    nodes = [
        helper.make_node("SpaceToDepth", ["input"], ["coarse"], blocksize=2),
        helper.make_node("DepthToSpace", ["coarse"], ["output"], blocksize=2),
    ]
    spec = ModelSpec("even", 1, "rgb", "rgb")
    even = replace(spec, size_multiple=2)
    assert facts(identity_file(nodes), even)["sizes and scale"].verdict == "proven"
    wrong = facts(identity_file(nodes), replace(spec, **claim), identity_file())
    assert wrong["sizes and scale"].verdict == "wrong"


@pytest.mark.slow
def test_a_halo_that_holds_at_even_sizes_alone_is_not_proven_by_the_graph() -> None:
    """The graph of a U-Net reaches 7 px there; at odd sizes tiles show that it is more."""
    whole = host("nested")
    proven = verdicts(facts(whole.model, replace(whole.spec, halo=7)))
    assert (proven["halo"], proven["tiles"]) == ("not proven", "wrong")
    even = verdicts(facts(whole.model, replace(whole.spec, halo=7, size_multiple=2)))
    assert (even["halo"], even["tiles"]) == ("proven", "proven")


def test_no_halo_is_no_claim() -> None:
    proven = verdicts(facts(sharpening_file(), replace(SPEC, halo=None)))
    assert proven["halo"] == proven["tiles"] == "not proven"


def test_dropout_left_in_training_mode_shows_without_optimisation() -> None:
    """Optimised, ONNX Runtime takes it out."""
    model = identity_file(
        [helper.make_node("Dropout", ["input", "ratio", "training"], ["output"], seed=1)],
        ratio=np.float32(0.3),
        training=np.bool_(True),
    )
    spec = replace(SPEC, halo=0)
    proven = facts(model, spec, reference=identity_file())
    assert proven["without optimisation"].verdict == "wrong"


def test_a_file_that_differs_alike_without_optimisation_is_no_fault_of_the_optimiser() -> None:
    proven = facts(sharpening_file(), SPEC, reference=identity_file())
    fact = proven["without optimisation"]
    assert fact.verdict == "proven"
    assert fact.message.startswith("it differs from the reference in the same way with optimis")


def test_a_file_that_differs_otherwise_without_optimisation_is_wrong() -> None:
    """Against a reference that it equals in neither way."""
    model = identity_file(
        [helper.make_node("Dropout", ["input", "ratio", "training"], ["output"], seed=1)],
        ratio=np.float32(0.3),
        training=np.bool_(True),
    )
    proven = facts(model, replace(SPEC, halo=0), reference=sharpening_file())
    assert proven["without optimisation"].verdict == "wrong"


def test_a_file_that_gives_no_picture_is_not_said_to_differ_from_itself() -> None:
    nodes = [
        helper.make_node("Sub", ["input", "two"], ["below"]),
        helper.make_node("Sqrt", ["below"], ["output"]),
    ]
    proven = facts(identity_file(nodes, two=np.float32(2)), replace(SPEC, halo=0), identity_file())
    assert (
        proven["without optimisation"].verdict == proven["the same twice"].verdict == ("not proven")
    )
    assert proven["tiles"].verdict == "wrong"
    for name in ("tiles", "the same twice"):
        assert proven[name].message == (
            "the file gives no picture to compare: its values are NaN or infinite"
        )


def test_randomness_shows_in_repetition() -> None:
    nodes = [
        helper.make_node("RandomUniformLike", ["input"], ["noise"]),
        helper.make_node("Mul", ["noise", "little"], ["small"]),
        helper.make_node("Add", ["input", "small"], ["output"]),
    ]
    model = identity_file(nodes, little=np.float32(1e-6))
    assert facts(model, replace(SPEC, halo=0))["the same twice"].verdict == "wrong"


def test_float16_that_overflows_on_the_way_is_wrong() -> None:
    nodes = [
        helper.make_node("Mul", ["input", "large"], ["a"]),
        helper.make_node("Mul", ["a", "large"], ["b"]),
        helper.make_node("Mul", ["b", "small"], ["output"]),
    ]
    model = to_fp16(identity_file(nodes, large=np.float32(300), small=np.float32(1 / 90000)))
    proven = facts(model, replace(SPEC, halo=0, precision="fp16"), reference=identity_file())
    assert proven["range of float16"].verdict == "wrong"
    honest = to_fp16(sharpening_file())
    assert set(verdicts(facts(honest, replace(SPEC, precision="fp16"))).values()) == {"proven"}


def test_a_file_that_runs_optimised_alone_is_wrong() -> None:
    def refuse() -> NetOp:
        raise NetworkError("it does not load")

    model = sharpening_file()
    judged = Judged(Session(model.SerializeToString()), SPEC, model, refuse)
    with pytest.raises(NetworkError):
        refuse()
    proven = prove_facts(judged, judged.op, grid(SPEC).cases[:1], tolerance_for("fp32"))
    assert next(f for f in proven if f.name == "without optimisation").verdict == "wrong"


def test_a_runtime_that_always_optimises_proves_nothing_of_that() -> None:
    model = sharpening_file()
    judged = Judged(Session(model.SerializeToString()), SPEC, model, None)
    proven = prove_facts(judged, judged.op, grid(SPEC).cases[:1], tolerance_for("fp32"))
    assert next(f for f in proven if f.name == "without optimisation").verdict == "not proven"
    assert numpy_helper.to_array(model.graph.initializer[0]).shape == (3, 3, 5, 5)


def test_sums_of_codes_are_proven_for_every_processor() -> None:
    spec = ModelSpec("eight", 2, "luma", "rgb", halo=7, precision="int8", samples="uint8")
    model = onnx.load(find_bundled("fast-int8", 2).path)
    fact = facts(model, spec)["sums of codes"]
    assert fact.verdict == "proven"
    assert "on every processor alike" in fact.message


def test_a_network_of_integers_without_sums_has_none() -> None:
    spec = ModelSpec("eight", 2, "luma", "rgb", halo=8, precision="int8", samples="uint8")
    model = onnx.load(find_bundled("espcn-int8", 2).path)
    fact = facts(model, spec)["sums of codes"]
    assert fact.verdict == "proven"
    assert fact.message.startswith("none")


def test_sums_near_the_middle_between_codes_are_reported() -> None:
    """Of two terms in half steps of the result: every odd sum of codes."""
    spec = ModelSpec("eight", 2, "luma", "rgb", halo=7, precision="int8", samples="uint8")
    model = onnx.load(find_bundled("fast-int8", 2).path)
    (sum_,) = list_code_sums(model)
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and sum_.name in node.name:
            node.input[1] = "twice" if sum_.name == node.output[0] else "once"
    for name, step in (("once", 0.01), ("twice", 0.02)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(step, np.float32), name))
    fact = facts(model, spec)["sums of codes"]
    assert fact.verdict == "not proven"
    assert f"32768 at {sum_.name}; quantize it again" in fact.message


def test_padding_inside_the_graph_hides_no_halo() -> None:
    """A network at half the resolution: its file takes any size, by padding."""
    graph = Graph(channels=12)
    low = graph.node("SpaceToDepth", "input", blocksize=2)
    result = graph.node("DepthToSpace", graph.conv(low, 12, pads=[1] * 4), blocksize=2)
    spec = ModelSpec("half", 1, "rgb", "rgb", halo=3, size_multiple=2, pads=True)
    model = with_padding(graph.model(result, channels=3, into=3), spec)
    proven = verdicts(facts(model, spec))
    assert (proven["halo"], proven["tiles"]) == ("proven", "proven")
    short = facts(model, replace(spec, halo=1))
    assert short["halo"].verdict == "wrong"
    assert "the file says 1; its graph reaches 3" in short["halo"].message
