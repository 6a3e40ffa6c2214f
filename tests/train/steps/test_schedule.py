from dataclasses import replace

import pytest

from subpixel.train.presets import PRESETS, Preset
from subpixel.train.steps.schedule import Clock, Phase, learning_rate, phase_at

PRESET = Preset("plain", steps=90, finetune=10, batch=16, crop=24, late_crop=48)


def test_a_run_has_phases() -> None:
    early, late = Phase("l1", True, 16, 24), Phase("l1", True, 4, 48)
    assert [phase_at(PRESET, place) for place in (0, 59.9, 60, 89.9)] == [early, early, late, late]
    assert phase_at(PRESET, 90) == Phase("l2", False, 4, 48, finetuning=True)
    alike = replace(PRESET, late_crop=None, loss="charbonnier")
    assert phase_at(alike, 89) == Phase("charbonnier", True, 16, 24)
    assert phase_at(alike, 95) == Phase("l2", False, 16, 24, finetuning=True)


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"smoke"}))
def test_crops_of_late_phases_are_as_many_pixels(name: str) -> None:
    preset = replace(PRESETS[name], late_crop=2 * PRESETS[name].crop)
    assert preset.max_crop == 2 * preset.crop
    phase = phase_at(preset, preset.steps)
    pixels = preset.batch * preset.crop**2
    assert phase.batch * phase.crop**2 == pytest.approx(pixels, rel=0.5)
    assert phase.batch >= 2


def test_by_steps_the_place_is_the_step() -> None:
    clock = Clock(PRESET, None, 12.0)
    assert [clock.place(step) for step in (0, 50, 100)] == [0, 50, 100]
    assert clock.spent == pytest.approx(12, abs=5)


def test_by_time_the_place_is_what_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all sessions, whatever the number of steps; the device is waited for now and then."""
    now, waits = [100.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = Clock(PRESET, 40.0, spent=10.0, settle=lambda: waits.append(now[0]), interval=5)
    assert clock.place(7) == 25
    now[0] = 110
    assert clock.place(8) == 25, "not asked for at every step"
    assert clock.place(10) == 50
    assert waits == [100, 110]
    assert clock.seconds_left(10, 7) == 20
    now[0] = 131
    assert clock.place(15) > PRESET.length
    assert clock.seconds_left(15, 7) == 0


def test_the_rate_warms_up_by_steps_and_falls_by_place() -> None:
    assert learning_rate(PRESET, 0.0, 0) == PRESET.rate / 100
    assert learning_rate(PRESET, 50.0, 400) == pytest.approx(PRESET.rate / 2)
    assert learning_rate(PRESET, 101.0, 5000) == pytest.approx(0, abs=1e-9)
    assert learning_rate(PRESET, 30) == learning_rate(PRESET, 30, 30)
