"""The training loop, top to bottom. Killed at any moment, it resumes from its last saved state."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError, UsageError
from subpixel.train.data.source import CropSource, FlatsAmong, Luma, Pair
from subpixel.train.flat_corners import settle_corners
from subpixel.train.networks import build_network, fit_warm_start, to_published_form
from subpixel.train.presets import Preset
from subpixel.train.reparam.collapsible import collapse_convolutions
from subpixel.train.steps.order import UNTOLD, RunInputs, RunOrder
from subpixel.train.steps.schedule import Clock, learning_rate, phase_at
from subpixel.train.steps.state import TrainingState, averaging_decay, restore_state, save_state
from subpixel.train.steps.stepping import Learner, TrainingStep, make_adam, open_step

SAVE_EVERY_SECONDS = 30.0
REPORT_EVERY_STEPS = 500
REPORTS_BY_TIME = 40
"""How often a run reports that has a time."""

SETTLE_EVERY_STEPS = 50
"""How often a run that has a time waits for a GPU to see how late it is."""

SETTLING_BATCHES = 8
"""Batches of photographs on which the last layer is held while flat pictures are settled."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run."""

    step: int
    steps: int | None
    """None for a run that has a time, until its last step."""
    loss: float
    psnr: float
    """In dB, on the held-out luma, of the averaged weights."""
    seconds_left: float
    sample: Luma
    """The first held-out picture, upscaled with the averaged weights."""
    seconds: float = 0.0
    """That the run took so far, over all sessions."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The result of a run."""

    net: nn.Module
    """With the moving average of its weights, in the form that is published, on the CPU."""
    steps: int
    seconds: float


def train(
    preset: Preset,
    scale: int,
    source: CropSource,
    held_out: Sequence[Pair],
    state_file: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    seconds: float | None = None,
    warm_start: nn.Module | None = None,
    teacher: nn.Module | None = None,
    inputs: RunInputs = UNTOLD,
    report: Callable[[Progress], None] = lambda progress: None,
) -> TrainedNetwork:
    """Train the preset's network on the crops of ``source``, which are on ``device``.

    ``state_file`` holds the state of the run; when it exists the run resumes from it, if that was
    of the same preset, scale, seed and ``inputs``: these are only compared. With
    ``seconds`` the recipe is run through in that time, over all sessions, whatever the number of
    steps; without, in the preset's steps. The weights start as those of ``warm_start``, which is
    grown where it is smaller; from another scale, all but the last layer. ``teacher``, a network
    for the same luma, is moved to ``device``; until fine-tuning its results are the target, then
    the photographs.

    By steps, every step depends only on the seed and the state before it, so on one machine a run
    that was interrupted gives the same result as an uninterrupted one. On a GPU the steps are
    replayed as CUDA graphs. Raises :class:`UsageError` for the state of a run of another order, and
    where ``seconds`` are over before the first step.
    """
    order = RunOrder(preset, scale, seed, inputs)
    state = begin_state(preset, scale, seed, device, warm_start)
    restore_state(state_file, state, order)
    if not state.step:
        save_state(state_file, state, order)  # from here on what lies beside it is this run's
    if teacher is not None:
        move_to(device, teacher.eval())
    photographs = source
    if preset.flat_share:
        source = FlatsAmong(source, preset.flat_share, seed, device)
    clock = _start_clock(preset, seconds, state, device)
    first, saved, reported = state.step, time.monotonic(), clock.spent
    take: TrainingStep | None = None
    phase = None

    with _fast_algorithms(device):
        place = clock.place(state.step)
        while place < preset.length:
            if take is None or phase != phase_at(preset, place):
                phase = phase_at(preset, place)
                learner = Learner(state, source, phase, teacher, preset.flat_share)
                take = open_step(learner, device)
            assert phase is not None
            parts = source.draw(phase.batch, phase.crop, state.step)
            rate = learning_rate(preset, place, state.step)
            loss = take(parts, rate, averaging_decay(preset.averaging, state.step))
            state.step, state.seconds = state.step + 1, clock.spent

            place = clock.place(state.step)
            over = place >= preset.length
            if time.monotonic() - saved > SAVE_EVERY_SECONDS or over:
                save_state(state_file, state, order)
                saved = time.monotonic()
            due = state.step % REPORT_EVERY_STEPS == 0
            if seconds is not None:
                due = clock.spent - reported > seconds / REPORTS_BY_TIME
            if due or over:
                left = clock.seconds_left(state.step, first)
                report(_measure_progress(state, preset, seconds, held_out, loss, left, over=over))
                reported = clock.spent

    if not state.step:
        raise UsageError(f"{seconds:g} s are over before the first step; give it more time")
    return TrainedNetwork(_finish(state, preset, photographs), state.step, state.seconds)


