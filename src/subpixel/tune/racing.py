"""``subpixel tune``: what races, on which files, and where the result is kept."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path

from subpixel import __version__
from subpixel.errors import NetworkError, UsageError
from subpixel.measure.evaluate import benchmark, evaluate
from subpixel.measure.floor import Floor
from subpixel.media.image_file import read_picture
from subpixel.network.network import describe, locate
from subpixel.network.tuning import Row, Setting, Tuning, file_in, key_of, remember, sha256_of
from subpixel.publish.quantize import reduce_precision
from subpixel.runtime.devices import DEVICES, find_device
from subpixel.runtime.opening import available_devices, chosen
from subpixel.runtime.provider_options import CUDA_GRAPHS
from subpixel.spec import ModelSpec, Precision
from subpixel.system.cache import cache_folder
from subpixel.system.processors import cores
from subpixel.system.targets import make_folder
from subpixel.tune.race import Report, Search, Space, Tried, search
from subpixel.tune.trials import Rgb, Trials, race_picture
from subpixel.upscaling.upscaler import Upscaler

TILES = (128, 256, 384, 768, 1024)
"""Beside the default, in input pixels."""

BATCHES = (2, 4, 8, 16)
"""Beside one tile at a time, in tiles; the largest picture that is raced on has 18 of the smallest
beside one another."""


@dataclass(frozen=True)
class Subject:
    """The network that is tuned."""

    model: str
    scale: int | None
    file: Path
    spec: ModelSpec
    floor: Floor

    def file_of(self, setting: Setting) -> Path:
        """The network's file for a setting: its own, its bundled twin, or one made for it."""
        ours = setting.precision == self.spec.precision
        if ours or (
            find_device(setting.device).runtime == "openvino" and setting.precision != "int8"
        ):
            return self.file
        assert setting.precision is not None
        if setting.precision == "int8":
            try:
                return file_in(self.model, self.scale, "int8")
            except UsageError:  # it has no twin
                return self._made("int8")
        return self._made(setting.precision)

    def _made(self, precision: Precision) -> Path:
        """In the user's cache, and there from an earlier time if this subpixel made it."""
        kept = f"{self.floor.psnr:g}dB"
        name = f"{sha256_of(self.file)[:16]}-{precision}-{kept}-{__version__}.onnx"
        file = cache_folder() / "networks" / name
        if file.is_file():
            return file
        make_folder(file.parent)
        report = reduce_precision(self.file, file, precision, lambda file: 0.0, floor=self.floor)
        if not report:
            raise NetworkError(report.summary())
        return file


def raced(
    model: str,
    scale: int | None,
    *,
    devices: Sequence[str],
    floor: Floor,
    bench: Path | None,
    seconds: float,
    report: Report,
) -> tuple[Search, Path]:
    """Race every setting of the network, and keep the result; gives the file where it lies.

    Raises :class:`UsageError` for a device that there isn't, :class:`NetworkError` for a file
    that is no network, :class:`~subpixel.errors.SubpixelError` where the cache can't be written.
    """
    file = locate(model, scale)
    subject = Subject(model, scale, file, describe(file)[0], floor)
    names = [chosen(name) for name in devices] or available_devices()
    default = Upscaler(file)
    exact = default if chosen("auto") == "cpu" else Upscaler(file, device="cpu")
    photo = _photo()
    picture = race_picture(photo, default)
    score = None if bench is None else partial(_score, bench)
    trials = Trials(subject.file_of, exact, photo, picture, score)
    space = _space(subject.spec, names)
    found = search(space, trials, floor=floor, seconds=seconds, report=report)
    megapixels = picture.shape[0] * picture.shape[1] / 1e6
    return found, remember(_tuning(found, space.default, floor, megapixels), key_of(file))


def _photo() -> Rgb:
    with resources.as_file(resources.files("subpixel.media") / "photo.jpg") as file:
        return read_picture(file).rgb8()


def _score(bench: Path, upscaler: Upscaler) -> float:
    return evaluate(upscaler, benchmark(bench, upscaler.spec.scale)).network.psnr


def _space(spec: ModelSpec, devices: Sequence[str]) -> Space:
    own = spec.precision
    tiled = spec.halo is not None and spec.fixed_size is None
    return Space(
        default=Setting(chosen("auto"), own),
        ways=[way for device in devices for way in _ways(device, own)],
        tiles=(None, *TILES) if tiled else (None,),
        threads=(None, *_threads()),
        batches=(1, *BATCHES) if tiled and spec.fixed_batch is None else (1,),
        adaptive=tiled,
    )


def _ways(device: str, own: Precision) -> Iterator[Setting]:
    """A device with every precision that it may be faster in; a file of few bits stays as it is."""
    on_cpu = find_device(device).provider == DEVICES["cpu"].provider
    in_bf16: tuple[Precision, ...] = ("bf16",) if find_device(device).runtime == "openvino" else ()
    for precision in ("fp32", "int8", *in_bf16, "fp16") if own == "fp32" else (own,):
        if own != "fp32" or not (on_cpu and precision == "fp16"):
            yield Setting(device, precision)
            if device in CUDA_GRAPHS:
                yield Setting(device, precision, captured=True)


def _threads() -> list[int]:
    """Half of the cores, and every thread that they have; the default is one per core."""
    return sorted({max(1, cores() // 2), os.cpu_count() or 1} - {cores()})


def _tuning(found: Search, default: Setting, floor: Floor, megapixels: float) -> Tuning:
    rows = [_row(tried, found.seconds / megapixels) for tried in found.ranked]
    first = next(row for row in rows if row.setting == default)
    return Tuning(floor.psnr, first, tuple(rows))


def _row(tried: Tried, default: float) -> Row:
    """``default``: its seconds per megapixel."""
    facts = tried.facts
    assert facts is not None
    assert tried.ratio is not None
    return Row(
        setting=tried.setting,
        file=facts.file.absolute(),
        sha256=sha256_of(facts.file),
        ratio=tried.ratio,
        seconds_per_megapixel=default / tried.ratio,
        opening=facts.opening,
        psnr=facts.psnr,
        task_loss=facts.task_loss,
        flatness=facts.flatness,
    )
