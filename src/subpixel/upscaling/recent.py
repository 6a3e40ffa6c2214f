"""Upscaling in a single call, with the networks of the last few calls kept open."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.network.locate import locate
from subpixel.network.tuning_cache import tuning_folder
from subpixel.upscaling.alpha import AlphaMode
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.upscaler import Image, Upscaler, expect_model, expect_scale
from subpixel.zoo import manifest
from subpixel.zoo.family import first_network, tuned_network

CAPACITY = 4
"""How many upscalers stay open for further calls."""


@dataclass(frozen=True)
class UpscalerRequest:
    """The arguments of :class:`~subpixel.upscaling.upscaler.Upscaler` that :func:`upscale` has."""

    model: str | Path
    scale: int | None = None
    denoise: float | None = None
    device: str = "auto"
    tile: int | None = None
    threads: int | None = None
    tuning: bool = True
    alpha: AlphaMode = "repaint"

    def __post_init__(self) -> None:
        expect_model(self.model)
        expect_scale(self.scale)

    def open(self) -> Upscaler:
        """Raises what :class:`~subpixel.upscaling.upscaler.Upscaler` raises."""
        return Upscaler(
            self.model,
            scale=self.scale,
            denoise=self.denoise,
            device=self.device,
            tile=self.tile,
            threads=self.threads,
            tuning=self.tuning,
            alpha=self.alpha,
        )


@dataclass(frozen=True)
class _FileState:
    """A file or folder as the file system shows it; zeros where there is none."""

    path: Path
    modified_ns: int
    size: int


@dataclass(frozen=True)
class _Entry:
    upscaler: Upscaler
    states: tuple[_FileState, ...]
    """Of the network's file and of the folder of tunings, when it was opened."""

    def is_current(self) -> bool:
        return all(_look_up(state.path) == state for state in self.states)


class RecentUpscalers:
    """The last few upscalers that were asked for, open; threads may share it.

    One is opened anew where its network's file, or what ``subpixel tune`` found, has changed.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity, self._lock = capacity, threading.Lock()
        self._entries: OrderedDict[tuple[Path, UpscalerRequest], _Entry] = OrderedDict()

    def get(self, request: UpscalerRequest) -> Upscaler:
        """The open upscaler of this request, or one that is opened now; raises what
        :class:`~subpixel.upscaling.upscaler.Upscaler` raises."""
        key = Path(request.model).absolute(), request  # a name may be a file in another folder
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None or not entry.is_current():
                entry = _open_entry(request)
            self._entries[key] = entry
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
            return entry.upscaler


_RECENT = RecentUpscalers()


def upscale(
    image: Image,
    *,
    model: str | Path = manifest.AUTO,
    scale: int | None = None,
    denoise: float | None = None,
    device: str = "auto",
    tile: int | None = None,
    threads: int | None = None,
    tuning: bool = True,
    alpha: AlphaMode = "repaint",
    size: TargetSize | None = None,
) -> Image:
    """Upscale one array or Pillow image, by ``scale`` or to a ``size``.

    Takes and returns what :class:`~subpixel.upscaling.upscaler.Upscaler` does when it is called,
    and has its arguments; ``size`` takes the place of ``scale``, so both together raise
    :class:`~subpixel.errors.UsageError`. The networks of the last few calls stay open, so a further
    call with the same arguments costs no more than that of an
    :class:`~subpixel.upscaling.upscaler.Upscaler`.
    """
    if scale is not None and size is not None:
        raise UsageError("got scale and size; name one of them, such as size=TargetSize(width=640)")
    request = UpscalerRequest(model, scale, denoise, device, tile, threads, tuning, alpha)
    return _RECENT.get(request)(image, size=size)


def _open_entry(request: UpscalerRequest) -> _Entry:
    network = tuned_network(first_network(request.model, request.denoise))
    paths = locate(network, request.scale).absolute(), tuning_folder()
    states = tuple(map(_look_up, paths))  # before the network is read: a change meanwhile counts
    return _Entry(request.open(), states)


def _look_up(path: Path) -> _FileState:
    try:
        status = path.stat()
    except OSError:
        return _FileState(path, 0, 0)
    return _FileState(path, status.st_mtime_ns, status.st_size)
