"""The results of PyTorch's modules for a picture, and the picture with one result replaced."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.jit import ScriptModule

from subpixel.nets.torch_op import TorchOp
from subpixel.runtime.op import Pixels

Hook = Callable[[str, object], Tensor | None]
"""Is called with a module's path and result; a tensor that it returns replaces the result."""

OUTER = "net."
"""The name under which subpixel's wrappers hold the wrapped network."""


def modules_in_order(op: TorchOp, pixels: Pixels) -> tuple[str, ...]:
    """Dotted paths of the modules that return one tensor and run once, in the order in which they
    finish.

    Paths are relative to the network itself, also inside a wrapper. There are none of TorchScript.
    """
    order: list[str] = []
    with _hook_modules(op.module, lambda path, result: _note_path(order, path, result)):
        op(pixels)
    counts = Counter(order)
    return tuple(path for path in order if counts[path] == 1)


def _note_path(order: list[str], path: str, result: object) -> None:
    if isinstance(result, Tensor):
        order.append(path)


def activations(
    op: TorchOp, pixels: Pixels, paths: Collection[str]
) -> Mapping[str, NDArray[np.float32]]:
    """The results of the modules ``paths``, each of which returns one tensor, as float32."""
    results: dict[str, NDArray[np.float32]] = {}

    def keep(path: str, result: object) -> None:
        if path in paths and isinstance(result, Tensor):
            results[path] = result.detach().float().numpy().copy()

    with _hook_modules(op.module, keep):
        op(pixels)
    return results


def with_activation(op: TorchOp, pixels: Pixels, path: str, value: NDArray[np.float32]) -> Pixels:
    """The picture when the module ``path`` returns ``value`` whatever its input."""

    def give(at: str, result: object) -> Tensor | None:
        if at != path or not isinstance(result, Tensor):
            return None
        return torch.from_numpy(value).to(result.dtype)

    with _hook_modules(op.module, give):
        return op(pixels)


@contextmanager
def _hook_modules(module: nn.Module, hook: Hook) -> Iterator[None]:
    handles = [
        part.register_forward_hook(_forward_hook(path, hook))
        for path, part in _inner_modules(module)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _forward_hook(path: str, hook: Hook) -> Callable[[nn.Module, object, object], Tensor | None]:
    return lambda _module, _given, result: hook(path, result)


def _inner_modules(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for path, part in module.named_modules():
        if isinstance(part, ScriptModule):  # runs in an interpreter of its own, without hooks
            continue
        while path.startswith(OUTER):
            path = path.removeprefix(OUTER)
        if path and f"{path}." != OUTER:
            yield path, part
