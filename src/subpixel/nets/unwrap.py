"""Unwrapping modules: without ``torch.compile``, data parallelism and averaging."""

import sys

from torch import nn
from torch.optim.swa_utils import AveragedModel

from subpixel.nets.torch_op import copy_module

COMPILED = "_orig_mod"
"""The attribute in which ``torch.compile`` keeps the original module."""

AROUND = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
"""Wrappers that hold a module as ``module`` and compute the same."""


def unwrap_copy(module: nn.Module) -> nn.Module:
    """A copy of the network inside ``torch.compile``, DataParallel, DistributedDataParallel and
    ``AveragedModel``, at any depth, with its parts unwrapped too.

    Exporters need the network itself. ``module`` is not modified. Raises
    :class:`~subpixel.errors.NetworkError` for one that can't be copied.
    """
    while (inner := _inner(module)) is not None:
        module = inner
    return unwrap_module(copy_module(module))


def unwrap_module(module: nn.Module) -> nn.Module:
    """The same without a copy: parts of ``module`` are replaced in place."""
    while (inner := _inner(module)) is not None:
        module = inner
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if _inner(child) is not None:
                setattr(parent, name, unwrap_module(child))
    return module


def _inner(module: nn.Module) -> nn.Module | None:
    if isinstance(module, AROUND):
        inner = module.module
    elif _is_compiled(module):
        inner = getattr(module, COMPILED)
    else:
        return None
    assert isinstance(inner, nn.Module)
    return inner


def _is_compiled(module: nn.Module) -> bool:
    """Whether ``torch.compile`` made it; its package, seconds to import, is loaded in that case."""
    package = sys.modules.get("torch._dynamo")
    return package is not None and isinstance(module, package.eval_frame.OptimizedModule)
