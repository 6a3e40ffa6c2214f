"""``subpixel evaluate``."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.feedback import say
from subpixel.cli.options.checkpoints import make_checkpoint_file
from subpixel.cli.options.choices import (
    DEVICE,
    EXTRA_ARCHITECTURES,
    FILE,
    JSON,
    OVERWRITE,
    SCALE,
    SETTINGS,
    THREADS,
    WEIGHTS,
)
from subpixel.cli.options.completion import complete_network
from subpixel.cli.options.number_types import WholeNumber
from subpixel.cli.output import print_json, print_table, progress
from subpixel.cli.streams import print_line
from subpixel.errors import UsageError
from subpixel.imaging.metrics import Naturalness, Perceive, Quality
from subpixel.measure.benchmark_set import Benchmark, benchmark, describe_rest, truth_folder
from subpixel.measure.evaluate import Evaluation, Result, evaluate
from subpixel.network.locate import locate
from subpixel.system.extras import expect_installed
from subpixel.system.files.targets import expect_free_file, expect_inputs_spared, make_folder
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import AUTO, DEFAULT_NETWORK

if TYPE_CHECKING:
    from subpixel.nets.checkpoints.checkpoint import CheckpointFile

QUALITY_COLUMNS = ("PSNR", "SSIM", "PSNR, RGB", "SSIM, RGB")
PERCEPTUAL = ("LPIPS", "DISTS")
BRISQUE = "BRISQUE"
CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin", ".pkl", ".safetensors", ".npz", ".json")
PROGRAMS = (".ts", ".torchscript")


@click.command(no_args_is_help=True)
@click.option(
    "--model",
    default=DEFAULT_NETWORK,
    show_default=True,
    metavar="NAME|FILE",
    help=f"A bundled network, {AUTO} as `upscale` has it, an ONNX file, or a PyTorch checkpoint.",
    shell_complete=complete_network,
)
@click.option(
    "--data", type=FILE, required=True, help="Ground truth, or GT/ with x2/ x3/ x4/ beside."
)
@SCALE
@click.option(
    "--jpeg",
    type=WholeNumber(1, 100),
    metavar="QUALITY",
    help="Send the small pictures through JPEG of this quality first.",
)
@click.option("--pictures", type=FILE, help="A folder to write the upscaled pictures in, as PNG.")
@click.option(
    "--perceptual",
    is_flag=True,
    help="LPIPS and DISTS, too. Weights of 761 MB are fetched once.",
)
@click.option(
    "--brisque",
    is_flag=True,
    help="BRISQUE, too: of the pictures alone, lower is better. Weights are fetched once.",
)
@DEVICE
@THREADS
@WEIGHTS
@SETTINGS
@EXTRA_ARCHITECTURES
@OVERWRITE
@JSON
def command(
    model: str,
    data: Path,
    scale: int | None,
    jpeg: int | None,
    pictures: Path | None,
    perceptual: bool,
    brisque: bool,
    device: str,
    threads: int | None,
    weights: str | None,
    settings: tuple[str, ...],
    extra_architectures: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure a network by the literature's protocol: PSNR in dB and SSIM on luma, and on RGB.

    Low-resolution pictures are those of DATA's folder x2, x3 or x4, which must have all of them;
    where there is none, all are made by bicubic reduction as MATLAB's imresize does it. The report
    says which. Bicubic enlargement stands beside the network.
    """
    if Path(model).suffix.lower() in (*CHECKPOINTS, *PROGRAMS):
        checkpoint = make_checkpoint_file(Path(model), weights, settings, extra_architectures)
        upscaler = _open_checkpoint(checkpoint, scale)
    else:
        if weights or settings:
            raise UsageError(f"{model} is no checkpoint; --weights and --setting are for those")
        # a network by name is measured as its file is, not in integers, as `upscale` takes it
        file = model if model == AUTO else locate(model, scale)
        upscaler = Upscaler(file, scale=scale, device=device, threads=threads, tuning=False)
    bench = benchmark(data, upscaler.spec.scale, jpeg)
    perceive = _perceptual() if perceptual else None
    naturalness = _naturalness() if brisque else None
    keep = _writer(pictures, data, bench, overwrite) if pictures else lambda result: None
    if others := describe_rest(data):
        say(f"left out of {truth_folder(data)}: {others}")
    with progress() as show:
        result = evaluate(upscaler, bench, partial(show, ""), keep, perceive, naturalness)
    if as_json:
        print_json(
            {
                "network": result.network,
                "bicubic": result.bicubic,
                "scores": result.scores,
                "low_resolution": bench.low_resolution,
            }
        )
    else:
        name = f"{upscaler.spec.name} x{result.scale}"
        _print_evaluation(result, f"{name} on {data.name}, {_describe_small(bench)}")


