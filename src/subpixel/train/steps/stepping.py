"""One step of training: computed call by call, or replayed by the GPU as one CUDA graph.

A step of a small network is some hundred short kernels, which a processor can't launch as fast as a
GPU runs them. A graph is launched as one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from subpixel.train.data.source import CropSource, count_flats
from subpixel.train.steps.losses import LOSSES
from subpixel.train.steps.schedule import Phase
from subpixel.train.steps.state import TrainingState, update_average

Parts = tuple[Tensor, ...]
"""What a :class:`CropSource` draws."""

WARM_UP_CALLS = 3
"""Steps before a graph is captured: libraries choose their algorithms, Adam makes its state."""


class TrainingStep(Protocol):
    """Updates weights and average; returns the loss, which the next step may overwrite."""

    def __call__(self, parts: Parts, rate: float, decay: float) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Learner:
    """All that the steps of a phase need."""

    state: TrainingState
    source: CropSource
    phase: Phase
    teacher: nn.Module | None = None
    flat_share: float = 0.0

    def advance(self, parts: Parts, decay: float | Tensor) -> Tensor:
        """One step at the optimiser's present rate; the loss, ``()`` float32."""
        low, high = self.source.cut(parts, self.phase.crop)
        # what is cast once would be kept for replays, in which weights are others
        with torch.autocast(
            low.device.type,
            torch.bfloat16,
            enabled=self.phase.rounded and supports_bfloat16(low.device.type),
            cache_enabled=False,
        ):
            upscaled = self.state.net(low)
            target = self._choose_target(low, high)
        loss = LOSSES[self.phase.loss](upscaled.float(), target)
        follow_gradient(self.state.adam, loss, self.state.net)
        update_average(self.state.average, self.state.net, decay)
        return loss.detach()

    def _choose_target(self, low: Tensor, high: Tensor) -> Tensor:
        """Flat crops are their own target, whatever a teacher makes of them."""
        if self.teacher is None or self.phase.finetuning:
            return high
        taught = choose_target(self.teacher, low, high)
        photographs = len(low) - count_flats(len(low), self.flat_share)
        return torch.cat([taught[:photographs], high[photographs:]])


class EagerStep:
    """Call by call, on any device."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def __call__(self, parts: Parts, rate: float, decay: float) -> Tensor:
        set_rate(self._learner.state.adam, rate)
        return self._learner.advance(parts, decay)


class Graphs(Protocol):
    """How computations are captured and run again; tests have one for the processor."""

    def warm_up(self, compute: Callable[[], Tensor]) -> Tensor:
        """The result of ``compute``, run where capturing wants what precedes it to have run."""

    def capture(self, compute: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Records ``compute`` without running it: what runs it, and where its result lies then."""


class CudaGraphs:
    """CUDA's own."""

    def warm_up(self, compute: Callable[[], Tensor]) -> Tensor:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            result = compute()
        torch.cuda.current_stream().wait_stream(side)
        return result

    def capture(self, compute: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            result = compute()
        return graph.replay, result


class GraphStep:
    """The first steps call by call, later ones as a graph of the same computation.

    What changes from step to step is copied into tensors that the graph reads. The optimiser's
    rates must be tensors on the device.
    """

    def __init__(self, learner: Learner, graphs: Graphs, device: str) -> None:
        self._learner, self._graphs = learner, graphs
        self._decay = torch.zeros((), device=device)
        self._calls = 0
        self._parts: Parts = ()
        self._replay: Callable[[], None] | None = None
        self._loss = self._decay

    def __call__(self, parts: Parts, rate: float, decay: float) -> Tensor:
        set_rate(self._learner.state.adam, rate)
        self._decay.fill_(decay)
        self._calls += 1
        if self._calls <= WARM_UP_CALLS:
            return self._graphs.warm_up(lambda: self._learner.advance(parts, self._decay))
        if self._replay is None:
            self._parts = tuple(part.clone() for part in parts)
            # gradients must lie in the graph's own memory
            self._learner.state.adam.zero_grad(set_to_none=True)
            self._replay, self._loss = self._graphs.capture(
                lambda: self._learner.advance(self._parts, self._decay)
            )
        for place, part in zip(self._parts, parts, strict=True):
            place.copy_(part)
        self._replay()
        return self._loss


def open_step(learner: Learner, device: str) -> TrainingStep:
    """The fastest way to take steps on ``device``, a name of PyTorch's."""
    if torch.device(device).type == "cuda":
        return GraphStep(learner, CudaGraphs(), device)
    return EagerStep(learner)


def follow_gradient(adam: torch.optim.Optimizer, loss: Tensor, net: nn.Module) -> None:
    """Update the weights of ``net`` by one step down the gradient of ``loss``, its norm clipped."""
    adam.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    adam.step()


def make_adam(net: nn.Module, device: str) -> torch.optim.Adam:
    """On a GPU its rate is a tensor there, so that a graph can be replayed at another."""
    if torch.device(device).type == "cuda":
        rate = torch.zeros((), device=device)
        return torch.optim.Adam(net.parameters(), lr=rate, foreach=True, capturable=True)
    return torch.optim.Adam(net.parameters(), lr=0.0, foreach=True)


def set_rate(adam: torch.optim.Optimizer, rate: float) -> None:
    for group in adam.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


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
