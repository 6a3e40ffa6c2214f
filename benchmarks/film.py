"""How fast films are, and how exact: `subpixel upscale` of a film against what it is made of.

    python benchmarks/film.py --film trailer.mp4 --frames 48 --scale 2
    python benchmarks/film.py --accuracy
    python benchmarks/film.py --film trailer.mp4 --kills 100

The first measures, in turns, the network alone (frames decoded and converted beforehand), the
encoder alone (frames enlarged beforehand), and all of it as a pipeline; the pipeline's frames a
second should be at least 0.9 of the slower one's. Where both share the same cores, no more can come
of it than the cores' time for both, which is said beside it. The second
says how far FFmpeg's swscale, and the conversion that is used instead, are from the formulas of the
standards. The third kills a preview of the film at random moments until it is done, again and
again: each result must be, byte for byte, that of an undisturbed run.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from subpixel.jobs.film.options import FilmOptions, Preview
from subpixel.jobs.film.plan import FilmPlan, plan_film
from subpixel.jobs.film.work import upscale_film
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.media.film.conversion import decode_planes, encode_planes
from subpixel.media.film.encoding.codecs import codec_named
from subpixel.media.film.encoding.encoder import encode_segment
from subpixel.media.film.facts import LUMA_OF_MATRIX, FilmColour, SampleLayout
from subpixel.media.film.frames import decode_film, film_header
from subpixel.media.film.planes import make_frame, read_planes
from subpixel.media.picture import RowSource, read_frames
from subpixel.upscaling.upscaler import Upscaler

MATRICES = {1: "BT.709", 6: "BT.601", 9: "BT.2020"}
SWSCALE_NAMES = {1: "ITU709", 6: "SMPTE170M", 9: "BT2020"}
SWSCALE_FLAGS = "BICUBIC|ACCURATE_RND|FULL_CHR_H_INT|FULL_CHR_H_INP|BITEXACT"


def measure_speed(film: Path, frames: int, scale: int, codec: str, rounds: int) -> None:
    """Frames a second of the network, the encoder, and the pipeline, in turns."""
    upscaler = Upscaler(scale=scale, tuning=False)
    with TemporaryDirectory() as folder:
        options = _preview_of(film, frames, codec)
        plan = plan_film(upscaler, Job(film, Path(folder) / "large.mp4"), options)
        small = list(_read_small(plan))
        large = list(_enlarge_all(upscaler, plan, small))
        times = [time for segment in plan.segments for time in segment]
        print(f"{len(small)} frames of {film.name}, {upscaler.spec.name}, {codec}")
        pairs = list(zip(times, large, strict=True))
        job = Job(film, Path(folder) / "large.mp4")
        for _ in range(rounds):
            network = _time(lambda: list(_enlarge_all(upscaler, plan, small)))
            encoder = _time(lambda: encode_segment(plan.settings, pairs))
            whole = _time(lambda: upscale_film(upscaler, job, options))
            slower = max(network[0], encoder[0])
            shared = (network[1] + encoder[1]) / (os.cpu_count() or 1)
            busy = (network[1] + encoder[1]) / whole[1]
            rates = (len(small) / seconds for seconds, _ in (network, encoder, whole))
            print(
                "network {:.2f}, encoder {:.2f}, pipeline {:.2f} frames a second: ".format(*rates)
                + f"{slower / whole[0]:.2f} of the slower, of {min(1, slower / shared):.2f} that "
                f"the cores have time for; {busy:.2f} of the pipeline's processor time is network "
                "and encoder"
            )


def _preview_of(film: Path, frames: int, codec: str) -> JobOptions:
    with av.open(str(film)) as container:
        rate = container.streams.video[0].guessed_rate
        seconds = frames * Fraction(int(rate.denominator), int(rate.numerator))
    part = Preview(seconds, Fraction(0))
    return JobOptions(overwrite=True, film=FilmOptions(codec_named(codec), preview=part))


def _read_small(plan: FilmPlan) -> Iterator[NDArray[Any]]:
    wanted = {time for segment in plan.segments for time in segment}
    for frame in decode_film(plan.facts, plan.video):
        if frame.time in wanted:
            yield frame.read(plan.facts)
        elif wanted and frame.time > max(wanted):
            return


def _enlarge_all(
    upscaler: Upscaler, plan: FilmPlan, small: list[NDArray[Any]]
) -> Iterator[NDArray[Any]]:
    header = film_header(plan.facts)
    rows = upscaler.rows(RowSource(header, iter(small)))
    yield from read_frames(RowSource(plan.way.header(header), rows))


def _time(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and of processors."""
    start, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - busy


