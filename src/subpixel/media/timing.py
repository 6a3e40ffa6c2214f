"""How long frames stand and how often they play, as a format can count it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from subpixel.media.picture import Metadata

Delay = int | Fraction
"""In milliseconds."""
MAX_SHORT = 65_535
DEFAULT_DELAY_MS = 100
"""What browsers give a frame without a delay."""


@dataclass(frozen=True)
class TimingLimits:
    """What a format can say of an animation's delays and plays."""

    unit: str
    """What delays are counted in, for people, in the plural."""
    unit_ms: int | None
    """Milliseconds of a unit; None: any fraction of a second of two 16-bit numbers."""
    max_delay_ms: int
    max_loop: int
    """Most plays that can be counted; 0 plays for ever."""
    default_below_ms: int = 0
    """Shorter delays become :data:`DEFAULT_DELAY_MS`, as browsers show them."""


def fit_timing(metadata: Metadata, limits: TimingLimits) -> Metadata:
    """``metadata`` with the nearest delays and plays that a format can hold."""
    delays = tuple(_fit_delay(delay, limits) for delay in metadata.delays_ms)
    return replace(metadata, delays_ms=delays, loop=min(metadata.loop, limits.max_loop))


def _fit_delay(delay: Delay, limits: TimingLimits) -> Delay:
    if delay < limits.default_below_ms:
        return DEFAULT_DELAY_MS
    capped = min(delay, limits.max_delay_ms)
    unit = limits.unit_ms
    return _fit_fraction(capped) if unit is None else round(Fraction(capped) / unit) * unit


def _fit_fraction(delay: Delay) -> Delay:
    seconds = Fraction(delay) / 1000
    fitted = 1000 * seconds.limit_denominator(int(MAX_SHORT // max(seconds, Fraction(1))))
    return fitted.numerator if fitted.denominator == 1 else fitted


def explain_changes(metadata: Metadata, limits: TimingLimits) -> Iterator[str]:
    """What :func:`fit_timing` changes, for people: each the rest of a sentence that begins with the
    format's name."""
    delays = metadata.delays_ms
    shorts = [delay for delay in delays if delay < limits.default_below_ms]
    longs = [delay for delay in delays if delay > limits.max_delay_ms]
    fits = [d for d in delays if limits.default_below_ms <= d <= limits.max_delay_ms]
    if any(_fit_delay(delay, limits) != delay for delay in fits):
        yield f"counts in {limits.unit}; delays are rounded"
    if shorts:
        least = limits.default_below_ms
        yield f"shows frames of less than {least} ms for {DEFAULT_DELAY_MS}, as browsers do"
    if longs:
        yield f"ends delays at {limits.max_delay_ms / 1000:,} s; longer ones become that"
    if metadata.loop > limits.max_loop:
        yield f"counts up to {limits.max_loop:,} plays; {metadata.loop:,} become that"
