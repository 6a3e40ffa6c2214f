"""A network file on a device: which runtime opens it, and which devices there are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from subpixel.errors import ProviderError
from subpixel.runtime import openvino
from subpixel.runtime.devices import AUTOMATIC, DEVICES, Arithmetic, find_device
from subpixel.runtime.op import Codes, NetOp
from subpixel.runtime.openvino import OpenVinoSession
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
    """The devices that the installed ONNX Runtime has a provider for, and OpenVINO's if it is
    installed."""
    return tuple(name for name in DEVICES if _is_available(name))


def _is_available(name: str) -> bool:
    device = DEVICES[name]
    return (
        openvino.is_installed() if device.runtime == "openvino" else device.provider in providers()
    )


def resolve_device(device: str) -> str:
    """The name of the device that ``device`` stands for: ``"auto"`` is the first that is available.

    Raises :class:`~subpixel.errors.UsageError` for a name that isn't one of
    :data:`~subpixel.runtime.devices.DEVICES`.
    """
    if device == "auto":
        return next(name for name in AUTOMATIC if _is_available(name))
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
