"""The training loop, top to bottom. Killed at any moment, it resumes where it last saved."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.errors import CheckpointError, one_line
from subpixel.system.atomic import atomic_path
from subpixel.train.data import Luma, Pair, Pairs, draw_batch
from subpixel.train.networks import build_network, fit_warm_start, to_published_form
from subpixel.train.presets import Preset
from subpixel.train.reparam.collapsible import collapse_convolutions, collapse_state

SAVE_EVERY_SECONDS = 30.0
REPORT_EVERY_STEPS = 500


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int
    steps: int
    loss: float
    psnr: float
    """In dB, on the held-out luma, of the averaged weights."""
    seconds_left: float
    sample: Luma
    """What the averaged weights make of the first held-out picture."""


def train(
    preset: Preset,
    scale: int,
    pairs: tuple[Pairs, Sequence[Pair]],
    state_file: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    warm_start: nn.Module | None = None,
    teacher: nn.Module | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> nn.Module:
    """Train the preset's network on ``pairs`` (training, held out).

    Returned is the average of its weights over the last steps, as it runs. ``state_file`` holds
    the run; when it exists the run goes on from there. ``warm_start`` lends its weights, grown
    first where it is smaller; from another scale, all but the last layer. ``teacher``, a network
    for the same luma, is moved to ``device``; the steps before fine-tuning :func:`choose_target` at its
    pictures, fine-tuning at the photographs.

    Every step depends on the seed and on what was there before it, so that a run that was
    interrupted ends as an unbroken one does, on the same machine.
    """
    net = build_network(preset, scale, seed)
    if warm_start is not None:
        copy_matching_weights(fit_warm_start(warm_start, preset, seed), net)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if teacher is not None:
        teacher.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = collapse_convolutions(net).requires_grad_(False)
    adam = torch.optim.Adam(net.parameters(), lr=preset.rate, foreach=True)
    first = step = restore_state(state_file, net, average, adam)
    steps = preset.steps + preset.finetune
    started = saved = time.monotonic()
    mixed = supports_bfloat16(device)

    while step < steps:
        finetuning = step >= preset.steps
        low, high = (
            torch.from_numpy(part).to(device)
            for part in draw_batch(pairs[0], preset.batch, preset.crop, seed, step)
        )
        for group in adam.param_groups:
            group["lr"] = learning_rate(preset, step)
        adam.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=mixed and not finetuning):
            upscaled = net(low)
            wanted = high if finetuning else choose_target(teacher, low, high)
        loss = (functional.mse_loss if finetuning else functional.l1_loss)(upscaled.float(), wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        update_average(average, net, min(preset.averaging, (1 + step) / (10 + step)))
        step += 1

        if step % REPORT_EVERY_STEPS == 0 or step == steps:
            seconds_left = (time.monotonic() - started) / (step - first) * (steps - step)
            psnr, sample = measure_psnr(average, pairs[1])
            report(Progress(step, steps, loss.item(), psnr, seconds_left, sample))
        if time.monotonic() - saved > SAVE_EVERY_SECONDS or step == steps:
            save_state(state_file, net, average, adam, step)
            saved = time.monotonic()

    # safetensors refuses what channels_last leaves
    average.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return to_published_form(average).eval()


def choose_target(teacher: nn.Module | None, low: Tensor, high: Tensor) -> Tensor:
    """What is to be made of ``low``: what the teacher makes of it; without one, ``high``.

    Response-based knowledge distillation (Hinton et al., arXiv 1503.02531; Gou et al., arXiv
    2006.05525). A photograph has detail that nobody can tell from ``low``, a trained network's
    picture only what it could learn to tell, so the gradient has less noise. ``(N, 1, H, W)`` in
    float32, not clipped to 0 … 1, as the student's isn't.
    """
    if teacher is None:
        return high
    with torch.no_grad():
        taught: Tensor = teacher(low)
    return taught.float()


def supports_bfloat16(device: str) -> bool:
    """Whether ``device`` has instructions for it. A processor that has none imitates them, and
    took seven times as long for a step as in float32."""
    # torch.cpu.get_capabilities, which is public, is younger than the oldest PyTorch we take
    return device != "cpu" or torch.cpu._is_avx512_bf16_supported()


def update_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the average towards ``net``'s weights: those it runs with, not the factors it trains,
    as the product of averages isn't the average of products."""
    state = average.state_dict()
    with torch.no_grad():
        for key, value in collapse_state(net).items():
            state[key].lerp_(value, 1 - decay)


def learning_rate(preset: Preset, step: int) -> float:
    """Half a cosine over the whole run, after a hundred steps of linear warm-up."""
    progress = step / (preset.steps + preset.finetune)
    warm_up = min(1.0, (step + 1) / 100)
    return warm_up * preset.rate * 0.5 * (1 + math.cos(math.pi * progress))


def measure_psnr(net: nn.Module, pairs: Sequence[Pair]) -> tuple[float, Luma]:
    """Mean PSNR in dB over ``pairs``, full-range luma, whole pictures; and the first enlarged."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        results = [_enlarge_luma(net, pair.low, device) for pair in pairs]
    errors = [np.mean((r - p.high) ** 2) for r, p in zip(results, pairs, strict=True)]
    return fmean(-10 * math.log10(error) for error in errors), results[0]


def _enlarge_luma(net: nn.Module, low: Luma, device: torch.device) -> Luma:
    result: Luma = net(torch.from_numpy(low)[None, None].to(device))[0, 0].clamp(0, 1).cpu().numpy()
    return result


def copy_matching_weights(source: nn.Module, target: nn.Module) -> None:
    """Copy every parameter whose name and shape both networks share.

    Raises :class:`CheckpointError` where there is none.
    """
    wanted = target.state_dict()
    shared = {
        k: v for k, v in source.state_dict().items() if k in wanted and v.shape == wanted[k].shape
    }
    if not shared:
        raise CheckpointError(
            f"a {type(source).__name__} has no layer to lend to a {type(target).__name__} of this "
            "size; a warm start is a checkpoint of the same network, of any scale"
        )
    target.load_state_dict(shared, strict=False)


def save_state(
    file: Path, net: nn.Module, average: nn.Module, adam: torch.optim.Optimizer, step: int
) -> None:
    """Write the run's whole state, whole or not at all."""
    state = {
        "net": net.state_dict(),
        "average": average.state_dict(),
        "adam": adam.state_dict(),
        "step": step,
    }
    with atomic_path(file, overwrite=True) as partial:
        torch.save(state, partial)


def restore_state(
    file: Path, net: nn.Module, average: nn.Module, adam: torch.optim.Optimizer
) -> int:
    """Take up the state in ``file``, if there is one, and return the step to go on from.

    Raises :class:`CheckpointError` for the state of another network, and for a damaged one.
    """
    if not file.exists():
        return 0
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        adam.load_state_dict(state["adam"])
        return int(state["step"])
    except Exception as error:  # damaged bytes make the unpickler raise almost anything
        raise CheckpointError(
            f"{file} holds no state of this run ({one_line(error, most=100)}); "
            "remove it to begin anew, or name another output"
        ) from error
