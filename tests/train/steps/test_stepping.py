"""A graph's replays are the steps that they stand for; flat crops stay flat."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from subpixel.nets.architectures.plain import PlainNet
from subpixel.train.data.device.device_crops import DeviceCrops
from subpixel.train.data.source import CropSource, FlatsAmong, Pair
from subpixel.train.loop import train
from subpixel.train.networks import build_network
from subpixel.train.presets import Preset
from subpixel.train.reparam.collapsible import collapse_convolutions
from subpixel.train.steps.schedule import Phase, phase_at
from subpixel.train.steps.state import TrainingState, averaging_decay
from subpixel.train.steps.stepping import WARM_UP_CALLS, EagerStep, GraphStep, Learner, TrainingStep

PRESET = Preset("plain", steps=30, finetune=0, channels=4, depth=1, batch=4, crop=8)


class ReplaysOnProcessor:
    """A stand-in for CUDA's graphs: what is captured is computed again from the same tensors."""

    def __init__(self) -> None:
        self.captured = self.warmed = 0

    def warm_up(self, compute: Callable[[], Tensor]) -> Tensor:
        self.warmed += 1
        return compute()

    def capture(self, compute: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        self.captured += 1
        place = torch.zeros(())

        def replay() -> None:
            place.copy_(compute())

        return replay, place


def begin(rate: float | Tensor) -> TrainingState:
    net = build_network(PRESET, 2, seed=0)
    adam = torch.optim.Adam(net.parameters(), lr=rate, foreach=False)
    return TrainingState(net, collapse_convolutions(net).requires_grad_(False), adam)


def photographs() -> DeviceCrops:
    random = np.random.default_rng(0)
    planes = [random.integers(256, size=(40, 48), dtype=np.uint8) for _ in range(3)]
    return DeviceCrops.of([planes], 2, 8)


def walk(step: TrainingStep, source: CropSource, steps: int) -> list[float]:
    return [
        float(
            step(source.draw(PRESET.batch, PRESET.crop, n), 1e-3 / (n + 1), averaging_decay(0.9, n))
        )
        for n in range(steps)
    ]


@pytest.mark.slow
def test_replays_are_the_steps_themselves() -> None:
    """With rates and decays that change, in single instead of double precision."""
    source, phase = FlatsAmong(photographs(), 0.25), Phase("l1", False, 4, 8)
    eager, replayed, graphs = begin(0.0), begin(torch.zeros(())), ReplaysOnProcessor()
    losses = [
        walk(EagerStep(Learner(eager, source, phase)), source, 12),
        walk(GraphStep(Learner(replayed, source, phase), graphs, "cpu"), source, 12),
    ]
    assert (graphs.warmed, graphs.captured) == (WARM_UP_CALLS, 1)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in ((eager.net, replayed.net), (eager.average, replayed.average)):
        for key, value in one.state_dict().items():
            torch.testing.assert_close(other.state_dict()[key], value, rtol=1e-4, atol=1e-6)


def test_flats_are_flat_and_as_many_as_asked_for() -> None:
    source = FlatsAmong(photographs(), 0.25)
    seen = set()
    for step in range(40):
        low, high = source.cut(source.draw(8, 8, step), 8)
        spans = (high.amax((1, 2, 3)) - high.amin((1, 2, 3))).tolist()
        assert [span == 0 for span in spans] == [False] * 6 + [True] * 2
        assert torch.equal(low[6:, 0, 0, 0], high[6:, 0, 0, 0])
        seen |= set((high[6:, 0, 0, 0] * 255).tolist())
    assert len(seen) > 40
    assert all(abs(level - round(level)) < 1e-4 for level in seen)


def test_flats_are_no_teacher_s_business() -> None:
    """Who would make them dark."""
    teacher = PlainNet(2, 4, 1)
    assert teacher.last.bias is not None
    torch.nn.init.constant_(teacher.last.bias, -0.5)
    source = FlatsAmong(photographs(), 0.5)
    learner = Learner(begin(0.0), source, phase_at(PRESET, 0), teacher, 0.5)
    low, high = source.cut(source.draw(4, 8, 0), 8)
    target = learner._choose_target(low, high)
    assert torch.equal(target[2:], high[2:])
    assert (target[:2] < high[:2]).float().mean() > 0.9


@pytest.mark.slow
def test_flats_teach_the_border(tmp_path: Path) -> None:
    """Two short runs, which differ in them alone."""
    errors = []
    held_out = [Pair(np.zeros((8, 8), np.float32), np.full((16, 16), 0.5, np.float32))]
    for share in (0.0, 0.25):
        preset = replace(PRESET, steps=600, flat_share=share, channels=8, averaging=0.9)
        done = train(preset, 2, photographs(), held_out, tmp_path / f"{share}.state")
        level = torch.ones(1, 1, 24, 24)
        errors.append(float((done.net(level) - 1).abs().max().detach()))
    assert errors[1] < errors[0] / 2
