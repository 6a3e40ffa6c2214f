"""Two networks on the same pictures: how far apart, in numbers and in pictures' units."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import NetworkError, one_line
from subpixel.imaging.metrics import json_psnr, psnr_of
from subpixel.parity.cases import Case, pixels
from subpixel.parity.discriminating_sizes import Size
from subpixel.parity.memory.ledger import CaseMemory, MemoryLedger, TooLarge, describe_too_large
from subpixel.runtime.op import NetOp, Pixels
from subpixel.spec import Precision

OnProgress = Callable[[str, int, int], None]
"""Gets what is being done, how many are done, and their total."""

NOISE_FACTOR = 8.0
"""How many times the reference's own rounding noise two results may lie apart: each has such
noise, and its extremes are rare."""

SUMMATION = 1e-4
"""What adding up a large picture in another order may do in float32 (RCAN's means over 224×224
pixels differ by 2e-5 between PyTorch and ONNX Runtime): a fortieth of a code value. The bound is
one rounding, 2**-24, per pixel, so small pictures are judged as strictly as ever."""

Exact = Callable[[Pixels], NDArray[np.float64]]
"""The reference in float64."""

WITHIN = "within what was asked"
"""What is said of pictures that differ, by no more than was asked for."""

CODES = 255
"""The code values of an 8-bit picture run from 0 to here."""


@dataclass(frozen=True)
class Tolerance:
    """What still counts as the same.

    ``rtol`` and ``atol`` are those of ``numpy.allclose``: |candidate - reference| may be at most
    ``atol + rtol * |reference|``. The defaults are the reference pipeline's, plus "the same
    picture": no 8-bit code value may differ by more than ``max_codes``.
    """

    rtol: float | None = 1e-3
    """None: differences are judged by code values and PSNR alone."""
    atol: float = 1e-5
    max_codes: int = 1
    min_psnr: float | None = None
    """Least PSNR between the two in dB; None: any."""


def tolerance_for(precision: Precision) -> Tolerance:
    """The default for a file of that precision.

    float16 keeps 11 significant bits: near white its step is 1/2048, an eighth of a code value,
    so ``allclose`` at 1e-5 can't hold. Such a file is judged as a picture: at most one code value
    apart, and at least 50 dB between the two.
    """
    return Tolerance() if precision == "fp32" else Tolerance(rtol=None, min_psnr=50.0)


@dataclass(frozen=True)
class CaseResult:
    """The comparison on one input. The numbers are None when there was nothing to compare."""

    case: Case
    passed: bool
    reason: str | None
    """Why it failed, in one line."""
    shape: tuple[int, ...] | None = None
    """Shape of the reference's output."""
    candidate_shape: tuple[int, ...] | None = None
    max_abs: float | None = None
    """Largest absolute difference, of pixels in 0 … 1."""
    max_rel: float | None = None
    """Largest difference relative to the reference, over the values of at least one code value
    (1/255): nearer to zero, relative errors say nothing about a picture."""
    max_codes: int | None = None
    """Largest difference of 8-bit code values, both clipped to 0 … 1 and rounded to 8 bits."""
    differing_codes: int | None = None
    """How many code values differ, out of ``codes``."""
    codes: int | None = None
    psnr: float | None = None
    """PSNR between the two in dB, of peak 1; infinite when they are equal. Where ``rtol`` is None
    it is that of the pictures, both clipped to 0 … 1, as 8-bit files can't be beyond."""
    allclose: bool | None = None
    """Whether every value is within ``rtol`` and ``atol``; None where these aren't applied."""
    noise: float | None = None
    """Where they are not close: how far the reference itself lies from float64, which then
    decides; None where that was not asked."""

    @property
    def same(self) -> bool:
        """Whether the two are the same picture, not merely within a wider tolerance that was asked
        for."""
        return self.passed and (self.max_codes or 0) <= Tolerance().max_codes


@dataclass(frozen=True)
class Fact:
    """One thing that a file claims, or that must hold however it is run."""

    name: str
    verdict: Literal["proven", "wrong", "not proven"]
    message: str
    """What was run and what came of it, or why it could not be."""


