"""What a training step spends: its parts, and what threads, layout, bfloat16 and folding cost.

    python benchmarks/step_profile.py --preset balanced --scale 3 --rounds 5

Prints a Markdown table of milliseconds a step. The settings take turns, round by round, and the
fastest round of each counts, so that other work on the machine disturbs all alike. CPU is the
processor time of all threads: where it is far above the wall clock's, threads wait for each other;
where far below, something else ran. Pictures are noise, as for a step all pictures are equal.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from unittest.mock import patch

import numpy as np
import torch

from subpixel.train.data.crops import PhotographCrops
from subpixel.train.data.source import FlatsAmong, Pair
from subpixel.train.loop import begin_state, measure_psnr
from subpixel.train.presets import PRESETS, Preset
from subpixel.train.reparam.collapsible import collapse_state
from subpixel.train.steps import stepping
from subpixel.train.steps.losses import LOSSES
from subpixel.train.steps.schedule import phase_at
from subpixel.train.steps.state import TrainingState, update_average
from subpixel.train.steps.stepping import EagerStep, Learner, follow_gradient

STEPS = 2
"""Of each round."""


@dataclass(frozen=True)
class Setting:
    """One way to take a step."""

    name: str
    threads: int = 2
    channels_last: bool = True
    bfloat16: bool | None = None
    """None: where the processor has it."""
    plain: bool = False
    """Convolutions are trained as they run; what folding pairs costs is the difference."""


SETTINGS = (
    Setting("as it is"),
    Setting("one thread", threads=1),
    Setting("channels first", channels_last=False),
    Setting("float32", bfloat16=False),
    Setting("bfloat16", bfloat16=True),
    Setting("plain convolutions", plain=True),
)


@dataclass
class Cost:
    """Of the fastest round, in seconds a step."""

    wall: float = inf
    cpu: float = inf


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--preset", choices=sorted(PRESETS), default="balanced")
    options.add_argument("--scale", type=int, default=3)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    preset = PRESETS[given.preset]
    wholes = profile_settings(preset, given.scale, given.rounds)
    parts = profile_parts(preset, given.scale, given.rounds)
    print("| a step | wall clock | CPU |\n|---|---|---|")
    for name, cost in {**wholes, **parts}.items():
        print(f"| {name} | {cost.wall * 1000:.0f} ms | {cost.cpu * 1000:.0f} ms |")
    return 0


def profile_settings(preset: Preset, scale: int, rounds: int) -> dict[str, Cost]:
    takers = {setting.name: (setting, open_taker(preset, scale, setting)) for setting in SETTINGS}
    costs = {name: Cost() for name in takers}
    for _ in range(rounds):
        for name, (setting, take) in takers.items():
            with running_as(setting):
                measure(take, costs[name], STEPS)
    return costs


def open_taker(preset: Preset, scale: int, setting: Setting) -> Callable[[], object]:
    """Draws a batch and takes a step."""
    preset = replace(preset, block="plain") if setting.plain else preset
    state, source = begin(preset, scale)
    if not setting.channels_last:
        for net in (state.net, state.average):
            net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    phase = phase_at(preset, 0)
    take = EagerStep(Learner(state, source, phase, None, preset.flat_share))
    return lambda: take(source.draw(phase.batch, phase.crop, 0), 1e-4, preset.averaging)


def begin(preset: Preset, scale: int) -> tuple[TrainingState, FlatsAmong]:
    noise = np.random.default_rng(0).integers(0, 256, (4, 480, 480, 3), dtype=np.uint8)
    crops = PhotographCrops([[picture] for picture in noise], scale)
    return begin_state(preset, scale, 0, "cpu", None), FlatsAmong(
        crops, preset.flat_share or 1 / 16
    )


@contextmanager
def running_as(setting: Setting) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    supports = (
        stepping.supports_bfloat16 if setting.bfloat16 is None else lambda _: setting.bfloat16
    )
    try:
        with patch.object(stepping, "supports_bfloat16", supports):
            yield
    finally:
        torch.set_num_threads(before)


def profile_parts(preset: Preset, scale: int, rounds: int) -> dict[str, Cost]:
    """What "as it is" consists of, and what a held-out tile of 160 by 160 costs."""
    state, source = begin(preset, scale)
    phase = phase_at(preset, 0)
    low, high = source.cut(source.draw(phase.batch, phase.crop, 0), phase.crop)
    loss = LOSSES[phase.loss]
    tile = np.zeros((160, 160), np.float32)
    pairs = [Pair(tile, np.ones((160 * scale, 160 * scale), np.float32))]
    parts: dict[str, Callable[[], object]] = {
        "of it: drawing the batch": lambda: source.draw(phase.batch, phase.crop, 0),
        "of it: folding the pairs": lambda: collapse_state(state.net),
        "of it: the average, folding included": lambda: update_average(
            state.average, state.net, 0.999
        ),
        "of it: forward, float32": lambda: loss(state.net(low), high).detach(),
        "of it: forward, backward and Adam, float32": lambda: follow_gradient(
            state.adam, loss(state.net(low), high), state.net
        ),
        "a held-out tile of 160 by 160": lambda: measure_psnr(state.average, pairs),
    }
    costs = {name: Cost() for name in parts}
    for _ in range(rounds):
        for name, part in parts.items():
            with running_as(SETTINGS[0]):
                measure(part, costs[name], 1)
    return costs


def measure(call: Callable[[], object], cost: Cost, times: int) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    cost.wall = min(cost.wall, (time.perf_counter() - wall) / times)
    cost.cpu = min(cost.cpu, (time.process_time() - cpu) / times)


if __name__ == "__main__":
    sys.exit(main())
