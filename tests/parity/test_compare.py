"""The numbers of a comparison, worked out by hand; and what the verdict is on broken networks."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from subpixel.errors import NetworkError
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.torch_op import TorchOp
from subpixel.parity.cases import Case, grid
from subpixel.parity.compare import (
    CaseResult,
    ParityReport,
    Tolerance,
    compare,
    tolerance_for,
)
from subpixel.runtime.op import NetOp, Pixels
from subpixel.spec import ModelSpec

SMALL = tuple(Case(batch, 7, 5, content) for batch in (1, 2) for content in ("noise", "photo"))
ZEROS = Case(1, 2, 5, "zeros")


def constant(*values: float) -> NetOp:
    """A network that gives these ten values, whatever it sees."""

    def op(pixels: Pixels, /) -> Pixels:
        return np.array(values, np.float32).reshape(pixels.shape)

    return op


def judged(reference: NetOp, candidate: NetOp, tolerance: Tolerance | None = None) -> CaseResult:
    (result,) = compare(reference, candidate, [ZEROS], 1, tolerance).results
    return result


def identity(pixels: Pixels, /) -> Pixels:
    return pixels


def test_the_numbers() -> None:
    # In code values: 51, 102, 0 (clipped), 255 (clipped), six times 127.5, which is rounded up.
    reference = constant(0.2, 0.4, -0.5, 1.5, *[0.5] * 6)
    candidate = constant(0.2, 0.4 + 2 / 255, -0.25, 1.5, *[0.5 - 1e-3] * 6)
    result = judged(reference, candidate)
    assert result.max_abs == pytest.approx(0.25)
    assert result.max_rel == pytest.approx(0.5)
    assert (result.max_codes, result.differing_codes, result.codes) == (2, 7, 10)
    square = ((2 / 255) ** 2 + 0.25**2 + 6 * 1e-6) / 10
    assert result.psnr == pytest.approx(-10 * math.log10(square), rel=1e-5)
    assert result.allclose is False
    assert not result.passed
    assert result.reason == "code values differ by up to 2; 1 is allowed"
    assert result.shape == result.candidate_shape == (1, 1, 2, 5)


def test_relative_errors_of_less_than_a_code_value_are_left_out() -> None:
    result = judged(constant(*[1e-4] * 9, 0.1), constant(*[2e-4] * 9, 0.1001))
    assert result.max_rel == pytest.approx(1e-3, rel=1e-3)


def test_equal_networks() -> None:
    report = compare(identity, identity, SMALL, 3)
    assert report
    assert [(r.max_abs, r.max_codes, r.psnr) for r in report.results] == [(0, 0, math.inf)] * 4


def test_a_difference_too_small_to_matter_passes() -> None:
    tiny = compare(identity, lambda pixels: pixels + np.float32(5e-6), SMALL, 1)
    assert tiny
    assert 0 < (tiny.worst.max_abs or 0) < 1e-5


def test_the_borders_of_the_tolerance() -> None:
    reference = constant(*[0.5] * 10)
    inside, outside = constant(*[0.5005] * 10), constant(*[0.5006] * 10)
    assert judged(reference, inside).passed
    result = judged(reference, outside)
    assert result.reason == "values differ by more than rtol 0.001, atol 1e-05"
    assert judged(reference, outside, Tolerance(rtol=1e-2)).passed
    assert judged(reference, outside, Tolerance(rtol=None)).allclose is None


def test_close_values_can_still_be_another_picture() -> None:
    wide = Tolerance(rtol=0.1, max_codes=1)
    result = judged(constant(*[0.5] * 10), constant(*[0.51] * 10), wide)
    assert result.allclose
    assert result.reason == "code values differ by up to 2; 1 is allowed"


def test_half_precision_is_judged_as_a_picture() -> None:
    half = tolerance_for("fp16")
    assert tolerance_for("fp32") == Tolerance(rtol=1e-3, atol=1e-5, max_codes=1, min_psnr=None)
    assert (half.rtol, half.max_codes, half.min_psnr) == (None, 1, 50.0)
    reference = constant(*[0.5] * 10)
    assert judged(reference, constant(*[0.502] * 10), half).passed
    assert judged(reference, constant(*[0.503] * 10), half).passed  # 50.5 dB
    result = judged(reference, constant(*[0.505] * 10), half)
    assert result.reason == "46.0 dB between the two; at least 50 dB is asked for"
    assert judged(constant(*[2.0] * 10), constant(*[2.01] * 10), half).passed  # both are white


def failing(pixels: Pixels, /) -> Pixels:
    raise NetworkError(f"no {pixels.shape[2]}\nrows here")


def test_a_network_that_fails_is_a_failed_case() -> None:
    result = judged(identity, failing)
    assert (result.passed, result.reason) == (False, "the candidate fails: no 2 rows here")
    assert result.max_abs is None
    assert judged(failing, identity).reason == "the reference fails: no 2 rows here"
    both = judged(failing, failing).reason
    assert both == "the reference fails: no 2 rows here; the candidate fails: no 2 rows here"


def test_another_shape_is_a_failed_case() -> None:
    result = judged(identity, lambda pixels: pixels.repeat(2, axis=2))
    assert (
        result.reason == "the candidate gives (1, 1, 4, 5) where the reference gives (1, 1, 2, 5)"
    )
    assert (result.shape, result.candidate_shape) == ((1, 1, 2, 5), (1, 1, 4, 5))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_never_pass(value: float) -> None:
    broken = constant(value, value, *[0.0] * 8)
    assert judged(identity, broken).reason == "2 of 10 values of the candidate are NaN or infinite"
    assert judged(broken, identity).reason == "2 of 10 values of the reference are NaN or infinite"
    assert not judged(broken, broken).passed


def test_no_cases_prove_nothing() -> None:
    assert not compare(identity, identity, [], 1)


def test_the_worst_is_a_failure_first() -> None:
    def sometimes(pixels: Pixels, /) -> Pixels:
        if pixels.shape[0] == 2:
            raise NetworkError("no batches")
        return pixels + np.float32(1e-6)

    report = compare(identity, sometimes, SMALL, 1)
    assert not report
    assert report.worst.case.batch == 2
    assert [result.case.batch for result in report.failures] == [2, 2]


def test_the_summary_is_one_line() -> None:
    tiny = compare(constant(*[0.5] * 10), constant(*[0.5 + 2**-12] * 10), [ZEROS], 1)
    assert tiny.summary() == (
        "the one case is the same: at most 2.4e-04 and 0 code value(s) apart, at least 72.2 dB"
    )
    assert compare(identity, failing, SMALL, 1).summary() == (
        "4 of 4 cases fail; the worst, noise 1×7×5: the candidate fails: no 7 rows here"
    )
    assert compare(identity, identity, SMALL, 1).summary().endswith("0 code value(s) apart")
    assert compare(identity, identity, [], 1).summary() == "nothing was compared"


def test_what_differs_no_more_than_was_asked_is_not_said_to_be_the_same() -> None:
    black, grey = constant(*[0.0] * 10), constant(*[0.9] * 10)
    report = compare(black, grey, [ZEROS], 1, Tolerance(rtol=None, max_codes=255))
    assert report
    assert report.summary().startswith("the one case is within what was asked: at most 9.0e-01 and")
    near = compare(black, constant(*[0.003] * 10), [ZEROS], 1, Tolerance(rtol=None, max_codes=255))
    assert near.summary().startswith("the one case is the same: at most 3.0e-03 and 1 code")


def test_empty_outputs_prove_nothing() -> None:
    result = judged(lambda pixels: pixels[:0], lambda pixels: pixels[:0])
    assert (result.passed, result.reason) == (False, "both give nothing: (0, 1, 2, 5)")


def test_the_report_is_json() -> None:
    names = ("net.pth", "net.onnx")
    report = compare(identity, failing, SMALL, 1, names=names, provider="CPUExecutionProvider")
    equal = compare(identity, identity, SMALL[:1], 1)
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert (found["reference"], found["candidate"]) == names
    assert found["provider"] == "CPUExecutionProvider"
    assert found["passed"] is False
    assert found["tolerance"] == {"rtol": 1e-3, "atol": 1e-5, "max_codes": 1, "min_psnr": None}
    case = {"batch": 1, "height": 7, "width": 5, "content": "noise", "seed": 0}
    assert found["results"][0]["case"] == case
    assert found["uncovered"] == ["sides over 7, batches over 2"]
    assert (found["facts"], found["left_out"], found["seed"]) == ([], [], None)
    assert equal.to_json()["results"][0]["psnr"] == "inf"
    assert equal.results[0].psnr == math.inf


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(1)
    return PlainNet(2, channels=4, depth=1).eval()


def verdict(net: nn.Module, candidate: NetOp) -> ParityReport:
    spec = ModelSpec("net", 2, "luma", "luma")
    cases = [case for case in grid(spec).cases if case.height * case.width < 4000]
    return compare(TorchOp(net), candidate, cases, 1)


def test_one_weight_changed_by_one_percent_is_found(net: nn.Module) -> None:
    assert verdict(net, TorchOp(net))
    changed = PlainNet(2, channels=4, depth=1).eval()
    changed.load_state_dict(net.state_dict())
    with torch.no_grad():
        weights = changed.last.weight.view(-1)
        weights[weights.abs().argmax()] *= 1.01
    assert not verdict(net, TorchOp(changed))


def test_the_wrong_scale_is_found(net: nn.Module) -> None:
    report = verdict(net, TorchOp(PlainNet(3, channels=4, depth=1).eval()))
    assert len(report.failures) == len(report.results)
    assert "(1, 1, 3, 3) where the reference gives (1, 1, 2, 2)" in str(report.results[0].reason)


def test_pictures_of_a_batch_mixed_up_are_found(net: nn.Module) -> None:
    report = verdict(net, lambda pixels: TorchOp(net)(pixels)[::-1])
    several = {result.case.batch for result in report.results} - {1}
    assert 3 in several
    assert {result.case.batch for result in report.failures} == several


def test_results_may_differ_by_the_rounding_of_the_reference_itself() -> None:
    """But by no more than a few times that, and one code value."""

    def judged(noise: float, difference: float) -> CaseResult:
        report = compare(
            lambda pixels: pixels + np.float32(noise),
            lambda pixels: pixels + np.float32(noise + difference),
            [Case(1, 7, 5, "photo")],
            1,
            exact=lambda pixels: pixels.astype(np.float64),
        )
        return report.results[0]

    assert judged(0.0, 1e-3).noise == 0
    assert not judged(0.0, 1.4e-3).passed
    within = judged(2e-4, 1.4e-3)
    assert within.passed
    assert within.noise == pytest.approx(2e-4, rel=1e-2)
    assert within.allclose is False
    assert not judged(2e-4, 2.9e-3).passed
    assert judged(1e-2, 3.5e-3).passed
    assert not judged(1e-2, 5e-3).passed
    assert judged(2e-4, 1e-6).noise is None, "nobody asked"
