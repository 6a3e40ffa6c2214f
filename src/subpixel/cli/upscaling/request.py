"""What the user of ``subpixel upscale`` asks for, and the network that follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from subpixel.cli.feedback import say
from subpixel.cli.options.pictures.cluster import ClusterOptions
from subpixel.cli.options.pictures.resuming import Resuming
from subpixel.cli.options.pictures.target_size import choose_opening_scale
from subpixel.cli.options.pictures.upscaling import (
    Limits,
    NetworkOptions,
    TargetOptions,
    Volume,
)
from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import UsageError
from subpixel.jobs.film.options import FilmOptions
from subpixel.jobs.options import JobOptions
from subpixel.media.image_file import EncodeOptions
from subpixel.network.locate import bundled_scales
from subpixel.network.tuning import Tuning
from subpixel.upscaling.size.enlargement import explain_fixed_scale
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.upscaler import Upscaler


@dataclass(frozen=True)
class UpscaleRequest:
    """The arguments and options, each kind as one value."""

    inputs: Sequence[Path]
    targets: TargetOptions
    resuming: Resuming
    cluster: ClusterOptions
    size: TargetSize | None
    network: NetworkOptions
    convention: Convention
    strict: bool
    limits: Limits
    encode: EncodeOptions
    film: FilmOptions
    volume: Volume
    as_json: bool

    @property
    def opening_scale(self) -> int | None:
        """Of the network that is opened first; None: the only one that a file has."""
        bundled = bundled_scales(self.network.first, self.network.precision)
        return choose_opening_scale(self.size, bundled)

    def expect_third_party(self) -> None:
        """Raise :class:`UsageError` for options of third-party networks beside a bundled one."""
        network = self.network
        if self.convention == UNKNOWN_CONVENTION:
            return
        if not bundled_scales(network.first, network.precision):
            return
        raise UsageError(
            f"--model {network.model} is bundled, and how its networks take pixels is known; "
            "--input-range, --output-range, --channel-order, --output-order, --layout, --set-input "
            "and --output-name are for third-party files: name one with --model, or leave them out"
        )

    def open_upscaler(self, tuning: Tuning | bool | None) -> Upscaler:
        """The network as it runs; what a third-party file was taken for is said."""
        network = self.network
        upscaler = Upscaler(
            network.model,
            scale=self.opening_scale,
            denoise=network.denoise,
            device=network.device,
            precision=network.precision,
            tile=network.tile,
            threads=network.threads,
            adaptive=network.adaptive,
            tuning=tuning,
            convention=self.convention,
            alpha=network.alpha,
        )
        if upscaler.remark and not self.volume.quiet:
            say(f"{network.model}: taken as {upscaler.remark}")
        return upscaler

    def choose_size(self, upscaler: Upscaler) -> TargetSize | None:
        """None where the network's own enlargement is meant; what a file of one scale does is
        said."""
        size, own = self.size, upscaler.spec.scale
        if size is None or size.factor is None:
            return size
        if size.factor == own:
            return None
        if len(upscaler.scales) == 1 and not self.volume.quiet:
            line = explain_fixed_scale(self.network.model, own, size.factor)
            if line:
                say(line)
        return size

    def job_options(self, size: TargetSize | None) -> JobOptions:
        """How every input is read and written, to ``size`` as :meth:`choose_size` has it."""
        return JobOptions(
            self.encode,
            self.strict,
            self.targets.overwrite,
            self.limits.max_memory,
            size,
            self.targets.keep_date,
            self.film,
        )

    def on_cluster(self) -> "UpscaleRequest":
        """As each process of a cluster has it: nothing tuned, one thread where none are named."""
        network = self.network
        return replace(self, network=replace(network, no_tuning=True, threads=network.threads or 1))


def label_size(size: TargetSize | None, upscaler: Upscaler) -> str:
    """What marks the names of results: ``x3``, ``w1920``."""
    return size.label if size else f"x{upscaler.spec.scale}"
