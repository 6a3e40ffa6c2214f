"""What ``subpixel tune`` found: the settings that keep a network's pictures, the best first."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from subpixel.network.flatness import Flatness
from subpixel.network.settings import DEFAULT_SETTINGS, RunSettings
from subpixel.strict_json import Within, read_value
from subpixel.zoo.manifest import FOLDER

MAX_RATIO, MAX_TUNED_SECONDS, MAX_DECIBELS, MAX_ROUNDS = 1e6, 1e6, 1e3, 10**9
"""The most that a tuning in the user's cache may say."""

Seconds = Annotated[float, Within(0, MAX_TUNED_SECONDS)]


@dataclass(frozen=True)
class TunedSettings:
    """Settings that keep the minimum quality, and what was measured of them."""

    setting: RunSettings
    """Resolved, with a precision."""
    file: Path
    """The network's file in that precision."""
    sha256: str
    """Of the file."""
    ratio: Annotated[float, Within(0, MAX_RATIO)]
    """How many times as fast as the default setting: the median of interleaved rounds."""
    seconds_per_megapixel: Seconds
    """Of the input."""
    opening: Seconds
    """Seconds until the network is open."""
    psnr: Annotated[float, Within(0, math.inf)]
    """PSNR in dB between 8-bit pictures of a photograph and the fp32 file's; may be infinite."""
    task_loss: Annotated[float | None, Within(-MAX_DECIBELS, MAX_DECIBELS)] = None
    """By how many dB the PSNR on a benchmark set is lower; None where it was not measured."""
    flatness: Flatness | None = None
    """What passes for flat, as measured, where the setting is adaptive."""
    rounds: Annotated[int, Within(0, MAX_ROUNDS)] = 0
    """In which it was measured."""


@dataclass(frozen=True)
class Tuning:
    """What was found: the default's row, and the others, the best first."""

    floor_db: Annotated[float, Within(0, math.inf)]
    default: TunedSettings
    rows: tuple[TunedSettings, ...]

    def choose(
        self, request: RunSettings = DEFAULT_SETTINGS, *, deep: bool = False
    ) -> TunedSettings | None:
        """The best row that ``request`` accepts, with what it asks for besides; else None.

        ``deep`` pictures, of more than 8 bits, are computed in fp32 alone, and adaptively only if
        ``request`` says so.
        """
        for row in self.rows:
            if request.accepts(row.setting) and (not deep or _suits_deep(row.setting)):
                return replace(row, setting=request.complete(row.setting))
        return None

    def of_bundled_files(self) -> "Tuning":
        """Without the rows whose file was made for the network, which others of its family lack."""
        return replace(self, rows=tuple(row for row in self.rows if row.file.parent == FOLDER))

    def limit_opening(self, megapixels: float) -> "Tuning":
        """Without the rows whose opening takes longer than they save on so much work."""
        limit = _seconds(self.default, megapixels)
        return replace(self, rows=tuple(r for r in self.rows if _seconds(r, megapixels) <= limit))


def parse_tuning(value: object) -> Tuning:
    """Out of JSON; raises :class:`~subpixel.strict_json.JsonError` where it is no tuning."""
    return read_value(value, Tuning, "the tuning")


def _suits_deep(setting: RunSettings) -> bool:
    return setting.precision == "fp32" and not setting.adaptive


def _seconds(row: TunedSettings, megapixels: float) -> float:
    return row.opening + megapixels * row.seconds_per_megapixel
