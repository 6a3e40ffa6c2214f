"""The training loop, top to bottom. Killed at any moment, it resumes from its last saved state."""

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
from subpixel.system.files.atomic import atomic_file
from subpixel.train.data import Luma, Pair, Pairs, draw_batch
from subpixel.train.networks import build_network, fit_warm_start, to_published_form
from subpixel.train.presets import Preset
from subpixel.train.reparam.collapsible import collapse_convolutions, collapse_state

SAVE_EVERY_SECONDS = 30.0
REPORT_EVERY_STEPS = 500


@dataclass(frozen=True)
class Progress:
    """The progress of a run."""

    step: int
    steps: int
    loss: float
    psnr: float
    """In dB, on the held-out luma, of the averaged weights."""
    seconds_left: float
    sample: Luma
    """The first held-out picture, upscaled with the averaged weights."""


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

    Returns the network with the moving average of its weights, in the form that is published.
    ``state_file`` holds the state of the run; when it exists the run resumes from it. The weights
    start as those of ``warm_start``, which is grown where it is smaller; from another scale, all
    but the last layer. ``teacher``, a network for the same luma, is moved to ``device``; until
    fine-tuning its results are the target (:func:`choose_target`), then the photographs.

    Every step depends only on the seed and the state before it, so on one machine a run that was
    interrupted gives the same result as an uninterrupted one.
    """
    net = build_network(preset, scale, seed)
    if warm_start is not None:
        copy_matching_weights(fit_warm_start(warm_start, preset, seed), net)
    move_to(device, net, *([teacher.eval()] if teacher is not None else []))
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
        with torch.autocast(device, torch.bfloat16, enabled=mixed and not finetuning):
            upscaled = net(low)
            target = high if finetuning else choose_target(teacher, low, high)
        loss = (functional.mse_loss if finetuning else functional.l1_loss)(upscaled.float(), target)
        take_step(adam, loss, net, learning_rate(preset, step))
        update_average(average, net, min(preset.averaging, (1 + step) / (10 + step)))
        step += 1

        if step % REPORT_EVERY_STEPS == 0 or step == steps:
            seconds_left = (time.monotonic() - started) / (step - first) * (steps - step)
            psnr, sample = measure_psnr(average, pairs[1])
            report(Progress(step, steps, loss.item(), psnr, seconds_left, sample))
        if time.monotonic() - saved > SAVE_EVERY_SECONDS or step == steps:
            save_state(state_file, net, average, adam, step)
            saved = time.monotonic()

    # safetensors rejects tensors in channels_last order
    average.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return to_published_form(average).eval()


def move_to(device: str, *modules: nn.Module) -> None:
    """Move ``modules`` to ``device``, in the memory format in which convolutions are fastest."""
    for module in modules:
        module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def take_step(adam: torch.optim.Optimizer, loss: Tensor, net: nn.Module, rate: float) -> None:
    """Update the weights of ``net`` by one step down the gradient of ``loss``, its norm clipped."""
    for group in adam.param_groups:
        group["lr"] = rate
    adam.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    adam.step()


def choose_target(teacher: nn.Module | None, low: Tensor, high: Tensor) -> Tensor:
    """The target for ``low``: the teacher's result, or ``high`` without a teacher.

    Response-based knowledge distillation (Hinton et al., arXiv 1503.02531; Gou et al., arXiv
    2006.05525). A photograph has detail that can't be inferred from ``low``; a trained network's
    result has only what it could learn to infer, so the gradient is less noisy. ``(N, 1, H, W)`` in
    float32, not clipped to 0 … 1, like the student's.
    """
    if teacher is None:
        return high
    with torch.no_grad():
        taught: Tensor = teacher(low)
    return taught.float()


def supports_bfloat16(device: str) -> bool:
    """Whether ``device`` has bfloat16 instructions. A processor without them emulates bfloat16, and
    took seven times as long for a step as in float32."""
    # torch.cpu.get_capabilities, which is public, is newer than the oldest supported PyTorch
    return device != "cpu" or torch.cpu._is_avx512_bf16_supported()


def update_average(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the average towards the collapsed weights of ``net``. Not towards the factors that are
    trained: the product of averages isn't the average of products."""
    state = average.state_dict()
    with torch.no_grad():
        for key, value in collapse_state(net).items():
            state[key].lerp_(value, 1 - decay)


def learning_rate(preset: Preset, step: int) -> float:
    """Half a cosine over the whole run, with a hundred steps of linear warm-up."""
    progress = step / (preset.steps + preset.finetune)
    warm_up = min(1.0, (step + 1) / 100)
    return warm_up * preset.rate * 0.5 * (1 + math.cos(math.pi * progress))


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


def save_state(
    file: Path, net: nn.Module, average: nn.Module, adam: torch.optim.Optimizer, step: int
) -> None:
    """Write the complete state of the run, atomically."""
    state = {
        "net": net.state_dict(),
        "average": average.state_dict(),
        "adam": adam.state_dict(),
        "step": step,
    }
    with atomic_file(file, overwrite=True) as stream:
        torch.save(state, stream)


def restore_state(
    file: Path, net: nn.Module, average: nn.Module, adam: torch.optim.Optimizer
) -> int:
    """Load the state in ``file``, if there is one, and return the step to resume from.

    Raises :class:`CheckpointError` for the state of another network, and for a damaged file.
    """
    if not file.exists():
        return 0
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        adam.load_state_dict(state["adam"])
        return int(state["step"])
    except Exception as error:  # the unpickler raises almost anything for damaged data
        raise CheckpointError(
            f"{file} holds no state of this run ({one_line(error, most=100)}); "
            "remove it to start again, or name another output"
        ) from error
