"""What is said at the end of how pictures were computed: as tuned, partly interpolated."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from subpixel.cli.options.pictures.upscaling import NetworkOptions
from subpixel.network.flatness import Flatness
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import Tuning
from subpixel.upscaling.upscaler import Upscaler


@dataclass(frozen=True)
class Interpolation:
    """What adaptive came to."""

    flatness: Flatness | None
    share: float
    """Of all pixels, those that were interpolated: 0 … 1."""
    tuned: bool
    """Whether it was on because ``subpixel tune`` found it faster, not because it was asked for."""

    def __str__(self) -> str:
        if self.flatness is None:
            return "nothing was interpolated: even areas that are quite even would differ more"
        why = "; on by subpixel tune (--no-adaptive: off)" if self.tuned else ""
        return (
            f"{self.share:.0%} of the pixels were interpolated: parts that span no more than "
            f"{self.flatness.span} of 255 code values, where the network was measured to be at "
            f"most {self.flatness.bound:.2f} code values away{why}"
        )


def describe_tuning(
    tuning: Tuning | None, network: NetworkOptions, settings: AbstractSet[RunSettings]
) -> list[str]:
    """What `subpixel tune` did for pictures in these settings, in a line for each."""
    choices = (tuning.choose(network.settings, deep=d) for d in (False, True)) if tuning else ()
    return [
        f"as tuned: {row.setting.label}, {row.ratio:.1f} times as fast as the default "
        "(--no-tuning: the default)"
        for row in dict.fromkeys(choices)
        if row is not None and row.setting in settings and row.ratio > 1
    ]


def summarize_adaptive(
    upscaler: Upscaler, settings: AbstractSet[RunSettings], adaptive: bool | None
) -> Interpolation | None:
    """None where no picture was computed adaptively, as ``settings`` say; ``adaptive`` is what was
    asked for."""
    if not any(setting.adaptive for setting in settings):
        return None
    return Interpolation(upscaler.flatness, upscaler.tally.share, tuned=adaptive is None)
