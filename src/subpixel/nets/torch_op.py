"""A PyTorch module as a NetOp."""

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from subpixel.errors import NetworkError, one_line
from subpixel.runtime.op import Pixels
from subpixel.system.users_code import users_code

Module = nn.Module
"""For the packages above, which pass PyTorch's modules on without importing PyTorch."""

OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "bad_alloc",
    "not enough memory",
    "out of memory",
    "could not create a primitive",  # oneDNN, for the code of a convolution
)
"""What PyTorch's exceptions say where memory was refused."""

MAX_PARTS_TOLD = 4
"""So many parts of a result that is no tensor are described."""


@dataclass(frozen=True, eq=False)
class TorchOp:
    """Runs ``module``, which must be in eval mode and on the CPU, with PyTorch's current
    threads. Raises :class:`MemoryError` where the system has no memory for it, and
    :class:`~subpixel.errors.NetworkError` where its result is no tensor."""

    module: Module

    def __call__(self, pixels: Pixels, /) -> Pixels:
        # A copy: some networks (RCAN's mean shift) modify their input in place.
        pixels = np.array(pixels, dtype=np.float32)
        try:
            with torch.inference_mode():
                result: Pixels = _run_module(self.module, torch.from_numpy(pixels)).float().numpy()
        except RuntimeError as error:
            if is_torch_out_of_memory(error):
                raise MemoryError(one_line(error)) from error
            raise
        return result


@dataclass(frozen=True, eq=False)
class ExactOp:
    """Runs ``module`` in float64: its result without the rounding of float32.

    Raises :class:`~subpixel.errors.NetworkError` where its code supports only float32, where it
    can't be copied and where its result is no tensor, and :class:`MemoryError` where the system has
    no memory for it.
    """

    module: Module

    def __call__(self, pixels: Pixels, /) -> NDArray[np.float64]:
        module = copy_module(self.module).double()
        try:
            with torch.inference_mode():
                exact = _run_module(module, torch.from_numpy(pixels.astype(np.float64)))
        except RuntimeError as error:  # its code mixes dtypes
            if is_torch_out_of_memory(error):
                raise MemoryError(one_line(error)) from error
            raise NetworkError(f"it does not run in float64: {one_line(error)}") from error
        result: NDArray[np.float64] = exact.double().numpy()
        return result


def copy_module(module: nn.Module) -> nn.Module:
    """A copy of everything. Raises :class:`~subpixel.errors.NetworkError` for a module that holds
    what can't be copied (a lock, an open file, a tensor with a history of gradients), and
    :class:`MemoryError` where the system has no memory for it."""
    try:
        with users_code():
            return copy.deepcopy(module)
    except Exception as error:  # whatever the things that it holds raise
        if is_torch_out_of_memory(error):
            raise MemoryError(one_line(error)) from error
        raise NetworkError(
            f"the module can't be copied ({type(error).__name__}: {one_line(error)}); take what "
            "can't be copied out of its attributes, such as locks, open files and tensors computed "
            "with gradients (tensor.detach())"
        ) from error


def expect_runnable(module: nn.Module) -> None:
    """Raise :class:`~subpixel.errors.NetworkError` for a module without values for its weights, and
    for one whose forward doesn't take exactly one input."""
    _expect_values(module)
    _expect_one_input(module)


def _expect_values(module: nn.Module) -> None:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    empty = [name for name, each in tensors if each.is_meta or is_lazy(each)]
    if empty:
        names = ", ".join(empty[:MAX_PARTS_TOLD]) + (", …" if len(empty) > MAX_PARTS_TOLD else "")
        lazy = any(is_lazy(each) for _, each in tensors)
        kind = "of layers that have not run yet" if lazy else "on the device 'meta'"
        raise NetworkError(
            f"{len(empty)} of its {len(tensors)} weights have no values, {kind}: {names}; load the "
            "weights first (module.load_state_dict(torch.load(file), assign=True))"
        )


def _expect_one_input(module: nn.Module) -> None:
    if module._forward_pre_hooks:  # these may add the inputs that are missing
        return
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # a forward that isn't Python's: running it tells
        return
    try:
        signature.bind("picture")
    except TypeError as error:
        raise NetworkError(
            f"its forward({', '.join(signature.parameters)}) can't be called with a picture alone "
            f"({error}); give the other inputs default values, or wrap the network in a module "
            "whose forward(self, x) passes them on"
        ) from error


def _run_module(module: nn.Module, pictures: Tensor) -> Tensor:
    with users_code():
        result: object = module(pictures)
    if not isinstance(result, Tensor):
        raise NetworkError(
            f"it returns {_describe_output(result)}; a network must return one tensor, the "
            "enlarged picture: wrap it in a module that returns this alone"
        )
    return result


def _describe_output(result: object) -> str:
    """The kind of a result, and of its parts: "a tuple of 2: a tensor (1, 3, 8, 8), None"."""
    if isinstance(result, Tensor):
        return f"a tensor {tuple(result.shape)}"
    if result is None:
        return "None"
    kind = type(result).__name__
    parts: list[str] | None = None
    if isinstance(result, Mapping):
        parts = [f"{name!r}: {_describe_kind(part)}" for name, part in result.items()]
    elif isinstance(result, list | tuple):
        parts = [_describe_kind(part) for part in result]
    if parts is None:
        return f"a {kind}"
    some = ", ".join(parts[:MAX_PARTS_TOLD]) + (", …" if len(parts) > MAX_PARTS_TOLD else "")
    return f"a {kind} of {len(parts)}: {some}"


def _describe_kind(part: object) -> str:
    """A part of a result; what it contains itself is left out."""
    if isinstance(part, Tensor) or part is None:
        return _describe_output(part)
    return f"a {type(part).__name__}"


def is_torch_out_of_memory(error: Exception) -> bool:
    """Whether a network failed for want of memory: PyTorch's own allocator, oneDNN's, C++'s and
    Python's say so in different words."""
    text = str(error)
    return isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY)
