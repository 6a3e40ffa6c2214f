"""The setting that was found is the one that runs, for pictures of the depth it is for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from rounding import likely_bound
from subpixel.errors import ProviderError, UsageError
from subpixel.network.flatness import Flatness
from subpixel.network.tuning import Row, Setting, Tuning, Wish, sha256_of
from subpixel.upscaling.tuned import TunedUpscaler
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path


def _row(setting: Setting, file: Path) -> Row:
    return Row(setting, file, sha256_of(file), 2.0, 0.5, 0.1, 50.0)


DEFAULT = _row(Setting("cpu", "fp32"), FAST)
QUICK = _row(Setting("cpu", "int8", tile=64, threads=2), INT8)
EXACT = _row(Setting("cpu", "fp32", tile=48, threads=1), FAST)
FOUND = Tuning(45.0, DEFAULT, (QUICK, EXACT, DEFAULT))
PICTURE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)


def test_8_bits_go_through_int8_and_all_else_through_fp32() -> None:
    tuned, exact = TunedUpscaler("fast", scale=2, tuning=FOUND), Upscaler("fast", scale=2)
    assert tuned.spec.precision == "int8"
    expected = Upscaler("fast-int8", scale=2, tile=64)(PICTURE)
    assert np.array_equal(tuned(PICTURE), expected)
    assert not np.array_equal(expected, exact(PICTURE))
    deep = PICTURE.astype(np.uint16) * 257
    assert np.array_equal(tuned(deep), exact(deep))
    pixels = PICTURE / np.float32(255)
    within = likely_bound(onnx.load(FAST), pixels[:24, :24].transpose(2, 0, 1)[None])
    np.testing.assert_allclose(tuned(pixels), exact(pixels), rtol=0, atol=within)


def test_a_tuned_fp32_setting_changes_no_pixel_of_8_bits() -> None:
    tuned = TunedUpscaler("fast", scale=2, tuning=FOUND, wish=Wish(precision="fp32"))
    assert tuned.setting(deep=False) == EXACT.setting
    assert np.abs(tuned(PICTURE).astype(int) - Upscaler("fast", scale=2)(PICTURE)).max() <= 1


def test_adaptive_by_tuning_is_for_8_bits_and_as_it_was_measured() -> None:
    """The flatness that was kept is used, not measured again: no network is 9 code values off."""
    setting = replace(EXACT.setting, batch=2, adaptive=True)
    flat = replace(EXACT, setting=setting, flatness=Flatness(9, 9.0))
    found = replace(FOUND, rows=(flat, EXACT, DEFAULT))
    tuned = TunedUpscaler("fast", scale=2, tuning=found)
    assert tuned.flatness == flat.flatness
    even = np.full_like(PICTURE, 90)
    even[..., 0] += PICTURE[..., 0] % 9
    tuned(even)
    assert tuned.tally.share == 1.0
    deep = even.astype(np.uint16) * 257
    assert not tuned.setting(deep=True).adaptive
    exact = Upscaler("fast", scale=2, tile=48)(deep)
    np.testing.assert_allclose(tuned(deep) / 257, exact / 257, atol=0.1)
    assert tuned.tally.share == 1.0, "of what went through it"
    off = TunedUpscaler("fast", scale=2, tuning=found, wish=Wish(adaptive=False))
    assert off.flatness is None


def test_without_a_tuning_settings_are_the_defaults() -> None:
    tuned = TunedUpscaler("fast", scale=2)
    assert tuned.setting(deep=False) == tuned.setting(deep=True)
    assert tuned.setting(deep=False).precision == "fp32"
    assert tuned.upscaler(deep=False) is tuned.upscaler(deep=True), "opened once"
    assert np.array_equal(tuned(PICTURE), Upscaler("fast", scale=2)(PICTURE))


def test_what_is_named_is_used_though_nothing_was_found_for_it() -> None:
    wish = Wish(device="cpu", precision="int8", tile=0, threads=1, adaptive=True)
    for tuning in (None, FOUND):
        tuned = TunedUpscaler("fast", scale=2, wish=wish, tuning=tuning)
        expected = Setting("cpu", "int8", 0, 1, adaptive=True)
        assert tuned.setting(deep=False) == expected
        assert tuned.setting(deep=True) == expected, "asked for by name"
    with pytest.raises(ProviderError, match="cpu would compute"):
        TunedUpscaler("fast", wish=Wish(device="cpu", precision="bf16"), tuning=FOUND)
    with pytest.raises(UsageError, match="enlarges by 2, not by 4"):
        TunedUpscaler(FAST, scale=4)
    with pytest.raises(UsageError, match="one of auto, cpu"):
        TunedUpscaler("fast", wish=Wish(device="abacus"), tuning=FOUND)
