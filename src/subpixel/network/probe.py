"""What a network without recorded facts is, found out by running it at a few sizes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from subpixel.errors import NetworkError, SpecError
from subpixel.imaging.colour import luma
from subpixel.runtime.op import NetOp, Pixels, Probeable
from subpixel.runtime.sizes import MULTIPLES, ROOMY_SIDE, odd_multiples
from subpixel.spec import Colour, ModelSpec, next_multiple

REPEATS = 3
"""So often one picture is computed: a network that drops parts of itself at random may compute the
same twice."""

MAX_NOISE = 1 / 16 / 255
"""A sixteenth of a code value, for results in 0 … 1: what threads that add up in another order
change is far below, what tells in a comparison is above."""

SAME_LUMA = 1e-3
"""A quarter of a code value: what the luma of a result may change by, by rounding, where a picture
loses its colours and the network processes luma alone."""

MAX_DENOMINATOR = 16
"""Of factors that are told as such: by others sides are enlarged by chance."""

MAX_REASONS = 3
"""So many different failures of a network are told."""


class _FactorError(NetworkError):
    """The network enlarges evenly, by a factor that subpixel doesn't run."""


def probe(session: Probeable, name: str) -> ModelSpec:
    """Find out by running it: channels, scale, size multiple, whether the batch is free.

    Raises :class:`NetworkError` when the network does not enlarge both sides by one whole number
    and keep its channels, at any size multiple tried, and when it computes other results for the
    same picture.
    """
    batch, _, *size = session.input_shape
    fixed = (size[0], size[1]) if isinstance(size[0], int) and isinstance(size[1], int) else None
    count = batch if isinstance(batch, int) else 1
    from subpixel.thirdparty.op import expect_unit_range

    failures: list[NetworkError] = []
    for planes, multiple in _candidates(session, fixed is not None):
        sizes = [fixed] if fixed else odd_multiples(multiple)
        try:
            scale = _probe_scale(session, count, planes, sizes)
        except NetworkError as error:
            failures.append(error)
            continue
        spec = ModelSpec(
            name=name,
            scale=scale,
            colour=_colour(planes),
            interface=_colour(planes),
            size_multiple=multiple,
            padding="edge" if fixed else "reflect",
            fixed_size=fixed,
            fixed_batch=_find_batch(session, planes, scale, sizes[0]),
        )
        expect_repeatable(session, spec)
        expect_unit_range(session, spec)
        return spec
    raise _why_no_upscaling(session, failures)


@dataclass(frozen=True, eq=False)
class EarlyResult:
    """What a network computed for a picture before much else, and must compute ever after."""

    picture: Pixels
    result: Pixels

    def expect_again(self, op: NetOp) -> None:
        """Raise :class:`NetworkError` where ``op`` computes something else now: it has a state,
        and what was compared since says nothing about a network that is new. One that fails is for
        others to judge."""
        try:
            again = op(self.picture.copy())
        except Exception:  # the network's code may raise anything
            return
        _expect_same([self.result, again], "between an early run and a later one")


def first_result(op: NetOp, spec: ModelSpec) -> EarlyResult | None:
    """What a network computes for a picture of random values, at a size that ``spec`` allows; None
    for one that fails there: that is for others to judge."""
    side = next_multiple(max(ROOMY_SIDE, spec.size_minimum), spec.size_multiple)
    shape = (spec.fixed_batch or 1, spec.channels, *(spec.fixed_size or (side, side)))
    picture = np.random.default_rng(0).random(shape, np.float32)
    try:
        return EarlyResult(picture, op(picture.copy()))
    except Exception:  # the network's code may raise anything
        return None


def expect_repeatable(op: NetOp, spec: ModelSpec) -> EarlyResult | None:
    """Raise :class:`NetworkError` for a network whose results for one picture differ.

    Its :func:`first_result` is returned.
    """
    first = first_result(op, spec)
    if first is None:
        return None
    try:
        results = [op(first.picture.copy()) for _ in range(REPEATS - 1)]
    except Exception:  # the network's code may raise anything
        return None
    _expect_same([first.result, *results], f"in {REPEATS} runs")
    return first


def expect_colours(op: NetOp, spec: ModelSpec) -> None:
    """Raise :class:`SpecError` for facts that say of a network for RGB that it processes luma
    alone, where the luma of its result changes with the picture's colours; or that one for luma
    processes RGB."""
    if spec.colour == spec.interface:
        return
    facts = f"its facts say colour {spec.colour!r} and interface {spec.interface!r}"
    if spec.interface == "luma":
        raise SpecError(f"{facts}, but one channel has no colours; say colour 'luma'")
    first = first_result(op, spec)
    if first is None:
        return
    grey = luma(first.picture.transpose(0, 2, 3, 1))[:, None].repeat(3, axis=1)
    without = op(np.ascontiguousarray(grey, np.float32))
    apart = _max_difference(*(luma(r.transpose(0, 2, 3, 1)) for r in (first.result, without)))
    if apart > SAME_LUMA:
        raise SpecError(
            f"{facts}, but it takes three channels and processes their colours: without them the "
            f"luma of its result changes by up to {apart * 255:.2g} code values; say colour 'rgb'"
        )


def _expect_same(results: Sequence[Pixels], when: str) -> None:
    noise = max(_max_difference(results[0], other) for other in results[1:])
    if noise > MAX_NOISE * max(1.0, float(np.abs(results[0]).max(initial=0.0))):
        raise NetworkError(
            "it computes other results for the same picture: they differ by up to "
            f"{noise * 255:.2g} code values {when}, by dropout, noise or a state of its "
            "own; a network must compute the same each time: turn that off (functional.dropout "
            "needs training=self.training)"
        )