def measure_accuracy() -> None:
    """Code values at most, over random samples of 4:4:4, from the formulas in float64."""
    print("matrix   range   bits   swscale   subpixel")
    random_numbers = np.random.default_rng(0)
    for matrix, name in MATRICES.items():
        for full in (False, True):
            for bits in (8, 10):
                white = 255 if bits == 8 else 65535
                dtype = np.uint8 if bits == 8 else np.uint16
                frame = random_numbers.integers(0, white + 1, (96, 256, 3)).astype(dtype)
                layout = SampleLayout("yuv", bits)
                colour = FilmColour(matrix, 1, 1, full)
                expected = _formula(frame / white, colour, bits)
                own = _worst(encode_planes(frame, layout, colour), expected)
                other = _worst(_by_swscale(frame, layout, colour), expected)
                width = "full" if full else "limited"
                print(f"{name:8} {width:8} {bits:3} {other:9.2f} {own:10.2f}")
                assert decode_planes(encode_planes(frame, layout, colour), layout, colour).any()


def _formula(rgb: NDArray[Any], colour: FilmColour, bits: int) -> list[NDArray[Any]]:
    kr, kb = LUMA_OF_MATRIX[colour.matrix]
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    luma = kr * r + (1 - kr - kb) * g + kb * b
    blue, red = (b - luma) / (2 - 2 * kb), (r - luma) / (2 - 2 * kr)
    unit, peak, middle = 2.0 ** (bits - 8), 2**bits - 1, 2 ** (bits - 1)
    if colour.full_range:
        chroma = [(plane * peak + middle).clip(0, peak) for plane in (blue, red)]
        return [luma * peak, *chroma]
    return [(luma * 219 + 16) * unit, (blue * 224 + 128) * unit, (red * 224 + 128) * unit]


def _by_swscale(
    frame: NDArray[Any], layout: SampleLayout, colour: FilmColour
) -> list[NDArray[Any]]:
    rgb = SampleLayout("rgb", 8 if layout.bits == 8 else 16)
    coded = make_frame([frame[..., channel] for channel in range(3)], rgb)
    from av.video.reformatter import Colorspace, Interpolation

    flags = sum(int(Interpolation[name]) for name in SWSCALE_FLAGS.split("|"))
    name = "yuv444p" if layout.bits == 8 else "yuv444p10le"
    matrix = int(Colorspace[SWSCALE_NAMES[colour.matrix]])
    made = coded.reformat(
        format=name,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        interpolation=flags,
        src_color_range=2,
        dst_color_range=1 + colour.full_range,
    )
    return list(read_planes(made, layout))


def _worst(planes: list[NDArray[Any]], expected: list[NDArray[Any]]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(planes, expected, strict=True))


def kill_runs(film: Path, frames: int, kills: int, seed: int, within: float) -> int:
    """Returns how many results were not those of the undisturbed run; a run is killed ``within``
    so many seconds of its start."""
    chance, killed, films, faults = random.Random(seed), 0, 0, 0
    with av.open(str(film)) as container:
        seconds = frames / float(container.streams.video[0].guessed_rate)
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.film", "--run", str(film)]
        command += ["--seconds", f"{seconds:.4f}"]
        whole = Path(folder) / "whole.mp4"
        subprocess.run([*command, "--target", str(whole)], check=True)
        truth = hashlib.sha256(whole.read_bytes()).hexdigest()
        while killed < kills:
            target = Path(folder) / f"{films}.mp4"
            while not target.exists():
                process = subprocess.Popen([*command, "--target", str(target)])
                try:
                    process.wait(chance.uniform(0.5, within))
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    killed += 1
            films += 1
            same = hashlib.sha256(target.read_bytes()).hexdigest() == truth
            faults += not same
            print(f"film {films}, {killed} kills: {'the same' if same else 'ANOTHER'}", flush=True)
            target.unlink()
    return faults


def run_once(film: Path, seconds: float, target: Path) -> None:
    """One run, as killed: the fastest network, small segments."""
    from subpixel.jobs.film import plan

    plan.SEGMENT_SECONDS = 1
    options = FilmOptions(preview=Preview(Fraction(seconds).limit_denominator(10_000)))
    upscale_film(
        Upscaler("fast", scale=2, tuning=False), Job(film, target), JobOptions(film=options)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--film", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--within", type=float, default=12.0)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--target", type=Path)
    args = parser.parse_args()
    if args.run:
        run_once(args.run, args.seconds, args.target)
    elif args.accuracy:
        measure_accuracy()
    elif args.kills:
        sys.exit(1 if kill_runs(args.film, args.frames, args.kills, args.seed, args.within) else 0)
    else:
        measure_speed(args.film, args.frames, args.scale, args.codec, args.rounds)


if __name__ == "__main__":
    main()
