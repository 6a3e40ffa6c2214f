"""Importing torchvision where its compiled library does not match the installed PyTorch.

torchvision's wheels are built for one build of PyTorch (PyPI's for CUDA). With another one, the
CPU-only wheel for example, its library of operators does not load, and then its Python part fails
to import: it registers shape functions for undeclared operators ("operator torchvision::nms does
not exist", https://github.com/pytorch/vision/issues/9085). spandrel only uses two pure Python
functions of torchvision, so it is enough to declare the two operators without an implementation.
Nothing that needs a compiled operator works then; none of spandrel's networks needs one.
"""

import importlib
import sys

import torch

SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""The operators that torchvision's Python part registers without a check whether they exist."""


def ensure_torchvision() -> None:
    """Import torchvision, declaring its operators where its library of them does not load.

    Nothing is declared where the import works. Any other failure is raised unchanged:
    :class:`ModuleNotFoundError` where torchvision is not installed, for example.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if not any(f"operator {name} does not exist" in str(error) for name in SCHEMAS):
            raise
        _forget("torchvision")
        for name, schema in SCHEMAS.items():
            torch.library.define(name, schema)
        importlib.import_module("torchvision")


def _forget(package: str) -> None:
    """Remove the partially imported modules of a package, so that it can be imported again."""
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
        del sys.modules[name]
