"""What a run is, and how it is saved and taken up again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from subpixel.errors import CheckpointError, one_line
from subpixel.system.files.atomic import atomic_file
from subpixel.train.reparam.collapsible import collapse_state
from subpixel.train.steps.order import WAYS_ON, RunOrder, expect_same_order


@dataclass
class TrainingState:
    """The weights that are trained, their moving average in collapsed form, and the optimiser."""

    net: nn.Module
    average: nn.Module
    adam: torch.optim.Adam
    step: int = 0
    """Steps taken."""
    seconds: float = 0.0
    """Time that they took, over all sessions."""


def save_state(file: Path, state: TrainingState, order: RunOrder) -> None:
    """Write the complete state of the run, and what it was told, atomically."""
    content = {
        "order": order.values(),
        "net": state.net.state_dict(),
        "average": state.average.state_dict(),
        "adam": state.adam.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
    }
    with atomic_file(file, overwrite=True) as stream:
        torch.save(content, stream)


def is_begun(file: Path, order: RunOrder) -> bool:
    """Whether ``file`` holds the state of a run of this ``order`` that has taken a step.

    Raises :class:`~subpixel.errors.UsageError` where it is a run of another order, and
    :class:`CheckpointError` for a damaged file.
    """
    return _read_begun(file, order) is not None


def restore_state(file: Path, state: TrainingState, order: RunOrder) -> None:
    """Load what is in ``file``, if there is one and a step was taken, into ``state``.

    Raises what :func:`is_begun` raises, and :class:`CheckpointError` for the state of another
    network.
    """
    content = _read_begun(file, order)
    if content is None:
        return
    try:
        state.net.load_state_dict(content["net"])
        state.average.load_state_dict(content["average"])
        _restore_adam(state.adam, content["adam"])
        state.step, state.seconds = int(content["step"]), float(content["seconds"])
    except Exception as error:  # anything may lie in a damaged file
        raise _no_state(file, error) from error


def _read_begun(file: Path, order: RunOrder) -> dict[str, Any] | None:
    """The state in ``file``; None where no step was taken yet, whatever the order was."""
    if not file.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        if not content["step"]:
            return None
    except Exception as error:  # the unpickler raises almost anything for damaged data
        raise _no_state(file, error) from error
    expect_same_order(file, content.get("order"), order)
    return content


def _no_state(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{file} holds no state of this run ({one_line(error, most=100)}); {WAYS_ON}"
    )


def _restore_adam(adam: torch.optim.Adam, content: dict[str, object]) -> None:
    """All but the rate, which each step sets anew; on a GPU it is a tensor there."""
    rates = [group["lr"] for group in adam.param_groups]
    adam.load_state_dict(content)
    for group, rate in zip(adam.param_groups, rates, strict=True):
        group["lr"] = rate


def update_average(average: nn.Module, net: nn.Module, decay: float | Tensor) -> None:
    """Move the average towards the collapsed weights of ``net``. Not towards the factors that are
    trained: the product of averages isn't the average of products."""
    own: Mapping[str, Tensor] = average.state_dict()
    with torch.no_grad():
        for key, value in collapse_state(net).items():
            own[key].lerp_(value, 1 - decay)


def averaging_decay(most: float, step: int) -> float:
    """Less at the start, where the first weights are not worth keeping."""
    return min(most, (1 + step) / (10 + step))
