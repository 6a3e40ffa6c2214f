"""The setting that was found is the one that runs, for pictures of the depth it is for."""

from pathlib import Path

import numpy as np
import pytest

from subpixel.errors import ProviderError, UsageError
from subpixel.tuned import TunedUpscaler
from subpixel.tuning import Row, Setting, Tuning, Wish, sha256_of
from subpixel.upscaler import Upscaler
from subpixel.zoo.manifest import find

FAST, INT8 = find("fast", 2).path, find("fast-int8", 2).path


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
    np.testing.assert_allclose(tuned(pixels), exact(pixels), atol=1e-6)


def test_a_tuned_fp32_setting_changes_no_pixel_of_8_bits() -> None:
    tuned = TunedUpscaler("fast", scale=2, tuning=FOUND, wish=Wish(precision="fp32"))
    assert tuned.setting(deep=False) == EXACT.setting
    assert np.abs(tuned(PICTURE).astype(int) - Upscaler("fast", scale=2)(PICTURE)).max() <= 1


def test_without_a_tuning_settings_are_the_defaults() -> None:
    tuned = TunedUpscaler("fast", scale=2)
    assert tuned.setting(deep=False) == tuned.setting(deep=True)
    assert tuned.setting(deep=False).precision == "fp32"
    assert tuned.upscaler(deep=False) is tuned.upscaler(deep=True), "opened once"
    assert np.array_equal(tuned(PICTURE), Upscaler("fast", scale=2)(PICTURE))


def test_what_is_named_is_used_though_nothing_was_found_for_it() -> None:
    wish = Wish(device="cpu", precision="int8", tile=0, threads=1)
    for tuning in (None, FOUND):
        tuned = TunedUpscaler("fast", scale=2, wish=wish, tuning=tuning)
        assert tuned.setting(deep=False) == Setting("cpu", "int8", 0, 1)
        assert tuned.setting(deep=True) == Setting("cpu", "int8", 0, 1), "asked for by name"
    with pytest.raises(ProviderError, match="cpu would compute"):
        TunedUpscaler("fast", wish=Wish(device="cpu", precision="bf16"), tuning=FOUND)
    with pytest.raises(UsageError, match="enlarges by 2, not by 4"):
        TunedUpscaler(FAST, scale=4)
    with pytest.raises(UsageError, match="one of auto, cpu"):
        TunedUpscaler("fast", wish=Wish(device="abacus"), tuning=FOUND)