def _describe_small(bench: Benchmark) -> str:
    """Where the small pictures are from, and what they went through."""
    after = "" if bench.jpeg is None else f" after JPEG of quality {bench.jpeg}"
    return f"small pictures from {bench.low_resolution}{after}"


def _perceptual() -> Perceive:
    expect_installed("torchmetrics")
    from subpixel.nets.perceptual import load_perceptual

    return load_perceptual(lambda line: print_line(f"subpixel: {line}", err=True))


def _naturalness() -> Naturalness:
    expect_installed("piq")
    from subpixel.nets.naturalness import load_brisque

    return load_brisque(lambda line: print_line(f"subpixel: {line}", err=True))


def _open_checkpoint(checkpoint: "Path | CheckpointFile", scale: int | None) -> Upscaler:
    """Under PyTorch."""
    from subpixel.network.identify import expect_scale
    from subpixel.network.network import Network
    from subpixel.parity.side import open_side

    side = open_side(checkpoint, rgb=True, scale=scale)
    expect_scale(side.name, side.spec, scale)  # a program has its own, whatever is asked for
    return Upscaler(Network(side.op, side.spec, side.provider))


def _expect_spared(folder: Path, data: Path) -> None:
    read = [truth_folder(data), *data.glob("x[0-9]*")]
    if folder.exists() and any(folder.samefile(path) for path in read):
        raise UsageError(f"{folder} holds the inputs, which are never overwritten; name another")


def _writer(
    folder: Path, data: Path, bench: Benchmark, overwrite: bool
) -> Callable[[Result], None]:
    """What writes each picture, under a name that is settled now."""
    from subpixel.media.arrays import to_picture
    from subpixel.media.image_file import write_picture

    _expect_spared(folder, data)
    targets = {name: folder / target for name, target in _name_targets(bench.truths).items()}
    inputs = (*bench.truths, *(bench.lows or ()))
    for target in targets.values():
        if target.is_symlink():  # else it is in no folder of inputs
            expect_inputs_spared(target, inputs)
        expect_free_file(target, overwrite=overwrite)
    make_folder(folder)

    def keep(result: Result) -> None:
        file = targets[result.picture]
        write_picture(to_picture(result.upscaled), file, overwrite=overwrite)

    return keep


def _name_targets(truths: Sequence[Path]) -> Mapping[str, str]:
    """Each picture's name as PNG: ``a.png``, or ``a.jpg.png`` where another picture is ``a``, too.

    Raises :class:`UsageError` where two would still be one file.
    """
    stems = Counter(file.stem.casefold() for file in truths)
    targets: dict[str, str] = {}
    sources: dict[str, str] = {}
    for file in truths:
        plain = stems[file.stem.casefold()] == 1 or file.suffix.lower() == ".png"
        target = f"{file.stem if plain else file.name}.png"
        other = sources.setdefault(target.casefold(), file.name)
        if other != file.name:
            raise UsageError(f"{other} and {file.name} would both become {target}; rename one")
        targets[file.name] = target
    return targets


def _print_evaluation(result: Evaluation, title: str) -> None:
    rows = [
        (s.picture, *_quality_cells(s.network), *_quality_cells(s.bicubic)) for s in result.scores
    ]
    mean = ("mean", *_quality_cells(result.network), *_quality_cells(result.bicubic))
    columns = _columns(result.network)
    header = ("picture", *columns, f"bicubic: {columns[0]}", *columns[1:])
    print_table(f"{title}, PSNR in dB", header, [*rows, mean])


def _columns(quality: Quality) -> tuple[str, ...]:
    distances = () if quality.lpips is None else PERCEPTUAL
    return (*QUALITY_COLUMNS, *distances, *(() if quality.brisque is None else (BRISQUE,)))


def _quality_cells(quality: Quality) -> tuple[str, ...]:
    distances = [d for d in (quality.lpips, quality.dists) if d is not None]
    return (
        f"{quality.psnr:.2f}",
        f"{quality.ssim:.4f}",
        f"{quality.psnr_rgb:.2f}",
        f"{quality.ssim_rgb:.4f}",
        *(f"{distance:.4f}" for distance in distances),
        *(() if quality.brisque is None else (f"{quality.brisque:.2f}",)),
    )
