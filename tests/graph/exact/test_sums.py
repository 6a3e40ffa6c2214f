"""The ways in which runtimes add codes: on our networks they agree."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from subpixel.graph.exact.sums import SUMS, Term
from subpixel.zoo.manifest import INT8, BundledNetwork, read_manifest

NETWORKS = [row for row in read_manifest() if row.name.endswith(INT8)]
PAIRS = np.mgrid[:256, :256].astype(np.int64)


def sums_of(model: onnx.ModelProto) -> list[tuple[np.ndarray, ...]]:
    """Of every sum of codes in the graph: step and zero point of both terms and the result."""
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    takers = {name: node for node in model.graph.node for name in node.input}
    nodes = [n for n in model.graph.node if n.op_type == "Add" and n.output[0] in takers]
    nodes = [n for n in nodes if takers[n.output[0]].op_type == "QuantizeLinear"]
    return [
        tuple(
            values[name]
            for node in (*(makers[source] for source in add.input), takers[add.output[0]])
            for name in node.input[1:]
        )
        for add in nodes
    ]


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: Path(row.file).stem)
def test_no_pair_of_codes_is_added_differently(row: BundledNetwork) -> None:
    """By the three ways, in all 65 536 pairs of a bundled network's sum."""
    for *terms, step, zero in sums_of(onnx.load(row.path)):
        first, second = (
            Term(PAIRS[place] - int(terms[2 * place + 1]), np.float32(terms[2 * place]))
            for place in (0, 1)
        )
        results = [
            np.clip(add(first, second, np.float32(step)) + int(zero), 0, 255)
            for add in SUMS.values()
        ]
        assert np.ptp(results, axis=0).max() == 0


def test_equal_steps_add_as_whole_numbers() -> None:
    step = np.float32(0.1)
    first, second = Term(PAIRS[0] - 128, step), Term(PAIRS[1], step)
    for add in SUMS.values():
        assert np.array_equal(add(first, second, step), PAIRS[0] - 128 + PAIRS[1])


def test_fixed_point_rounds_half_away_from_zero() -> None:
    halves = Term(np.array([-3, -1, 1, 3]), np.float32(1))
    nothing = Term(np.zeros(4, np.int64), np.float32(1))
    step = np.float32(2)
    assert SUMS["fixed-point"](halves, nothing, step).tolist() == [-2, -1, 1, 2]
    assert SUMS["onnx"](halves, nothing, step).tolist() == [-2, 0, 0, 2]
