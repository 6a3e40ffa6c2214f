"""A network file on a device: which runtime opens it, and which devices there are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from subpixel.errors import ProviderError
from subpixel.runtime import openvino
from subpixel.runtime.devices import AUTOMATIC, DEVICES, RACING, Arithmetic, find_device
from subpixel.runtime.op import Codes, NetOp
from subpixel.runtime.openvino import OpenVinoSession
from subpixel.runtime.plugins import describe_hardware, find_hardware, is_plugin_installed
from subpixel.runtime.session import Session, providers
from subpixel.system.session_options import Optimisation


class Opened(NetOp, Protocol):
    """A network file on a device, whatever runs it there."""

    device: str
    """A key of :data:`~subpixel.runtime.devices.DEVICES`."""
    provider: str
    """What really runs it."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's ``metadata_props``."""
        ...

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """Declared shape of the input, NCHW: a number where fixed, a name or None where free."""
        ...

    @property
    def takes_codes(self) -> bool:
        """Whether the file takes and gives 8-bit pictures, NHWC."""
        ...

    def codes(self, codes: Codes, /) -> Codes:
        """8-bit pictures through a file that :attr:`takes_codes`, without a detour."""
        ...


def available_devices() -> tuple[str, ...]:
    """The devices that the installed ONNX Runtime has a provider for, those of packages that bring
    one and find their hardware, and OpenVINO's if it is installed."""
    return tuple(name for name in DEVICES if find_obstacle(name) is None)


def racing_devices() -> tuple[str, ...]:
    """Those of :data:`~subpixel.runtime.devices.RACING` that are available."""
    return tuple(name for name in RACING if find_obstacle(name) is None)


def find_obstacle(name: str) -> str | None:
    """Why the device can't be had, or how it would be; None where it is available."""
    device = find_device(name)
    if is_plugin_installed(device):
        return _find_plugin_obstacle(name)
    if device.runtime == "openvino":
        there = openvino.is_installed()
    else:
        there = device.provider in providers()
    return None if there else f"missing: {device.install}"


def name_hardware(name: str) -> str | None:
    """What an available device of a plug-in runs on here, as ``"GPU, NVIDIA"``; None for others."""
    if not is_plugin_installed(find_device(name)):
        return None
    return describe_hardware(find_hardware(name))


def _find_plugin_obstacle(name: str) -> str | None:
    try:
        find_hardware(name)
    except ProviderError as error:
        return str(error)
    return None


def resolve_device(device: str) -> str:
    """The name of the device that ``device`` stands for: ``"auto"`` is the first that is available
    of :data:`~subpixel.runtime.devices.AUTOMATIC`.

    Raises :class:`~subpixel.errors.UsageError` for a name that isn't one of
    :data:`~subpixel.runtime.devices.DEVICES`.
    """
    if device == "auto":
        return next(name for name in AUTOMATIC if find_obstacle(name) is None)
    find_device(device)
    return device


def open_session(
    model: bytes | Path,
    *,
    device: str = "cpu",
    threads: int | None = None,
    runs: int = 1,
    arithmetic: Arithmetic = "fp32",
    optimisation: Optimisation = "all",
    captured: bool = False,
) -> Opened:
    """Open ``model``, a file's path or its bytes, on ``device`` (``"auto"``, or a key of
    :data:`~subpixel.runtime.devices.DEVICES`).

    So many ``runs`` are to be under way at a time, called from as many threads, each on
    ``threads`` of its own (None: one per physical core). ``arithmetic`` is what floating point is
    computed in, where OpenVINO leaves the choice; ``optimisation`` is how far ONNX Runtime may
    rewrite the graph, and OpenVINO has no such levels; ``captured`` replays CUDA graphs, on CUDA
    and TensorRT.

    Raises what :class:`~subpixel.runtime.session.Session` and
    :class:`~subpixel.runtime.openvino.OpenVinoSession` raise, and :class:`ProviderError` where
    the device leaves no choice of arithmetic.
    """
    device = resolve_device(device)
    if find_device(device).runtime == "openvino":
        return OpenVinoSession(model, threads=threads, runs=runs, arithmetic=arithmetic)
    if arithmetic != "fp32":
        raise ProviderError(
            f"{device}: ONNX Runtime computes in what the file says and not in {arithmetic} at "
            "will; use --device openvino, or a file of that precision (subpixel quantize)"
        )
    return Session(
        model, device=device, threads=threads, optimisation=optimisation, captured=captured
    )
