"""Importing torchvision where its compiled part does not match the installed PyTorch.

torchvision's wheels are built for one build of PyTorch (PyPI's for CUDA). Beside another one,
the CPU-only wheel for example, its library of operators does not load, and then its Python part
refuses to be imported: it registers shape functions for operators that nobody has declared
("operator torchvision::nms does not exist", https://github.com/pytorch/vision/issues/9085).
spandrel imports torchvision, but for two functions of pure Python alone, so declaring the two
operators, without any implementation, is all that is missing. Nothing that needs a compiled
operator works then; none of spandrel's networks does.
"""

import importlib
import sys

import torch

SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""The operators that torchvision's Python part registers without looking whether they exist."""


def ensure_torchvision() -> None:
    """Import torchvision, declaring its operators where its own library of them does not load.

    Nothing is declared where the import works by itself. Any other failure is raised as it is:
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
    """Take the half-imported modules of a package out, so that it is imported afresh."""
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
        del sys.modules[name]