@dataclass(frozen=True)
class ParityReport:
    """The verdict and its evidence; true when every case passed and no fact is wrong."""

    reference: str
    candidate: str
    provider: str | None
    """The execution provider really in use for the candidate, where it has one."""
    tolerance: Tolerance
    results: tuple[CaseResult, ...]
    facts: tuple[Fact, ...] = ()
    """What else was proven of the candidate, where that was asked."""
    left_out: tuple[Case, ...] = ()
    """Cases that would have cost too much."""
    too_large: tuple[TooLarge, ...] = ()
    """Cases that would have taken more memory than was free."""
    seed: int | None = None
    """Of the random sizes and contents; the same seed draws the same ones again."""

    def __bool__(self) -> bool:
        return bool(self.results) and not self.failures and not self.wrong_facts

    @property
    def wrong_facts(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.verdict == "wrong")

    @property
    def gaps(self) -> tuple[str, ...]:
        """What the comparison says nothing about, a line each."""
        sides = [side for r in self.results for side in (r.case.height, r.case.width)]
        batches = [result.case.batch for result in self.results]
        open_facts = (fact for fact in self.facts if fact.verdict == "not proven")
        lines = [f"{fact.name}: {fact.message}" for fact in open_facts]
        if self.left_out:
            sizes = sorted({(c.height, c.width) for c in self.left_out}, key=math.prod)
            largest = "×".join(map(str, sizes[-1]))
            lines.append(f"{len(self.left_out)} cases up to {largest} were left out: too dear")
        lines += describe_too_large(self.too_large)
        if sides:
            lines.append(f"sides over {max(sides)}, batches over {max(batches)}")
        return tuple(lines)

    @property
    def reach(self) -> Size | None:
        """Height and width of the largest picture that was compared, where memory was not enough
        for a larger one; None where it was."""
        compared = {(r.case.height, r.case.width) for r in self.results}
        largest = max(compared, key=math.prod, default=(0, 0))
        kept_out = (math.prod((t.case.height, t.case.width)) for t in self.too_large)
        return largest if max(kept_out, default=0) > math.prod(largest) else None

    def without_too_large(self, cases: Sequence[Case]) -> list[Case]:
        """Those of ``cases`` for which memory was enough."""
        too_large = {one.case for one in self.too_large}
        return [case for case in cases if case not in too_large]

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        return tuple(result for result in self.results if not result.passed)

    @property
    def worst(self) -> CaseResult:
        """A failure before any success, then the largest difference; there must be results."""
        return max(self.results, key=_badness)

    def summary(self) -> str:
        """The verdict and its worst case, in one line."""
        if not self.results:
            why = f": {self.too_large[0].told}" if self.too_large else ""
            return f"nothing was compared{why}"
        worst, total = self.worst, len(self.results)
        which = "the one case is" if total == 1 else f"all {total} cases are"
        same = f"{which} {'the same' if all(r.same for r in self.results) else WITHIN}"
        if not self.failures and self.wrong_facts:
            fact = self.wrong_facts[0]
            return f"{same}, but {fact.name}: {fact.message}"
        if not self:
            failed = f"{len(self.failures)} of {total} cases fail"
            return f"{failed}; the worst, {worst.case.name}: {worst.reason}"
        most = max(result.max_abs or 0.0 for result in self.results)
        codes = max(result.max_codes or 0 for result in self.results)
        least = min(math.inf if r.psnr is None else r.psnr for r in self.results)
        ratio = "" if math.isinf(least) else f", at least {least:.1f} dB"
        return f"{same}: at most {most:.1e} and {codes} code value(s) apart{ratio}"

    def __str__(self) -> str:
        """The verdict, the facts, what was not covered and the seed, a line each."""
        facts = [fact for fact in self.facts if fact.verdict != "not proven"]
        lines = [f"{fact.name}: {fact.verdict}: {fact.message}" for fact in facts]
        lines += [f"not covered: {gap}" for gap in self.gaps]
        if self.seed is not None:
            lines.append(f"random sizes and pictures drawn with --seed {self.seed}")
        return "\n".join([self.summary(), *lines])

    def to_json(self) -> dict[str, Any]:
        """The report and its verdict as JSON values; an infinite PSNR is the text ``"inf"``."""
        found: dict[str, Any] = {"passed": bool(self), **asdict(self)}
        found["uncovered"] = self.gaps
        found["results"] = [result_json(result) for result in found["results"]]
        found["too_large"] = [{**t, "case": _case_json(t["case"])} for t in found["too_large"]]
        return found