def _finish(state: TrainingState, preset: Preset, photographs: CropSource) -> nn.Module:
    """The averaged network as it is published; flat to the corners where flat crops were trained
    on."""
    # safetensors rejects tensors in channels_last order
    state.average.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    net = to_published_form(state.average).eval()
    if preset.flat_share:
        settle_corners(net, _draw_lows(photographs, preset, state.step))
    return net


def _draw_lows(source: CropSource, preset: Preset, step: int) -> Iterator[Tensor]:
    """The low resolution of the batches that come after ``step`` steps, on the CPU."""
    for later in range(SETTLING_BATCHES):
        parts = source.draw(preset.batch, preset.crop, step + later)
        yield source.cut(parts, preset.crop)[0].cpu()


def begin_state(
    preset: Preset, scale: int, seed: int, device: str, warm_start: nn.Module | None
) -> TrainingState:
    """A run before its first step."""
    net = build_network(preset, scale, seed)
    if warm_start is not None:
        copy_matching_weights(fit_warm_start(warm_start, preset, seed), net)
    move_to(device, net)
    average = collapse_convolutions(net).requires_grad_(False)
    return TrainingState(net, average, make_adam(net, device))


def _start_clock(preset: Preset, seconds: float | None, state: TrainingState, device: str) -> Clock:
    if torch.device(device).type != "cuda":
        return Clock(preset, seconds, state.seconds)
    return Clock(preset, seconds, state.seconds, torch.cuda.synchronize, SETTLE_EVERY_STEPS)


@contextmanager
def _fast_algorithms(device: str) -> Iterator[None]:
    """On a GPU convolutions are chosen by trying them out; those in float32 have all its bits."""
    if torch.device(device).type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=False, allow_tf32=False
    ):
        yield


def _measure_progress(
    state: TrainingState,
    preset: Preset,
    seconds: float | None,
    held_out: Sequence[Pair],
    loss: Tensor,
    seconds_left: float,
    *,
    over: bool,
) -> Progress:
    psnr, sample = measure_psnr(state.average, held_out)
    steps = preset.length if seconds is None else state.step if over else None
    return Progress(state.step, steps, loss.item(), psnr, seconds_left, sample, state.seconds)


def move_to(device: str, module: nn.Module) -> None:
    """Move ``module`` to ``device``, in the memory format in which convolutions are fastest."""
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def measure_psnr(net: nn.Module, pairs: Sequence[Pair]) -> tuple[float, Luma]:
    """Mean PSNR in dB of full-range luma over whole ``pairs``; and the first one's upscaled
    luma."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        results = [_enlarge_luma(net, pair.low, device) for pair in pairs]
    errors = [np.mean((r - p.high) ** 2) for r, p in zip(results, pairs, strict=True)]
    return fmean(-10 * math.log10(error) for error in errors), results[0]


def _enlarge_luma(net: nn.Module, low: Luma, device: torch.device) -> Luma:
    result: Luma = net(torch.from_numpy(low)[None, None].to(device))[0, 0].clamp(0, 1).cpu().numpy()
    return result


def copy_matching_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy the parameters that both networks have, by name and shape.

    Raises :class:`CheckpointError` where there are none.
    """
    own = target.state_dict()
    shared = {k: v for k, v in source.state_dict().items() if k in own and v.shape == own[k].shape}
    if not shared:
        raise CheckpointError(
            f"a {type(source).__name__} has no layer in common with a "
            f"{type(target).__name__} of this size; a warm start is a checkpoint of the same "
            "network, of any scale"
        )
    target.load_state_dict(shared, strict=False)
