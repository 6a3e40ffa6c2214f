"""The user's own network, made by a function of the user's own module. That code is run."""

import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from torch import nn

from subpixel.errors import CheckpointError, NetworkError, one_line
from subpixel.nets.architectures.architecture import Checkpoint
from subpixel.nets.torch_op import TorchOp
from subpixel.nets.wrapped import unwrapped_module
from subpixel.network.probe import probe
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec

_REFERENCE = re.compile(r"([\w.]+):(\w+)")


def load_factory(reference: str) -> Checkpoint:
    """Import a module, call its factory, and take the network that comes out.

    ``reference`` is ``package.module:factory``; modules in the current folder are found, as with
    ``python -m``, and the folder stays on the path for code that is imported later. The factory
    takes no argument and returns a PyTorch module, with its weights, that maps ``(N, C, H, W)``
    in 0 … 1 to ``(N, C, H * scale, W * scale)``; or the module and its
    :class:`~subpixel.spec.ModelSpec`. Without one, channels, scale and size multiple are found
    out by running the module.

    Raises :class:`CheckpointError` when there is no such module or factory, when either raises,
    or when what it returns is no super-resolution network.
    """
    try:
        return _checkpoint(reference, _called(reference, _factory(reference)))
    except NetworkError as error:
        raise CheckpointError(f"{reference}: {error}") from error


def _factory(reference: str) -> Callable[[], object]:
    form = _REFERENCE.fullmatch(reference)
    if not form:
        raise CheckpointError("names no factory; write package.module:factory")
    module = _imported(form[1])
    found: object = getattr(module, form[2], None)
    if not callable(found):
        names = [name for name, value in vars(module).items() if callable(value)]
        near = get_close_matches(form[2], names, n=3)
        what = "isn't a function" if found is not None else "is not there"
        raise CheckpointError(
            f"{form[2]} {what} in {form[1]}" + (f"; near it is {', '.join(near)}" if near else "")
        )
    return found


def _imported(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise CheckpointError(
                f"there is no module {error.name}, in {folder} or among the installed packages"
            ) from error
        raise CheckpointError(f"importing {name} failed: {one_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise CheckpointError(f"importing {name} failed: {_told(error)}") from error


def _called(reference: str, factory: Callable[[], object]) -> object:
    try:
        return factory()
    except (Exception, SystemExit) as error:
        name = reference.partition(":")[2]
        raise CheckpointError(f"{name}() failed: {_told(error)}") from error


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _checkpoint(reference: str, made: object) -> Checkpoint:
    parts = made if isinstance(made, tuple) else (made,)
    match parts:
        case (nn.Module() as module,):
            return probed(module, reference)
        case (nn.Module() as module, ModelSpec() as spec):
            return Checkpoint(_ready(module), spec)
    kinds = ", ".join(type(part).__name__ for part in parts)
    raise CheckpointError(
        f"returned {kinds}; a factory returns a torch.nn.Module, or one and its ModelSpec"
    )


def _ready(module: nn.Module) -> nn.Module:
    return unwrapped_module(module).cpu().float().eval()


@dataclass(frozen=True, eq=False)
class _FreeOp:
    """A module of which nothing is known, as an op that can be probed."""

    module: nn.Module
    input_shape: tuple[int | str | None, ...] = (None, None, None, None)

    def __call__(self, pixels: Pixels, /) -> Pixels:
        try:
            return TorchOp(self.module)(pixels)
        except Exception as error:  # its code may raise anything at sizes it is not made for
            raise NetworkError(
                f"it fails on a picture of shape {pixels.shape}: {_told(error)}"
            ) from error


def probed(module: nn.Module, origin: str) -> Checkpoint:
    """A module of which nothing is known, with the facts that running it shows.

    ``origin`` says where it comes from; what follows a colon there is the network's name. Raises
    :class:`~subpixel.errors.NetworkError` where it is no super-resolution network.
    """
    module = _ready(module)
    spec = probe(_FreeOp(module), origin.rpartition(":")[2])
    spec = replace(
        spec,
        architecture=type(module).__name__,
        purpose="restoration" if spec.scale == 1 else "super-resolution",
        origin=origin,
    )
    return Checkpoint(module, spec)