def result_json(result: dict[str, Any]) -> dict[str, Any]:
    """A :class:`CaseResult` as ``asdict`` gives it, as JSON values."""
    return {**result, "case": _case_json(result["case"]), "psnr": json_psnr(result["psnr"])}


def _case_json(case: dict[str, Any]) -> dict[str, Any]:
    source = case["source"]
    rest = {name: value for name, value in case.items() if name != "source"}
    return rest if source is None else {**rest, "source": str(source)}


def _badness(result: CaseResult) -> tuple[bool, float]:
    return not result.passed, math.inf if result.max_abs is None else result.max_abs


def compare(
    reference: NetOp,
    candidate: NetOp,
    cases: Sequence[Case],
    channels: int,
    tolerance: Tolerance | None = None,
    *,
    names: tuple[str, str] = ("reference", "candidate"),
    provider: str | None = None,
    exact: Exact | None = None,
    local: bool = True,
    until_failure: bool = False,
    memory: MemoryLedger | None = None,
    report: OnProgress = lambda what, done, total: None,
) -> ParityReport:
    """Run both on every case and judge the candidate; ``until_failure`` stops at the first that
    fails.

    With ``memory`` small pictures come first, and a case for which that is not enough is no
    result, but one of the report's ``too_large``; the file alone may fail for want of memory where
    there is many times what the reference takes.

    Float32 rounds, and some networks amplify that (SPAN computes with 0 … 255): PyTorch's own
    result is then further from the truth than ``atol``. Where values are not close, ``exact``
    tells how far, and results may lie a few times that apart, but at most one code value; a
    network that is not ``local``, and may add up whole pictures, :data:`SUMMATION` too.

    An exception, a wrong shape, NaN or infinity on either side is a failed case with its reason,
    not an exception: the report shows what happened everywhere.
    """
    judge = _Judge(reference, candidate, channels, tolerance or Tolerance(), exact, local)
    results: dict[int, CaseResult] = {}
    too_large: list[TooLarge] = []
    order = range(len(cases))
    for place in sorted(order, key=lambda place: cases[place].pixels) if memory else order:
        case = cases[place]
        report(case.name, len(results) + len(too_large), len(cases))
        result = judge.compare_within(memory, case) if memory else judge.compare(case)
        if isinstance(result, TooLarge):
            too_large.append(result)
            continue
        results[place] = result
        if until_failure and not result.passed:
            break
    ordered = tuple(results[place] for place in sorted(results))
    return ParityReport(*names, provider, judge.tolerance, ordered, too_large=tuple(too_large))


@dataclass(frozen=True, eq=False)
class _Judge:
    """Two networks, and what still counts as the same."""

    reference: NetOp
    candidate: NetOp
    channels: int
    tolerance: Tolerance
    exact: Exact | None
    local: bool

    def compare_within(self, memory: MemoryLedger, case: Case) -> CaseResult | TooLarge:
        """The comparison, or why memory is not enough for it."""
        objection = memory.object_to(case)
        if objection:
            return objection
        try:
            with memory.run(case) as usage:
                return self.compare(case, usage)
        except MemoryError:
            pass  # and what the networks held is let go before anything else
        return memory.refusal(case)

    def compare(self, case: Case, usage: CaseMemory | None = None) -> CaseResult:
        """Raises :class:`MemoryError` only with ``usage``."""
        picture, tolerance = pixels(case, self.channels), self.tolerance
        expected = _run_op(self.reference, picture, tolerant=usage is None)
        enough = usage is None or usage.is_plenty()
        found = _run_op(self.candidate, picture, tolerant=enough)
        if isinstance(expected, str) or isinstance(found, str):
            faults = (("reference", expected), ("candidate", found))
            said = [f"the {who} fails: {fault}" for who, fault in faults if isinstance(fault, str)]
            return CaseResult(case, passed=False, reason="; ".join(said))
        reason = _incomparable(expected, found)
        if reason:
            return CaseResult(case, False, reason, expected.shape, found.shape)
        result = _measure(case, expected, found, tolerance)
        hopeless = result.max_codes is not None and result.max_codes > tolerance.max_codes
        if result.allclose is not False or self.exact is None or hopeless:
            return result
        noise = _reference_noise(expected, self.exact, picture)
        summation = 0.0 if self.local else min(SUMMATION, 2.0**-24 * case.height * case.width)
        wider = max(tolerance.atol, min(max(NOISE_FACTOR * noise, summation), 1 / CODES))
        again = _measure(case, expected, found, replace(tolerance, atol=wider))
        return replace(again, allclose=False, noise=noise)