def _max_difference(result: Pixels, other: Pixels) -> float:
    if result.shape != other.shape:
        return float("inf")
    return float(np.abs(result - other).max(initial=0.0))


def _why_no_upscaling(session: Probeable, failures: Sequence[NetworkError]) -> NetworkError:
    """What tells most of the reasons that it can't be used, one for each size that was tried.

    A failure inside a network has an exception as its cause. One without it is of a network that
    ran, at a size that it takes.
    """
    factors = [error for error in failures if isinstance(error, _FactorError)]
    ran = [error for error in failures if error.__cause__ is None]
    if factors or ran:
        return (factors or ran)[0]
    if (channels := _other_channels(failures)) is not None:
        return NetworkError(
            f"it takes {channels} channels; subpixel's networks take and return 1 (luma) or 3 "
            "(RGB): wrap it in a module that adds the other channels and takes them off"
        )
    layout = _other_layout(session)
    return NetworkError(layout or "; ".join(_unique_lines(failures)))


CHANNEL_MISFIT = re.compile(r"to have (\d+) channels?, but got \d+ channel")
"""What PyTorch says to a picture of other channels than the network's."""


def _other_channels(failures: Sequence[NetworkError]) -> int | None:
    """How many channels the network takes, where that is neither 1 nor 3 and all that it says;
    None for any other."""
    said = {match[1] if (match := CHANNEL_MISFIT.search(str(e))) else "" for e in failures}
    only = said.pop() if len(said) == 1 else ""
    return None if only in ("", "1", "3") else int(only)


def _unique_lines(failures: Sequence[NetworkError]) -> list[str]:
    """The reasons that differ in more than numbers; those for other channels only where there are
    no others."""
    reasons = [str(error) for error in failures]
    telling = [reason for reason in reasons if not CHANNEL_MISFIT.search(reason)] or reasons
    distinct: dict[str, str] = {}
    for reason in telling:
        distinct.setdefault(re.sub(r"\d+", "#", reason), reason)
    return list(distinct.values())[:MAX_REASONS]


def _other_layout(session: Probeable) -> str | None:
    """Why a network of another layout of pictures fails; None for one that isn't of any known."""
    height, width = odd_multiples(MULTIPLES[-1])[0]
    for planes in (3, 1):
        shapes = {
            "(N, H, W, C)": (1, height, width, planes),
            "(C, H, W)": (planes, height, width),
            "(H, W, C)": (height, width, planes),
        }
        for layout, shape in shapes.items():
            if _keeps_layout(session, shape, shape.index(height)):
                return (
                    f"it takes pictures as {layout}; subpixel's networks take and return "
                    "(N, C, H, W): wrap it in a module that converts them"
                )
    return None


def _keeps_layout(session: Probeable, shape: tuple[int, ...], rows: int) -> bool:
    """Whether the network takes ``shape``, and enlarges no axes but ``rows`` and the next."""
    try:
        result = session(np.full(shape, 0.5, np.float32))
    except NetworkError:
        return False
    if result.ndim != len(shape):
        return False
    factors = [Fraction(after, before) for after, before in zip(result.shape, shape, strict=True)]
    sides, others = factors[rows : rows + 2], factors[:rows] + factors[rows + 2 :]
    return sides[0] == sides[1] >= 1 and set(others) == {Fraction(1)}


def _candidates(session: Probeable, fixed: bool) -> list[tuple[int, int]]:
    """The channels and size multiples to try, in this order."""
    channels = session.input_shape[1]
    planes = [channels] if isinstance(channels, int) else [3, 1]
    return [(p, m) for p in planes for m in (MULTIPLES[:1] if fixed else MULTIPLES)]


def _colour(planes: int) -> Colour:
    if planes == 1:
        return "luma"
    if planes == 3:
        return "rgb"
    raise NetworkError(f"its input has {planes} channels; subpixel runs 1 (luma) or 3 (RGB)")


def _probe_scale(session: Probeable, batch: int, planes: int, sizes: list[tuple[int, int]]) -> int:
    scales = {_scale_at(session, (batch, planes, *size)) for size in sizes}
    if len(scales) != 1:
        raise NetworkError(f"its scale changes with the picture's size: {sorted(scales)}")
    return scales.pop()


def _scale_at(session: Probeable, shape: tuple[int, int, int, int]) -> int:
    result = session(np.full(shape, 0.5, dtype=np.float32))
    scale = result.shape[2] // shape[2] if result.ndim == 4 else 0
    if scale < 1 or result.shape != (*shape[:2], shape[2] * scale, shape[3] * scale):
        raise _wrong_shape(shape, result.shape)
    return scale


def _wrong_shape(shape: tuple[int, int, int, int], result: tuple[int, ...]) -> NetworkError:
    if len(result) == 4 and result[:2] == shape[:2]:
        factors = [Fraction(result[axis], shape[axis]) for axis in (2, 3)]
        if factors[0] == factors[1] > 0 and factors[0].denominator <= MAX_DENOMINATOR:
            return _FactorError(
                f"it enlarges by {float(factors[0]):g}; subpixel runs networks that enlarge by a "
                "whole number, or restore without enlarging"
            )
    return NetworkError(
        f"this is no super-resolution network: it turns the shape {shape} into {result}, and not "
        "into (N, C, H * scale, W * scale) with a whole number as its scale"
    )


def _find_batch(session: Probeable, planes: int, scale: int, size: tuple[int, int]) -> int | None:
    declared = session.input_shape[0]
    if isinstance(declared, int):
        return declared
    try:
        return None if _scale_at(session, (2, planes, *size)) == scale else 1
    except NetworkError:
        return 1
