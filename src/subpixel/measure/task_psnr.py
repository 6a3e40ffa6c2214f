"""The one number that decides whether a network that was made smaller is as good at its task."""

from pathlib import Path

from subpixel.measure.benchmark_set import Benchmark, benchmark, expect_sizes
from subpixel.measure.evaluate import evaluate
from subpixel.media.photograph import photograph_file
from subpixel.upscaling.upscaler import Upscaler


def expect_bench(bench: Path, scale: int) -> None:
    """Check that the benchmark set in the folder ``bench`` can be measured on, before the work.

    Raises :class:`~subpixel.errors.UsageError` where it can't.
    """
    expect_sizes(benchmark(bench, scale))


def name_set(bench: Path | None) -> str:
    """What :func:`task_psnr` measures on, in words."""
    return "our photograph" if bench is None else f"the benchmark set {bench.name}"


def task_psnr(upscaler: Upscaler, bench: Path | None = None) -> float:
    """The mean PSNR in dB on the benchmark set in the folder ``bench``, by the literature's
    protocol; None: on the bundled photograph.

    Raises :class:`~subpixel.errors.UsageError` where the set can't be measured on.
    """
    scale = upscaler.spec.scale
    if bench is not None:
        return evaluate(upscaler, benchmark(bench, scale)).network.psnr
    with photograph_file() as photo:
        return evaluate(upscaler, Benchmark([photo], scale)).network.psnr


def file_task_psnr(file: Path, device: str = "auto", *, bench: Path | None = None) -> float:
    """:func:`task_psnr` of a network's file, run in its default setting on ``device``."""
    return task_psnr(Upscaler(file, device=device, tuning=False), bench)