def _reference_noise(expected: Pixels, exact: Exact, picture: Pixels) -> float:
    """How far the reference's result lies from float64; nothing where that can't be had."""
    try:
        return float(np.abs(expected - exact(picture)).max())
    except NetworkError:
        return 0.0


def _run_op(op: NetOp, picture: Pixels, *, tolerant: bool) -> Pixels | str:
    """The result, or why there is none; a want of memory is such a reason where ``tolerant``."""
    try:
        return op(picture.copy())  # some networks change their input in place
    except MemoryError as error:
        if not tolerant:
            raise
        return one_line(error, most=200)
    except Exception as error:  # any network's any failure at this shape is a finding
        return one_line(error, most=200)


def find_failure(op: NetOp, picture: Pixels) -> str | None:
    """Why ``op`` gives no picture that anything can be compared with; None where it gives one."""
    found = _run_op(op, picture, tolerant=True)
    if isinstance(found, str):
        return found
    return None if np.isfinite(found).all() else "its values are NaN or infinite"


def _incomparable(expected: Pixels, found: Pixels) -> str | None:
    if expected.shape != found.shape:
        return f"the candidate gives {found.shape} where the reference gives {expected.shape}"
    if not expected.size:
        return f"both give nothing: {expected.shape}"
    for who, values in (("reference", expected), ("candidate", found)):
        broken = values.size - np.count_nonzero(np.isfinite(values))
        if broken:
            return f"{broken} of {values.size} values of the {who} are NaN or infinite"
    return None


def _measure(case: Case, expected: Pixels, found: Pixels, tolerance: Tolerance) -> CaseResult:
    error = np.abs(found - expected)
    codes = np.abs(_to_code_values(found) - _to_code_values(expected))
    seen = (
        error
        if tolerance.rtol is not None
        else np.abs(_clip_to_unit(found) - _clip_to_unit(expected))
    )
    max_codes, psnr = int(codes.max()), psnr_of(seen, peak=1.0)
    close = _is_close(error, expected, tolerance)
    reason = _objection(close, max_codes, psnr, tolerance)
    return CaseResult(
        case,
        passed=reason is None,
        reason=reason,
        shape=expected.shape,
        candidate_shape=found.shape,
        max_abs=float(error.max()),
        max_rel=_max_rel(error, expected),
        max_codes=max_codes,
        differing_codes=int(np.count_nonzero(codes)),
        codes=codes.size,
        psnr=psnr,
        allclose=close,
    )


def _clip_to_unit(values: Pixels) -> Pixels:
    return np.clip(values, 0.0, 1.0)


def _to_code_values(values: Pixels) -> NDArray[np.int16]:
    scaled = _clip_to_unit(values) * np.float32(CODES)
    return (scaled + np.float32(0.5)).astype(np.int16)


def _max_rel(error: Pixels, reference: Pixels) -> float:
    size = np.abs(reference)
    relative = np.divide(error, size, out=np.zeros_like(error), where=size >= 1 / CODES)
    return float(relative.max())


def _is_close(error: Pixels, reference: Pixels, tolerance: Tolerance) -> bool | None:
    if tolerance.rtol is None:
        return None
    return bool(np.all(error <= tolerance.atol + tolerance.rtol * np.abs(reference)))


def _objection(close: bool | None, max_codes: int, psnr: float, tolerance: Tolerance) -> str | None:
    if max_codes > tolerance.max_codes:
        return f"code values differ by up to {max_codes}; {tolerance.max_codes} is allowed"
    if close is False:
        return f"values differ by more than rtol {tolerance.rtol:g}, atol {tolerance.atol:g}"
    if tolerance.min_psnr is not None and psnr < tolerance.min_psnr:
        return f"{psnr:.1f} dB between the two; at least {tolerance.min_psnr:g} dB is asked for"
    return None
