"""Delays and plays of animations: kept, or the nearest that a format holds, and named."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from subpixel.media.formats.registry import format_of
from subpixel.media.image_file import read_picture
from subpixel.media.picture import Metadata, Picture
from subpixel.media.timing import fit_timing
from subpixel.media.writing import write_picture

FRAMES = np.kron(np.arange(2, dtype=np.uint8)[:, None, None, None] * 255, np.ones((1, 4, 4, 3)))
TIMED = (".gif", ".webp", ".png")
EDGES = [0, 9, 10, 11, 655_350, 655_360, 2**24 - 1, 2**24, 65_535_000, 2**31 - 1, 2**31, 10**12]
WHOLE = st.integers(0, 10**12) | st.sampled_from(EDGES)
DELAYS = WHOLE | st.fractions(0, 10**9, max_denominator=70_000)
PLAYS = st.integers(0, 2**32 - 1) | st.sampled_from([1, 65_535, 65_536, 65_537, 2**31, 2**32 - 1])


@pytest.mark.parametrize("suffix", TIMED)
@given(delays=st.tuples(DELAYS, DELAYS), loop=PLAYS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_timing_is_kept_or_named(
    tmp_path: Path, suffix: str, delays: tuple[int | Fraction, ...], loop: int
) -> None:
    file, meta = tmp_path / f"a{suffix}", Metadata(delays_ms=delays, loop=loop)
    limits = format_of(file).capacity.timing
    assert limits is not None
    losses = write_picture(Picture(FRAMES.astype(np.uint8), meta), file, overwrite=True)
    back = read_picture(file).metadata
    fitted = fit_timing(meta, limits)
    assert (back.delays_ms, back.loop) == (fitted.delays_ms, fitted.loop)
    assert bool(losses) == (fitted != meta)
    assert {loss.what for loss in losses} <= {"timing"}


@pytest.mark.parametrize("suffix", TIMED)
def test_what_fits_changes_no_more(suffix: str) -> None:
    limits = format_of(Path(f"a{suffix}")).capacity.timing
    assert limits is not None
    fitted = fit_timing(Metadata(delays_ms=tuple(EDGES), loop=2**32 - 1), limits)
    assert fit_timing(fitted, limits) == fitted


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".gif", "GIF ends delays at 655.35 s; longer ones become that"),
        (".gif", "GIF counts up to 65,536 plays; 70,000 become that"),
        (".gif", "GIF counts in hundredths of a second; delays are rounded"),
        (".webp", "WebP shows frames of less than 11 ms for 100, as browsers do"),
        (".webp", "WebP ends delays at 16,777.215 s; longer ones become that"),
        (".png", "PNG ends delays at 65,535.0 s; longer ones become that"),
    ],
)
def test_each_change_is_said(tmp_path: Path, suffix: str, words: str) -> None:
    meta = Metadata(delays_ms=(5, 10**8), loop=70_000)
    losses = write_picture(Picture(FRAMES.astype(np.uint8), meta), tmp_path / f"a{suffix}")
    assert words in [loss.why for loss in losses]


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_pillow_sees_the_longest_delay(tmp_path: Path, suffix: str) -> None:
    file, meta = tmp_path / f"a{suffix}", Metadata(delays_ms=(10**8, 10**8))
    write_picture(Picture(FRAMES.astype(np.uint8), meta), file, overwrite=True)
    with Image.open(file) as seen:
        seen.seek(1)
        seen.load()
        assert seen.info["duration"] == read_picture(file).metadata.delays_ms[1] >= 655_350
