"""Sums of codes that processors add differently: all of them are found, by bit-exact kernels.

``processor_sums`` computes as each of ONNX Runtime's kernels does; the kernel of the processor that
runs this test is compared with it here, those of ARM and WebAssembly in ``tests/platforms``.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor_sums import KERNELS, PAIRS, draw_sum, sum_network
from subpixel.graph.exact.ties import CodeSum, clear_step, find_close_pairs, list_code_sums
from subpixel.graph.int8.qdq import QuantGrid
from subpixel.zoo.manifest import INT8, BundledNetwork, read_manifest

NETWORKS = [row for row in read_manifest() if row.name.endswith(INT8)]
SEEDS = st.integers(0, 2**32 - 1)


def results(sum_: CodeSum) -> np.ndarray:
    """``(kernels, 256, 256)``."""
    return np.stack([kernel(*PAIRS, sum_) for kernel in KERNELS.values()])


def nearest(sum_: CodeSum) -> np.ndarray:
    """The codes nearest to the exact sums, in rational numbers."""
    first, second, step = (Fraction(grid.step) for grid in (sum_.first, sum_.second, sum_.result))
    common = 1 << 200  # all three are float32 numbers: whole multiples of 2**-150 or so
    by_first, by_second = (int(ratio / step * common) for ratio in (first, second))
    codes = np.arange(256).astype(object)
    terms = (codes - sum_.first.zero) * by_first, (codes - sum_.second.zero) * by_second
    whole = (terms[0][PAIRS[0]] + terms[1][PAIRS[1]] + common // 2) // common + sum_.result.zero
    return np.clip(whole, 0, 255).astype(int)


@settings(max_examples=25)
@given(SEEDS)
def test_this_processor_adds_as_one_of_the_kernels(seed: int) -> None:
    sum_ = draw_sum(np.random.default_rng(seed))
    session = onnxruntime.InferenceSession(
        sum_network(sum_).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    terms = [codes.reshape(1, 256, 256, 1) for codes in PAIRS]
    (result,) = session.run(None, {"first": terms[0], "second": terms[1]})
    assert any(np.array_equal(result[0, :, :, 0], kernel) for kernel in results(sum_))


@settings(max_examples=60)
@given(SEEDS)
def test_where_kernels_differ_the_pair_is_close(seed: int) -> None:
    sum_ = draw_sum(np.random.default_rng(seed))
    differ = np.ptp(results(sum_), axis=0) > 0
    assert not (differ & ~find_close_pairs(sum_)).any()


def expect_nearest(sum_: CodeSum) -> None:
    """All kernels give the nearest code where no pair is close."""
    alike, exact = ~find_close_pairs(sum_), nearest(sum_)
    for result in results(sum_):
        assert np.array_equal(result[alike], exact[alike])


@settings(max_examples=3, deadline=None)
@given(SEEDS)
def test_where_no_pair_is_close_all_kernels_give_the_nearest_code(seed: int) -> None:
    expect_nearest(draw_sum(np.random.default_rng(seed)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_many_sums_against_rational_numbers(seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(20):
        expect_nearest(draw_sum(random))


def test_close_pairs_are_few() -> None:
    """Or the bound would say nothing: in 30 random sums, about one pair in 10 000."""
    random = np.random.default_rng(0)
    shares = [find_close_pairs(draw_sum(random)).mean() for _ in range(30)]
    assert np.mean(shares) < 2e-4


def test_halves_are_close() -> None:
    half = CodeSum(QuantGrid(0.5), QuantGrid(0.5), QuantGrid(1.0))
    odd = (PAIRS.astype(int).sum(axis=0) % 2).astype(bool)
    assert np.array_equal(find_close_pairs(half), odd)
    assert np.ptp(results(half), axis=0)[odd].any()


def test_equal_steps_are_never_close() -> None:
    grid = QuantGrid(0.3)
    assert not find_close_pairs(CodeSum(grid, QuantGrid(0.3, 20), QuantGrid(0.3, 7))).any()


def test_steps_beyond_fixed_point() -> None:
    """ARM's kernel then goes operator by operator."""
    far = CodeSum(QuantGrid(300.0, 3), QuantGrid(0.3, 128), QuantGrid(1.0, 127))
    differ = np.ptp(results(far), axis=0) > 0
    assert not (differ & ~find_close_pairs(far)).any()


@pytest.mark.parametrize("zeros", [(0, 0, 0), (3, 128, 100)])
def test_the_first_clear_step_is_taken(zeros: tuple[int, int, int]) -> None:
    grids = [QuantGrid(step, zero) for step, zero in zip((0.5, 0.5, 1.0), zeros, strict=True)]
    sum_ = CodeSum(*grids)
    steps = [np.float32(1 + stray * 2**-23) for stray in range(8000)]
    step = clear_step(sum_, steps)
    assert step is not None
    cleared = CodeSum(grids[0], grids[1], QuantGrid(float(step), zeros[2]))
    assert not find_close_pairs(cleared).any()
    assert not np.ptp(results(cleared), axis=0).any()
    earlier = steps[steps.index(step) - 1]
    assert find_close_pairs(CodeSum(grids[0], grids[1], QuantGrid(float(earlier), zeros[2]))).any()
    assert clear_step(sum_, steps[:1]) is None


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: Path(row.file).stem)
def test_every_processor_adds_all_pairs_of_a_bundled_network_alike(row: BundledNetwork) -> None:
    for sum_ in list_code_sums(onnx.load(row.path)):
        assert not find_close_pairs(sum_).any()
        assert not np.ptp(results(sum_), axis=0).any()


def test_what_is_no_sum_of_codes_is_left_out() -> None:
    sum_ = CodeSum(QuantGrid(0.5, 1), QuantGrid(0.25, 2), QuantGrid(1.0, 3), "result")
    model = sum_network(sum_)
    assert list_code_sums(model) == [sum_]
    for node in model.graph.node:
        if node.op_type == "Add":
            node.input[1] = node.input[0]
    assert list_code_sums(model) == [CodeSum(sum_.first, sum_.first, sum_.result, "result")]
    for node in model.graph.node:
        if node.op_type == "Add":
            node.op_type = "Mul"
    assert list_code_sums(model) == []
