"""Modules without what training and compilation put around them."""

import copy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

COMPILED = "_orig_mod"
"""Where ``torch.compile`` keeps the module that it was given."""

AROUND = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
"""What holds a module as ``module`` and computes what that computes."""


def unwrap_copy(module: nn.Module) -> nn.Module:
    """A copy of the network inside ``torch.compile``, DataParallel, DistributedDataParallel and
    ``AveragedModel``, at any depth; its parts, too, are without what is around them.

    Exporters look at the graph of the network itself. ``module`` stays as it is.
    """
    while (inner := _inner(module)) is not None:
        module = inner
    return unwrap_module(copy.deepcopy(module))


def unwrap_module(module: nn.Module) -> nn.Module:
    """The same without a copy: parts of ``module`` are changed in place."""
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
    elif isinstance(module, torch._dynamo.eval_frame.OptimizedModule):
        inner = getattr(module, COMPILED)
    else:
        return None
    assert isinstance(inner, nn.Module)
    return inner
