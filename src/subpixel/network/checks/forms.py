"""Which files are forms of one network: the same network in another precision.

What names such a file may have been written by anybody, so nothing of it is believed but what the
file itself shows.
"""

import os
from pathlib import Path

from subpixel.errors import SpecError
from subpixel.network.identify import is_ort_file, read_declared_spec
from subpixel.runtime.devices import find_device
from subpixel.spec import ModelSpec, Precision
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.hashing import hash_file
from subpixel.zoo.manifest import FOLDER, INT8

MADE_NETWORKS = "networks"
"""Below the cache's folder: the networks that ``subpixel tune`` made."""


def find_fault(
    file: Path, sha256: str, network: Path, device: str, precision: Precision
) -> str | None:
    """Why ``file`` is not ``network``, in ``precision`` on ``device``; None where it is.

    It must be ``network`` itself, or lie in a folder of subpixel's own, have this ``sha256`` and
    state the facts of ``network``. Raises :class:`OSError` where a file can't be read.
    """
    spec = _read_facts(network)
    if not _is_same_file(file, network):
        if not _is_in_own_folder(file):
            return "is in no folder of subpixel's own"
        if not file.is_file() or hash_file(file) != sha256:
            return "is gone or changed"
        form = _read_facts(file)
        if spec is None or form is None or not _is_form(form, spec):
            return f"is no form of {network.name}"
        spec = form
    elif hash_file(file) != sha256:
        return "is gone or changed"
    own = spec.precision if spec is not None else _precision_of_unstated(network)
    if own is not None and precision != own and not _converts(device, precision):
        return f"can't be computed in {precision} on {device}"
    return None


def _is_in_own_folder(file: Path) -> bool:
    """Links included: it is where they lead that counts."""
    place = Path(os.path.realpath(file)).parent
    own = (FOLDER, cache_folder() / MADE_NETWORKS)
    return file.is_absolute() and place in [Path(os.path.realpath(folder)) for folder in own]


def _is_same_file(file: Path, network: Path) -> bool:
    return os.path.realpath(file) == os.path.realpath(network)


def _read_facts(file: Path) -> ModelSpec | None:
    try:
        return None if is_ort_file(file) else read_declared_spec(file)
    except SpecError:
        return None


def _is_form(form: ModelSpec, spec: ModelSpec) -> bool:
    return _identity(form) == _identity(spec)


def _identity(spec: ModelSpec) -> tuple[object, ...]:
    """What stays as it is in every precision."""
    name = spec.name.removesuffix(INT8)
    return name, spec.scale, spec.colour, spec.architecture, spec.purpose, spec.origin


def _precision_of_unstated(network: Path) -> Precision | None:
    """Third-party files count as fp32; what one of ONNX Runtime's own format holds, only that
    reads."""
    return None if is_ort_file(network) else "fp32"


def _converts(device: str, precision: Precision) -> bool:
    return find_device(device).runtime == "openvino" and precision in ("bf16", "fp16")
