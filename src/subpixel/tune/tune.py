"""Find a network's fastest settings on this machine, and store them for later."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from subpixel.measure.quality_floor import Floor
from subpixel.measure.task_psnr import expect_bench, task_psnr
from subpixel.media.photograph import photograph
from subpixel.network.identify import describe
from subpixel.network.locate import locate
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.network.tuning_cache import load_tuning, store_tuning, tuning_key
from subpixel.runtime.opening import available_devices, resolve_device
from subpixel.system.files.hashing import hash_file
from subpixel.tune.files import NetworkFiles
from subpixel.tune.race import Search, SearchReport, TrialResult, search_settings
from subpixel.tune.space import make_space
from subpixel.tune.trials import SettingTrials, race_picture
from subpixel.upscaling.upscaler import Upscaler


@dataclass(frozen=True)
class TuneReport:
    """Every setting that was tried, and where the result lies."""

    search: Search
    file: Path | None
    """None where nothing was stored: there was no time for the rounds that tell what is fastest."""
    earlier: TunedSettings | None = None
    """The best of what was stored for this network before, if anything was: it is replaced where
    there is a ``file``, and stays where there is none."""


def tune(
    model: str,
    scale: int | None = None,
    *,
    devices: Sequence[str] = (),
    floor: Floor = Floor(),
    bench: Path | None = None,
    seconds: float = 120.0,
    report: SearchReport = lambda what, done, total: None,
) -> TuneReport:
    """Race every setting of a network on ``devices`` (none: all that there are), and store the
    result in the user's cache, where :class:`~subpixel.upscaling.upscaler.Upscaler` looks for it.

    Settings must keep ``floor``, on a photograph and, if there is one, on the benchmark set in the
    folder ``bench``. After so many ``seconds`` no further round begins; where these are too few for
    the rounds that tell what is fastest, nothing is stored, and what was stored before stays.

    Raises :class:`~subpixel.errors.UsageError` for a device that there isn't, a ``scale`` that the
    network hasn't, and a set that can't be measured on;
    :class:`~subpixel.errors.NetworkError` for a file that is no network,
    :class:`~subpixel.errors.SubpixelError` where the cache can't be written.
    """
    file = locate(model, scale)
    files = NetworkFiles(model, scale, file, describe(file, scale)[0], floor)
    if bench is not None:
        expect_bench(bench, files.spec.scale)
    names = [resolve_device(name) for name in devices] or available_devices()
    first = resolve_device("auto")
    default = Upscaler(file, device=first, tuning=False)
    exact = default if first == "cpu" else Upscaler(file, device="cpu", tuning=False)
    picture = race_picture(photograph(), default)

    score = None if bench is None else partial(task_psnr, bench=bench)
    trials = SettingTrials(files.find, exact, photograph(), picture, score)
    space = make_space(files.spec, names)
    search = search_settings(space, trials, floor=floor, seconds=seconds, report=report)
    megapixels = picture.shape[0] * picture.shape[1] / 1e6
    earlier = _load_earlier(file)
    if not search.settled:
        return TuneReport(search, None, earlier)
    tuning = _make_tuning(search, space.default, floor, megapixels)
    return TuneReport(search, store_tuning(tuning, tuning_key(file)), earlier)


def _load_earlier(file: Path) -> TunedSettings | None:
    """The best of what is stored; what is damaged counts as nothing, as it is replaced."""
    tuning = load_tuning(file, warn=lambda line: None)
    return tuning.rows[0] if tuning and tuning.rows else None


def _make_tuning(search: Search, default: RunSettings, floor: Floor, megapixels: float) -> Tuning:
    rows = [_make_row(result, search.seconds / megapixels) for result in search.ranked]
    first = next(row for row in rows if row.setting == default)
    return Tuning(floor.psnr, first, tuple(rows))


def _make_row(result: TrialResult, default: float) -> TunedSettings:
    """``default``: its seconds per megapixel."""
    facts = result.facts
    assert facts is not None
    assert result.ratio is not None
    return TunedSettings(
        setting=result.setting,
        file=facts.file.absolute(),
        sha256=hash_file(facts.file),
        ratio=result.ratio,
        seconds_per_megapixel=default / result.ratio,
        opening=facts.opening,
        psnr=facts.psnr,
        task_loss=facts.task_loss,
        flatness=facts.flatness,
        rounds=result.rounds,
    )
