"""What to say when an optional dependency isn't installed."""

from collections.abc import Mapping

from subpixel.errors import ProviderError

EXTRAS: Mapping[str, str] = {
    "torch": "torch",
    "onnxscript": "torch",
    "safetensors": "torch",
    "spandrel": "torch",
    "torchvision": "torch",
    "cloudpickle": "torch",
    "spandrel_extra_arches": "extra-architectures",
    "openvino": "openvino",
}
"""The extra that installs a package, by the package's import name."""


def explained(error: ModuleNotFoundError) -> Exception:
    """A :class:`ProviderError` that names the extra to install, or ``error`` if there is none."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return error
    return ProviderError(
        f"this needs the package {package}, which is not installed: install subpixel with its "
        f"extra {EXTRAS[package]!r}, from its repository: pip install '.[{EXTRAS[package]}]'"
    )
