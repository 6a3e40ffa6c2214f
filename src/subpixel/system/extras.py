"""Errors for optional dependencies that aren't installed."""

from collections.abc import Mapping
from importlib.util import find_spec

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
    "torchmetrics": "perceptual",
    "piq": "perceptual",
    "pillow_heif": "heif",
    "pillow_jxl": "jxl",
    "brotli": "jxl",
    "backports": "tiff",
    "rawpy": "raw",
    "starlette": "serve",
    "uvicorn": "serve",
    "python_multipart": "serve",
    "prometheus_client": "serve",
    "onnxruntime_extensions": "bytes",
    "av": "video",
    "onnxruntime_ep_webgpu": "webgpu",
    "ray": "ray",
    "fsspec": "ray",
    "watchfiles": "watch",
}
"""The extra that installs a package, by the package's import name."""


def explain_missing(error: ModuleNotFoundError) -> Exception:
    """A :class:`ProviderError` that names the extra to install, or ``error`` if there is none."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return error
    return ProviderError(
        f"this needs the package {package}, which is not installed: install subpixel with its "
        f"extra {EXTRAS[package]!r}, from its repository: pip install '.[{EXTRAS[package]}]'"
    )


def expect_installed(package: str) -> None:
    """Raise the error of :func:`explain_missing` where ``package`` is missing; nothing is
    imported."""
    if find_spec(package) is None:
        raise explain_missing(ModuleNotFoundError(name=package))
