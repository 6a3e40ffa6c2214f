"""Networks built by a function in a module of the user. This runs the user's code."""

import importlib
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from torch import nn

from subpixel.errors import CheckpointError, NetworkError, UsageError, one_line
from subpixel.nets.architectures.architecture import Checkpoint
from subpixel.nets.torch_op import TorchOp, expect_runnable, is_torch_out_of_memory
from subpixel.nets.unwrap import unwrap_copy, unwrap_module
from subpixel.network.probe import EarlyResult, expect_repeatable, probe
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec
from subpixel.system.users_code import AskedToEndError, users_code

_REFERENCE = re.compile(r"([\w.]+):(\w+)")


def load_factory(reference: str) -> Checkpoint:
    """Import a module, call its factory, and return the network.

    ``reference`` is ``package.module:factory``; as with ``python -m``, the module may be in the
    current folder, which stays on the path for later imports. The factory takes no argument and
    returns a PyTorch module with its weights that maps ``(N, C, H, W)`` in 0 … 1 to ``(N, C, H *
    scale, W * scale)``; or the module and its :class:`~subpixel.spec.ModelSpec`. Without one,
    channels, scale and size multiple are determined by running the module. In place of a factory
    there may be such a module itself, of which a copy is taken.

    Raises :class:`~subpixel.errors.UsageError` for a reference of another form, and
    :class:`CheckpointError` when there is no such module or factory, when either raises, or
    when the result is no super-resolution network.
    """
    try:
        return _to_checkpoint(reference, _call_factory(reference, _factory(reference)))
    except NetworkError as error:
        raise CheckpointError(f"{reference}: {error}") from error


def _factory(reference: str) -> Callable[[], object]:
    form = _REFERENCE.fullmatch(reference)
    if not form or form[1].endswith(".py"):
        raise UsageError(
            f"{reference} is no reference to a factory; write {_suggest_reference(reference)}"
        )
    module = _import_module(form[1])
    factory: object = getattr(module, form[2], None)
    if isinstance(factory, nn.Module):
        return partial(unwrap_copy, factory)
    if not callable(factory):
        names = [name for name, value in vars(module).items() if callable(value)]
        near = get_close_matches(form[2], names, n=3)
        what = "isn't a function" if factory is not None else "is not there"
        raise CheckpointError(
            f"{form[2]} {what} in {form[1]}" + (f"; near it is {', '.join(near)}" if near else "")
        )
    return factory


def _suggest_reference(reference: str) -> str:
    """What is likely meant by a file's name, with a function or without."""
    file, _, name = reference.partition(":")
    module = re.sub(r"[/\\]", ".", file.removeprefix("./").removesuffix(".py"))
    likely = f"{module}:{name or 'FACTORY'}"
    return likely if _REFERENCE.fullmatch(likely) else "package.module:factory"


def _import_module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        with users_code():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise CheckpointError(
                f"there is no module {error.name}, in {folder} or among the installed packages"
            ) from error
        raise CheckpointError(f"importing {name} failed: {one_line(error)}") from error
    except Exception as error:
        raise CheckpointError(f"importing {name} failed: {_describe_error(error)}") from error


def _call_factory(reference: str, factory: Callable[[], object]) -> object:
    try:
        with users_code():
            return factory()
    except Exception as error:
        name = reference.partition(":")[2]
        raise CheckpointError(f"{name}() failed: {_describe_error(error)}") from error


def _describe_error(error: BaseException) -> str:
    if isinstance(error, AskedToEndError) and error.__cause__:
        error = error.__cause__
    return f"{type(error).__name__}: {one_line(error)}"


def _to_checkpoint(reference: str, returned: object) -> Checkpoint:
    parts = returned if isinstance(returned, tuple) else (returned,)
    match parts:
        case (nn.Module() as module,):
            return probe_module(module, reference)
        case (nn.Module() as module, ModelSpec() as spec):
            module = prepare_module(module)
            early = expect_repeatable(TorchOp(module), spec)
            return Checkpoint(module, spec, early=(early,) if early else ())
    kinds = ", ".join(type(part).__name__ for part in parts)
    raise CheckpointError(
        f"returned {kinds}; a factory returns a torch.nn.Module, or one and its ModelSpec"
    )


@dataclass(frozen=True, eq=False)
class _FreeOp:
    """A module without known facts, as an op that can be probed."""

    module: nn.Module
    input_shape: tuple[int | str | None, ...] = (None, None, None, None)
    early: dict[bool, EarlyResult] = field(default_factory=dict)
    """Its first result for a picture of one value everywhere (True), and for any other."""

    def __call__(self, pixels: Pixels, /) -> Pixels:
        try:
            result = TorchOp(self.module)(pixels)
        except NetworkError:
            raise
        except Exception as error:  # its code may raise anything at sizes that it doesn't support
            raise NetworkError(
                f"it fails on a picture of shape {pixels.shape}: {_describe_error(error)}"
            ) from error
        self.early.setdefault(not np.ptp(pixels), EarlyResult(pixels, result))
        return result


def prepare_module(module: nn.Module) -> nn.Module:
    """``module`` itself, unwrapped, on the processor, in float32 and in eval mode.

    Raises :class:`~subpixel.errors.NetworkError` for a module without values for its weights, and
    for one that takes more than a picture.
    """
    expect_runnable(module := unwrap_module(module))
    with warnings.catch_warnings():
        # Of each weight of TorchScript: that its gradient is looked at.
        warnings.filterwarnings("ignore", message=r"The \.grad attribute of a Tensor that is not a")
        try:
            with users_code():
                return module.cpu().float().eval()
        except Exception as error:  # its code may raise anything
            if is_torch_out_of_memory(error):
                raise MemoryError(one_line(error)) from error
            raise NetworkError(
                f"it can't be put in eval mode, in float32: {_describe_error(error)}"
            ) from error


def probe_module(module: nn.Module, origin: str) -> Checkpoint:
    """A module without known facts, with those that running it shows.

    ``origin`` states its source; the part after a colon is the network's name. Raises
    :class:`~subpixel.errors.NetworkError` where it is no super-resolution network.
    """
    module = prepare_module(module)
    op = _FreeOp(module)
    spec = probe(op, origin.rpartition(":")[2])
    spec = replace(
        spec,
        architecture=type(module).__name__,
        purpose="restoration" if spec.scale == 1 else "super-resolution",
        origin=origin,
    )
    return Checkpoint(module, spec, early=tuple(op.early.values()))
