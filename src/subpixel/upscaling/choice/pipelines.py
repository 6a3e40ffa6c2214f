"""The pipelines of one upscaler: one for each network and setting, made at its first use."""

import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import NetworkError, SubpixelError
from subpixel.network.flatness import Flatness
from subpixel.network.locate import has_int8_twin, locate, locate_precision
from subpixel.network.network import Network
from subpixel.network.opening import open_mixture, open_network
from subpixel.network.settings import MAX_FLAT_DIFFERENCE, RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.runtime.opening import racing_devices, resolve_device
from subpixel.upscaling.choice.device_race import settle_device
from subpixel.upscaling.choice.device_verdicts import Contest
from subpixel.upscaling.pipeline import Pipeline
from subpixel.upscaling.tiles.flat import Tally
from subpixel.zoo.family import find_mixture, tuned_network
from subpixel.zoo.manifest import INT8

NetworkName = str | Path | Network
"""A bundled network's name or a mixture's, a file, or a network that is open."""


@dataclass(frozen=True)
class NetworkFile:
    """What an upscaler was asked for."""

    name: NetworkName
    scale: int | None
    convention: Convention = UNKNOWN_CONVENTION


class Pipelines:
    """Pipelines by network, and by whether pictures have more than 8 bits; threads may share them.

    ``request`` is what was asked for, ``tuning`` what was tuned for the network of ``file``;
    ``adaptive`` is how flat is flat, where that was said. ``races`` is whether the device that
    ``auto`` stands for may be found out by running the network.
    """

    def __init__(
        self,
        request: RunSettings,
        file: NetworkFile,
        tuning: Tuning | None,
        adaptive: float | Flatness | None,
        *,
        races: bool = True,
    ) -> None:
        self._request, self._file, self._tuning = request, file, tuning
        self._adaptive, self._lock = adaptive, threading.Lock()
        self._tuned = file.name if isinstance(file.name, Network) else tuned_network(file.name)
        self._races, self._contests = races, threading.Lock()
        self._process = os.getpid()
        self._devices: dict[tuple[str | Path, bool], str] = {}
        self._twins: dict[str | Path, bool] = {}
        self._networks: dict[tuple[str | Path, RunSettings], Network] = {}
        self._pipelines: dict[tuple[str, TunedSettings | RunSettings], Pipeline] = {}
        self.tally = Tally()
        """How much was interpolated so far."""

    def at_scale(self, scale: int, tuning: Tuning | None) -> "Pipelines":
        """Of the same network at another scale, for which ``tuning`` was found; they share the
        tally."""
        file = replace(self._file, scale=scale)
        other = Pipelines(self._request, file, tuning, self._adaptive, races=self._races)
        other.tally = self.tally
        return other

    def get(self, name: NetworkName, *, deep: bool) -> Pipeline:
        """The one for 8-bit pictures, or for ``deep`` ones of more bits. Raises what opening the
        network raises; as tuned no longer, with a warning, where only that can't be had."""
        self._renew_after_fork()
        row = self._find_row(name, deep=deep)
        if row is None:
            return self._get(name, None, self.settings(name, deep=deep))
        try:
            return self._get(name, row, row.setting)
        except SubpixelError as error:
            tuning, self._tuning = self._tuning, None
            try:
                pipeline = self.get(name, deep=deep)
            except SubpixelError:  # what was tuned is not to blame
                self._tuning = tuning
                raise
            warnings.warn(f"what tune found can't be used, and is not: {error}", stacklevel=2)
            return pipeline

    def _renew_after_fork(self) -> None:
        """Forget what was opened in the process that this one was forked from: the threads that
        compute stayed there, and would be waited for without end."""
        if os.getpid() == self._process:
            return
        if isinstance(self._file.name, Network):
            raise NetworkError(
                "the network was opened before this process was forked, and computes in that "
                "process alone; open it in this one, or start processes by spawn or forkserver"
            )
        self._networks, self._pipelines = {}, {}
        self._lock, self._contests = threading.Lock(), threading.Lock()
        self._process = os.getpid()  # the last: other threads wait for nothing that is old

    def _get(self, name: NetworkName, row: TunedSettings | None, settings: RunSettings) -> Pipeline:
        key = str(name), row or settings
        with self._lock:
            made = self._pipelines
            if key not in made:
                made[key] = self._make(name, row, settings)
            return made[key]

    def settings(self, name: NetworkName, *, deep: bool) -> RunSettings:
        """As tuned; else 8-bit pictures are computed in 8-bit integers where that is exact."""
        row = self._find_row(name, deep=deep)
        if row is not None:
            return row.setting
        return self._settings_on(self._device(name, deep=deep), name, deep=deep)

    def describe(self, name: NetworkName, *, deep: bool) -> str:
        """What pixels depend on of how they are computed, for people."""
        row, settings = self._find_row(name, deep=deep), self.settings(name, deep=deep)
        tuned = row.flatness if row else None
        adaptive = self._adaptive if self._adaptive is not None else tuned or MAX_FLAT_DIFFERENCE
        parts = (
            f"{settings.device} {settings.precision or 'as the file says'}",
            f"tile {settings.tile}" if settings.tile is not None else "",
            f"adaptive {adaptive}" if settings.adaptive else "",
            f"tuned file {row.sha256[:16]}" if row else "",
        )
        return ", ".join(filter(None, parts))

    @property
    def flatness(self) -> Flatness | None:
        """What is interpolated, the most of any pipeline; None: nothing is."""
        areas = [pipeline.flatness for pipeline in self._pipelines.values()]
        flat = [area for area in areas if area is not None]
        if not flat:
            return None
        return Flatness(max(area.span for area in flat), max(area.bound for area in flat))

    def _settings_on(self, device: str, name: NetworkName, *, deep: bool) -> RunSettings:
        settings = replace(self._request, device=device).resolve()
        # On other devices than the processor the integer networks aren't exact, nor faster.
        left_open = settings.precision is None and device == "cpu"
        if deep or not left_open or isinstance(name, Network):
            return settings
        return replace(settings, precision="int8") if self._has_int8(name) else settings

    def _device(self, name: NetworkName, *, deep: bool) -> str:
        """The one asked for; for ``auto`` the processor, or what is faster than that by a contest.
        Who asks for few bits, or names a file of them, means the processor's."""
        device = resolve_device(self._request.device)
        left_open = self._request.device == "auto" and device == "cpu"
        precise = self._request.precision in (None, "fp32")
        if isinstance(name, Network) or not (self._races and left_open and precise):
            return device
        key = tuned_network(name), deep
        with self._contests:
            if key not in self._devices:
                rivals = racing_devices()
                self._devices[key] = self._find_faster(rivals, name, deep=deep) or device
            return self._devices[key]

    def _find_faster(self, rivals: Sequence[str], name: str | Path, *, deep: bool) -> str | None:
        """The first of ``rivals`` that is faster than the processor."""
        if not rivals:
            return None
        processor = self._open_on("cpu", name, deep=deep)
        precision = processor.spec.precision
        if precision == "int8" and not self._has_int8(name):
            return None
        file = locate(tuned_network(name), self._file.scale)
        for rival in rivals:
            verdict = settle_device(
                Contest(file.absolute(), precision, rival),
                processor,
                partial(self._open_on, rival, name, deep=deep),
                deep=deep,
            )
            if verdict.faster:
                return rival
        return None

    def _open_on(self, device: str, name: str | Path, *, deep: bool) -> Pipeline:
        with self._lock:
            return self._make(name, None, self._settings_on(device, name, deep=deep))

    def _has_int8(self, name: str | Path) -> bool:
        if name not in self._twins:  # the manifest is read once
            twin = has_int8_twin(name, self._file.scale)
            self._twins[name] = twin or find_mixture(str(name)) is not None
        return self._twins[name]

    def _find_row(self, name: NetworkName, *, deep: bool) -> TunedSettings | None:
        if self._tuning is None:
            return None
        # Networks of one family compute alike: what is fast for one is for all.
        tuning = self._tuning if name == self._tuned else self._tuning.of_bundled_files()
        return tuning.choose(self._request, deep=deep)

    def _make(
        self, name: NetworkName, row: TunedSettings | None, settings: RunSettings
    ) -> Pipeline:
        tuned = row.flatness if row and name == self._tuned else None
        adaptive = self._adaptive if self._adaptive is not None else tuned or MAX_FLAT_DIFFERENCE
        return Pipeline(
            name if isinstance(name, Network) else self._open(name, row, settings),
            tile=settings.tile,
            batch=1 if settings.batch is None else settings.batch,
            adaptive=adaptive if settings.adaptive else None,
            tally=self.tally,
        )

    def _open(self, name: str | Path, row: TunedSettings | None, settings: RunSettings) -> Network:
        """The network, opened once for all settings that can share it."""
        point = find_mixture(str(name))
        mixed = point is not None and settings.precision != "int8"
        source = name if mixed else self._find_file(name, row, settings)
        key = source, settings.session
        if key not in self._networks:
            self._networks[key] = (
                open_mixture(point, settings, scale=self._file.scale)
                if point is not None and mixed
                else open_network(
                    source,
                    settings,
                    scale=self._file.scale,
                    convention=self._convention(name, Path(source), row),
                )
            )
        return self._networks[key]

    def _find_file(
        self, name: str | Path, row: TunedSettings | None, settings: RunSettings
    ) -> Path:
        if find_mixture(str(name)) is not None:
            return locate(f"{name}{INT8}", self._file.scale)
        if row is not None and name == self._tuned:
            return row.file
        return locate_precision(name, self._file.scale, settings.precision)

    def _convention(self, name: str | Path, file: Path, row: TunedSettings | None) -> Convention:
        """What is known of the file: nothing of one that `subpixel tune` made."""
        if row is not None and file != locate(name, self._file.scale):
            return UNKNOWN_CONVENTION
        return self._file.convention
