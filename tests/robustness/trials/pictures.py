"""A picture is enlarged, by the library or by the command line."""

import logging
import os
import warnings
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, _avif
from tests.robustness.case import Fault, Verdict
from tests.robustness.kinds import Budget, Trial
from tests.robustness.mutation.plain import Dice

from subpixel.cli.main import run
from subpixel.errors import SubpixelError
from subpixel.media.image_file import DEFAULT_MAX_PIXELS, open_picture, read_picture
from subpixel.upscaling.upscaler import Upscaler

TARGETS = (".png", ".jpg", ".webp", ".tif", ".gif", ".bmp", ".ppm", ".pam") * 3
TARGETS += (".avif", ".heic", ".jxl")

COMMAND_SHARE = 0.04
LARGE_SHARE = 0.05
MAX_PIXELS = 20_000_000
ENOUGH_PIXELS = 300_000
"""Of a picture that goes through the network to its end."""

PIXELS_PER_SECOND = 10_000_000
"""What decoding, and surveys of alpha, do at the least."""


class _EnoughError(BaseException):
    """The picture is a large one, and began well: the rest shows nothing, as if Ctrl-C were hit."""


def open_trial() -> Trial:
    upscaler = Upscaler("fast", scale=2, threads=1, tuning=False)
    return lambda dice, file, budget: _try_picture(upscaler, dice, file, budget)


def open_plain_trial() -> Trial:
    """Always by the library, into a PNG file, of any size that is allowed by default."""
    upscaler = Upscaler("fast", scale=2, threads=1, tuning=False)
    return lambda dice, file, budget: _try_plainly(upscaler, file, budget)


def _try_plainly(upscaler: Upscaler, file: Path, budget: Budget) -> Verdict:
    target = file.parent / "result.png"
    verdict = _by_library(upscaler, file, target, budget, DEFAULT_MAX_PIXELS)
    return Verdict(verdict.word, verdict.detail, judge_target(target, written=verdict.word == "ok"))


def _try_picture(upscaler: Upscaler, dice: Dice, file: Path, budget: Budget) -> Verdict:
    target = file.parent / f"result{dice.choice(TARGETS)}"
    if dice.random() < COMMAND_SHARE:
        return _by_command(file, target, budget)
    limit = MAX_PIXELS
    if dice.random() < LARGE_SHARE:
        limit = DEFAULT_MAX_PIXELS
        budget.allow(DEFAULT_MAX_PIXELS / PIXELS_PER_SECOND)
    verdict = _by_library(upscaler, file, target, budget, limit)
    return Verdict(verdict.word, verdict.detail, judge_target(target, written=verdict.word == "ok"))


def _by_library(
    upscaler: Upscaler, file: Path, target: Path, budget: Budget, limit: int
) -> Verdict:
    try:
        source = open_picture(file, max_pixels=limit)
        pixels = int(np.prod([n or 1 for n in source.header.shape[:3]]))
        report = _stop_early if pixels > ENOUGH_PIXELS else _go_on
        losses = upscaler.file(source, target, max_memory=budget.memory, report=report)
    except SubpixelError as error:
        return Verdict("refused", str(error))
    except _EnoughError:
        return Verdict("left", f"{pixels} pixels")
    return Verdict("ok", "; ".join(map(str, losses)))


def _stop_early(_done: int, _total: int) -> None:
    raise _EnoughError


def _go_on(_done: int, _total: int) -> None:
    pass


def _by_command(file: Path, target: Path, budget: Budget) -> Verdict:
    budget.allow(2)
    options = ["--model", "fast", "--threads", "1", "--no-tuning", "--max-pixels", "300000"]
    options += ["--max-memory", f"{budget.memory >> 20}M", "--quiet"]
    code = run(["upscale", str(file), "-o", str(target), *options])
    word = {0: "ok", 1: "refused"}.get(code, "exit")
    if word == "exit":
        return Verdict("exit", faults=(Fault("exception", f"exit code {code}"),))
    return Verdict(word, "by the command line", judge_target(target, written=word == "ok"))


def judge_target(target: Path, *, written: bool) -> tuple[Fault, ...]:
    """What is under the final name is whole; where nothing was written, nothing is."""
    if not written:
        lies = os.path.lexists(target)
        return (Fault("half-written", f"a {target.suffix} after an error"),) if lies else ()
    try:
        _read_whole(target)
    except Exception as error:  # of Pillow: anything
        return (Fault("half-written", f"{target.suffix}: {type(error).__name__}", str(error)),)
    return ()


def _read_whole(target: Path) -> None:
    if target.suffix in (".pam", ".heic", ".jxl"):
        read_picture(target, max_pixels=10 * MAX_PIXELS)
        return
    if target.suffix == ".tif":  # of any number of channels, which Pillow doesn't read
        tifffile.logger().setLevel(logging.CRITICAL)  # of metadata, which is as it came
        with tifffile.TiffFile(target) as file:
            for page in file.pages:
                page.asarray()
        return
    if target.suffix == ".avif":  # whose EXIF, which is as it came, Pillow itself writes anew
        _avif.AvifDecoder(target.read_bytes(), "auto", 1).get_frame(0)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metadata, which is as it came
        with Image.open(target) as image:
            image.load()
