"""Modules that need an optional dependency, and what to say when it isn't installed."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from subpixel.errors import ProviderError

EXTRAS: Mapping[str, str] = {"torch": "torch", "onnxscript": "torch", "safetensors": "torch"}
"""The extra that installs a package, by the package's import name."""


def load(module: str) -> ModuleType:
    """Import one of subpixel's modules.

    Raises :class:`ProviderError` naming the extra to install when a package of it is missing.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise ProviderError(
            f"this needs the package {package}, which is not installed: "
            f"pip install 'subpixel[{EXTRAS[package]}]'"
        ) from error
