"""``subpixel evaluate``."""

from collections.abc import Callable
from pathlib import Path

import click

from subpixel.cli.options import DEVICE, EXTRA_ARCHITECTURES, FILE, JSON, OVERWRITE, SCALE, THREADS
from subpixel.cli.output import make_folder, print_json, print_table, progress
from subpixel.measure.evaluate import Evaluation, Result, benchmark, evaluate
from subpixel.measure.metrics import Quality
from subpixel.upscaler import Upscaler
from subpixel.zoo.manifest import DEFAULT

COLUMNS = (
    *("picture", "PSNR", "SSIM", "PSNR, RGB", "SSIM, RGB"),
    *("bicubic: PSNR", "SSIM", "PSNR, RGB", "SSIM, RGB"),
)
CHECKPOINTS = (".pth", ".pt", ".ckpt", ".safetensors")


@click.command(no_args_is_help=True)
@click.option(
    "--model",
    default=DEFAULT,
    show_default=True,
    metavar="NAME|FILE",
    help="A bundled network, an ONNX file, or a PyTorch checkpoint.",
)
@click.option(
    "--data", type=FILE, required=True, help="Ground truth, or GT/ with x2/ x3/ x4/ beside."
)
@SCALE
@click.option(
    "--jpeg",
    type=click.IntRange(1, 100),
    metavar="QUALITY",
    help="Send the small pictures through JPEG of this quality first.",
)
@click.option("--pictures", type=FILE, help="A folder to write the upscaled pictures in, as PNG.")
@DEVICE
@THREADS
@EXTRA_ARCHITECTURES
@OVERWRITE
@JSON
def command(
    model: str,
    data: Path,
    scale: int | None,
    jpeg: int | None,
    pictures: Path | None,
    device: str,
    threads: int | None,
    extra_architectures: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure a network by the literature's protocol: PSNR in dB and SSIM on luma, and on RGB.

    Low-resolution pictures are made by bicubic reduction as MATLAB's imresize does it, where DATA
    has none. Bicubic enlargement stands beside the network.
    """
    if Path(model).suffix.lower() in CHECKPOINTS:
        upscaler = _by_pytorch(Path(model), scale, extra_architectures)
    else:
        upscaler = Upscaler(model, scale=scale, device=device, threads=threads)
    keep = _writer(pictures, overwrite) if pictures else lambda result: None
    chosen = benchmark(data, upscaler.spec.scale, jpeg)
    with progress() as show:
        result = evaluate(upscaler, chosen, lambda done, total: show("", done, total), keep)
    if as_json:
        print_json({"network": result.network, "bicubic": result.bicubic, "scores": result.scores})
    else:
        _print(result, f"{upscaler.spec.name} x{result.scale} on {data.name}{_after(jpeg)}")


def _after(jpeg: int | None) -> str:
    return "" if jpeg is None else f" after JPEG of quality {jpeg}"


def _by_pytorch(checkpoint: Path, scale: int | None, extra_architectures: bool) -> Upscaler:
    from subpixel.network import Network
    from subpixel.parity.side import open_side

    side = open_side(checkpoint, rgb=True, scale=scale, extra_architectures=extra_architectures)
    return Upscaler(Network(side.op, side.spec, side.provider))


def _writer(folder: Path, overwrite: bool) -> Callable[[Result], None]:
    from subpixel.media.arrays import to_picture
    from subpixel.media.image_file import write_picture

    make_folder(folder)

    def keep(result: Result) -> None:
        file = folder / f"{Path(result.picture).stem}.png"
        write_picture(to_picture(result.upscaled), file, overwrite=overwrite)

    return keep


def _print(result: Evaluation, title: str) -> None:
    rows = [(s.picture, *_cells(s.network), *_cells(s.bicubic)) for s in result.scores]
    mean = ("mean", *_cells(result.network), *_cells(result.bicubic))
    print_table(f"{title}, PSNR in dB", COLUMNS, [*rows, mean])


def _cells(quality: Quality) -> tuple[str, str, str, str]:
    return (
        f"{quality.psnr:.2f}",
        f"{quality.ssim:.4f}",
        f"{quality.psnr_rgb:.2f}",
        f"{quality.ssim_rgb:.4f}",
    )
