"""The networks that a server offers, by name, each opened at its first use."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.network.locate import bundled_scales
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.family import POINTS
from subpixel.zoo.manifest import AUTO, DRAWING, INT8, network_names

OpenUpscaler = Callable[[str | Path], Upscaler]
"""An upscaler of a bundled network's name or a file."""


@dataclass(frozen=True)
class ServedNetwork:
    """One network as clients see it."""

    name: str
    scales: tuple[int, ...]
    """Of the network itself; every other size is had of these."""
    default: bool
    """Whether requests that name none get it."""
    provider: str | None
    """What really runs it: ONNX Runtime's name of the execution provider, or OpenVINO; None: it
    isn't open yet."""


def default_models() -> tuple[str, ...]:
    """The bundled networks, the choice by picture first."""
    family = [point.name for point in POINTS]
    others = [name for name in network_names() if not name.endswith(INT8) and name not in family]
    return (AUTO, *family, DRAWING, *others)


class ServedNetworks:
    """What ``models`` names, bundled networks and files, the default first; threads may share it.

    A file is called by its name without the suffix. What isn't bundled is opened now, and so is
    the default, so what is wrong with them is raised here; raises
    :class:`UsageError` for two of one name.
    """

    def __init__(self, models: Sequence[str], open_upscaler: OpenUpscaler) -> None:
        self._open_upscaler, self._lock = open_upscaler, threading.Lock()
        self._models: dict[str, str | Path] = {}
        for model in models:
            path = Path(model)
            name = path.stem if path.is_file() else model
            if name in self._models:
                raise UsageError(f"two networks are called {name}; rename one of the files")
            self._models[name] = path if path.is_file() else model
        self.default = next(iter(self._models))
        self._open: dict[str, Upscaler] = {}
        self._scales = {name: bundled_scales(model, None) for name, model in self._models.items()}
        for name, scales in self._scales.items():
            if name == self.default or not scales:
                self._scales[name] = self.get(name).scales

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._models)

    def get(self, name: str | None) -> Upscaler:
        """The network of that name, or the default; raises :class:`UsageError` for another, and
        what opening it raises."""
        name = self.expect_name(name)
        with self._lock:
            if name not in self._open:
                self._open[name] = self._open_upscaler(self._models[name])
            return self._open[name]

    def expect_name(self, name: str | None) -> str:
        """``name`` again, or the default's; raises :class:`UsageError` for another."""
        name = self.default if name is None else name
        if name not in self._models:
            raise UsageError(
                f"no network is called {name[:60]!r}; there are {', '.join(self.names)}"
            )
        return name

    def scales(self, name: str) -> tuple[int, ...]:
        """The scales that the network is there in."""
        return self._scales[name]

    @property
    def providers(self) -> dict[str, str]:
        """What really runs each network that is open."""
        return {name: upscaler.provider for name, upscaler in self._open.items()}

    def list(self) -> list[ServedNetwork]:
        """All of them, as they are now."""
        providers = self.providers
        return [
            ServedNetwork(name, scales, name == self.default, providers.get(name))
            for name, scales in self._scales.items()
        ]
