"""The setting that was found is the one that runs, for pictures of the depth it is for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from rounding import likely_bound
from subpixel.convention import Convention
from subpixel.errors import ProviderError, UsageError
from subpixel.media.picture import Header
from subpixel.network.flatness import Flatness
from subpixel.network.network import Network
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.spec import Precision
from subpixel.system.files.hashing import hash_file
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path


def _resolved(
    device: str, precision: Precision, tile: int | None = None, threads: int | None = None
) -> RunSettings:
    return RunSettings(device, precision, tile, threads).resolve()


def _row(setting: RunSettings, file: Path) -> TunedSettings:
    return TunedSettings(setting, file, hash_file(file), 2.0, 0.5, 0.1, 50.0)


DEFAULT = _row(_resolved("cpu", "fp32"), FAST)
QUICK = _row(_resolved("cpu", "int8", tile=64, threads=2), INT8)
EXACT = _row(_resolved("cpu", "fp32", tile=48, threads=1), FAST)
FOUND = Tuning(45.0, DEFAULT, (QUICK, EXACT, DEFAULT))
EIGHT = Header((1, 70, 90, 3), np.dtype(np.uint8))
DEEP = Header((1, 70, 90, 3), np.dtype(np.uint16))
PICTURE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)


def test_8_bits_go_through_int8_and_all_else_through_fp32() -> None:
    tuned = Upscaler("fast", scale=2, tuning=FOUND)
    exact = Upscaler("fast", scale=2, tuning=False, precision="fp32")
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
    tuned = Upscaler("fast", scale=2, tuning=FOUND, precision="fp32")
    assert tuned.settings(EIGHT) == EXACT.setting
    exact = Upscaler("fast", scale=2, precision="fp32")
    assert np.abs(tuned(PICTURE).astype(int) - exact(PICTURE)).max() <= 1


def test_adaptive_by_tuning_is_for_8_bits_and_as_it_was_measured() -> None:
    """The flatness that was kept is used, not measured again: no network is 9 code values off."""
    setting = replace(EXACT.setting, batch=2, adaptive=True)
    flat = replace(EXACT, setting=setting, flatness=Flatness(9, 9.0))
    found = replace(FOUND, rows=(flat, EXACT, DEFAULT))
    tuned = Upscaler("fast", scale=2, tuning=found)
    assert tuned.flatness == flat.flatness
    even = np.full_like(PICTURE, 90)
    even[..., 0] += PICTURE[..., 0] % 9
    tuned(even)
    assert tuned.tally.share == 1.0
    deep = even.astype(np.uint16) * 257
    assert not tuned.settings(DEEP).adaptive
    exact = Upscaler("fast", scale=2, tile=48)(deep)
    np.testing.assert_allclose(tuned(deep) / 257, exact / 257, atol=0.1)
    assert tuned.tally.share == 1.0, "of what went through it"
    off = Upscaler("fast", scale=2, tuning=found, adaptive=False)
    assert off.flatness is None


def test_without_a_tuning_settings_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    def count(
        file: Path, settings: RunSettings, *, scale: int | None, convention: Convention
    ) -> Network:
        opened.append(file)
        return open_network(file, settings, scale=scale, convention=convention)

    monkeypatch.setattr("subpixel.upscaling.choice.pipelines.open_network", count)
    tuned = Upscaler("fast", scale=2, tuning=False)
    assert tuned.settings(EIGHT) == replace(tuned.settings(DEEP), precision="int8")
    assert tuned.settings(DEEP).precision == "fp32"
    assert opened == [INT8, FAST]
    opened.clear()
    tuned = Upscaler("fast", scale=2, tuning=False, precision="fp32")
    assert tuned.settings(EIGHT) == tuned.settings(DEEP)
    deep = tuned(PICTURE.astype(np.uint16) * 257)
    assert opened == [FAST], "once for both depths"
    assert np.abs(deep / 257 - tuned(PICTURE)).max() <= 0.51, "rounded to 8 bits and to 16"
    again = Upscaler("fast", scale=2, tuning=False, precision="fp32")
    assert np.array_equal(tuned(PICTURE), again(PICTURE))


@pytest.mark.slow
def test_what_is_named_is_used_though_nothing_was_found_for_it() -> None:
    for tuning in (False, FOUND):
        tuned = Upscaler(
            "fast",
            scale=2,
            device="cpu",
            precision="int8",
            tile=0,
            threads=1,
            adaptive=True,
            tuning=tuning,
        )
        expected = RunSettings("cpu", "int8", 0, 1, adaptive=True).resolve()
        assert tuned.settings(EIGHT) == expected
        assert tuned.settings(DEEP) == expected, "asked for by name"
    with pytest.raises(ProviderError, match="cpu would compute"):
        Upscaler("fast", device="cpu", precision="bf16", tuning=FOUND)
    with pytest.raises(UsageError, match="enlarges by 2, not by 4"):
        Upscaler(FAST, scale=4)
    with pytest.raises(UsageError, match="one of auto, cpu"):
        Upscaler("fast", device="abacus", tuning=FOUND)
