"""``subpixel evaluate``."""

from pathlib import Path

import click

from subpixel.cli.options import DEVICE, FILE, JSON, MODEL, SCALE, THREADS
from subpixel.cli.output import print_json, print_table, progress
from subpixel.measure.evaluate import evaluate
from subpixel.upscaler import Upscaler


@click.command(no_args_is_help=True)
@MODEL
@click.option(
    "--data", type=FILE, required=True, help="Ground truth, or GT/ with x2/ x3/ x4/ beside."
)
@SCALE
@DEVICE
@THREADS
@JSON
def command(
    model: str, data: Path, scale: int | None, device: str, threads: int | None, as_json: bool
) -> None:
    """Measure a network by the literature's protocol: PSNR in dB on luma, bicubic beside it."""
    upscaler = Upscaler(model, scale=scale, device=device, threads=threads)
    with progress() as show:
        result = evaluate(
            upscaler, data, upscaler.spec.scale, lambda done, total: show("", done, total)
        )
    if as_json:
        print_json(
            {"psnr": result.psnr, "bicubic_psnr": result.bicubic_psnr, "scores": result.scores}
        )
        return
    rows = [(s.picture, f"{s.psnr:.2f}", f"{s.bicubic_psnr:.2f}") for s in result.scores]
    mean = ("mean", f"{result.psnr:.2f}", f"{result.bicubic_psnr:.2f}")
    title = f"{upscaler.spec.name} x{result.scale} on {data.name}, Y-PSNR in dB"
    print_table(title, ("picture", "network", "bicubic"), [*rows, mean])
