"""subpixel: from a PyTorch super-resolution network to pictures on any machine.

The face of the package is the list below. Names are loaded when they are first used: importing
``subpixel`` imports neither PyTorch nor ONNX Runtime nor a picture library.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime would leave a device ID and a database in the home directory. It reads this when it
# is imported; whoever wants its telemetry sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

_HOMES = {
    "CheckReport": "graph.check",
    "EncodeOptions": "media.image_file",
    "ModelSpec": "spec",
    "ParityReport": "parity.compare",
    "Picture": "media.picture",
    "ReleaseReport": "publish.release",
    "SubpixelError": "errors",
    "TargetSize": "upscaling.size.target_size",
    "Tolerance": "parity.compare",
    "Upscaler": "upscaling.upscaler",
    "export": "publish.release:release",
    "read_picture": "media.image_file",
    "upscale": "upscaling.recent",
    "verify": "parity.verify",
    "write_picture": "media.image_file",
}

__all__ = [  # noqa: RUF022 - in the order in which a newcomer meets them
    "upscale",
    "Upscaler",
    "TargetSize",
    "Picture",
    "EncodeOptions",
    "read_picture",
    "write_picture",
    "export",
    "ReleaseReport",
    "CheckReport",
    "verify",
    "ParityReport",
    "Tolerance",
    "ModelSpec",
    "SubpixelError",
    "__version__",
]

if TYPE_CHECKING:
    from subpixel.errors import SubpixelError
    from subpixel.graph.check import CheckReport
    from subpixel.media.image_file import EncodeOptions, read_picture, write_picture
    from subpixel.media.picture import Picture
    from subpixel.parity.compare import ParityReport, Tolerance
    from subpixel.parity.verify import verify
    from subpixel.publish.release import ReleaseReport
    from subpixel.publish.release import release as export
    from subpixel.spec import ModelSpec
    from subpixel.upscaling.recent import upscale
    from subpixel.upscaling.size.target_size import TargetSize
    from subpixel.upscaling.upscaler import Upscaler


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module holds
    if name not in _HOMES:
        raise AttributeError(f"module 'subpixel' has no attribute {name!r}")
    module, _, own_name = _HOMES[name].partition(":")
    try:
        return getattr(import_module(f"subpixel.{module}"), own_name or name)
    except ModuleNotFoundError as error:
        from subpixel.system.extras import explain_missing

        raise explain_missing(error) from error


def __dir__() -> list[str]:
    return __all__
