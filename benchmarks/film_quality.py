"""Whether a film is what its pictures would be, and whether its sound is untouched.

    python benchmarks/film_quality.py --film trailer.mp4 --start 20 --seconds 2
    python benchmarks/film_quality.py --film trailer.mp4 --sound

The first enlarges a part of the film by `subpixel upscale`'s way, with each codec, decodes the
result, and compares its planes with those of the source's frames, enlarged one by one and
converted: PSNR of luma and chroma; without a loss in the codec every sample must be equal. The
second enlarges the whole film, made small beforehand so that it is quick, its sound copied, and
compares the packets of sound with the original's: data, times and durations.
"""

import argparse
import hashlib
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from subpixel.jobs.film.options import FilmOptions, Preview
from subpixel.jobs.film.plan import FilmPlan, plan_film
from subpixel.jobs.film.work import upscale_film
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.media.film.conversion import encode_planes
from subpixel.media.film.encoding.codecs import codec_named
from subpixel.media.film.frames import decode_film
from subpixel.media.film.planes import read_planes
from subpixel.media.film.seeking import decode_from
from subpixel.media.film.survey.survey import survey_film
from subpixel.upscaling.upscaler import Upscaler

Planes = Sequence[NDArray[Any]]


def compare_pictures(
    film: Path, start: Fraction, seconds: Fraction, network: str, settings: list[tuple[str, int]]
) -> None:
    """A line for each codec and CRF (-1: none)."""
    upscaler = Upscaler(network, scale=2, tuning=False)
    expected: list[Planes] = []
    print("codec   crf   frames   luma dB   Cb dB   Cr dB   bytes")
    with TemporaryDirectory() as folder:
        for codec, crf in settings:
            part = Preview(seconds, start)
            own = FilmOptions(codec_named(codec), None if crf < 0 else crf, preview=part)
            job, options = Job(film, Path(folder) / f"{codec}{crf}.mkv"), JobOptions(film=own)
            plan = plan_film(upscaler, job, options)
            expected = expected or list(_enlarge_pictures(upscaler, plan))
            upscale_film(upscaler, job, options)
            errors = [0.0, 0.0, 0.0]
            for planes, wanted in zip(_read_film(job.target), expected, strict=True):
                for number, pair in enumerate(zip(planes, wanted, strict=True)):
                    errors[number] += float(np.square(np.subtract(*pair, dtype=np.int32)).mean())
            psnr = "  ".join(f"{_psnr(error / len(expected), plan):7.2f}" for error in errors)
            size = job.target.stat().st_size
            print(f"{codec:6} {crf:4} {len(expected):8}  {psnr} {size:10,}", flush=True)


def _enlarge_pictures(upscaler: Upscaler, plan: FilmPlan) -> Iterator[Planes]:
    """The planes of each frame, enlarged as a picture by itself."""
    wanted = {time for segment in plan.segments for time in segment}
    settings = plan.settings
    for frame in decode_from(plan.facts, plan.video, min(wanted)):
        if frame.time > max(wanted):
            return
        if frame.time in wanted:
            large = upscaler(frame.read(plan.facts))
            yield encode_planes(large, settings.layout, settings.colour)


def _read_film(film: Path) -> Iterator[Planes]:
    survey = survey_film(film)
    for frame in decode_film(survey.facts, survey.stream):
        yield read_planes(frame.coded, survey.facts.layout)


def _psnr(error: float, plan: FilmPlan) -> float:
    peak = (1 << plan.settings.layout.bits) - 1
    return 10 * math.log10(peak**2 / error) if error else math.inf


def compare_sound(film: Path, network: str) -> bool:
    """Whether all packets of sound are the same."""
    with TemporaryDirectory() as folder:
        small, large = (Path(folder) / f"{name}{film.suffix}" for name in ("small", "large"))
        _shrink(film, small)
        result = upscale_film(
            Upscaler(network, scale=2, tuning=False), Job(small, large), JobOptions()
        )
        before, after = _list_sound(film), _list_sound(large)
    print(f"{result.frames} frames, {len(before)} packets of sound: {_hash_sound(before)}")
    print(f"the enlarged film has {len(after)}: {_hash_sound(after)}")
    return before == after


def _shrink(film: Path, small: Path) -> None:
    """A film of 64 columns, its sound copied."""
    with av.open(str(film)) as source, av.open(str(small), "w") as target:
        video, sound = source.streams.video[0], source.streams.audio[0]
        copy = target.add_stream_from_template(sound)
        coded = target.add_stream("libx264", video.guessed_rate)
        assert isinstance(coded, VideoStream)
        coded.width, coded.height = 64, max(2, 64 * video.height // video.width // 2 * 2)
        coded.pix_fmt = "yuv420p"
        coded.time_base = coded.codec_context.time_base = video.time_base
        for packet in source.demux(video, sound):
            if packet.stream is sound and packet.size:
                packet.stream = copy
                target.mux(packet)
            elif packet.stream is video:
                for frame in packet.decode():
                    shrunk = frame.reformat(coded.width, coded.height, coded.pix_fmt)
                    target.mux(coded.encode(shrunk))
        target.mux(coded.encode(None))


def _hash_sound(packets: list[tuple[str, Fraction, Fraction]]) -> str:
    return hashlib.sha256(repr(packets).encode()).hexdigest()[:16]


def _list_sound(film: Path) -> list[tuple[str, Fraction, Fraction]]:
    """Hash, time and duration of each packet."""
    with av.open(str(film)) as container:
        return [
            (
                hashlib.sha256(bytes(packet)).hexdigest(),
                packet.pts * Fraction(packet.time_base),
                packet.duration * Fraction(packet.time_base),
            )
            for packet in container.demux(audio=0)
            if packet.size
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--film", type=Path, required=True)
    parser.add_argument("--network", default="fast")
    parser.add_argument("--start", type=Fraction, default=Fraction(0), help="in seconds")
    parser.add_argument("--seconds", type=Fraction, default=Fraction(2))
    parser.add_argument("--sound", action="store_true")
    args = parser.parse_args()
    if args.sound:
        if not compare_sound(args.film, args.network):
            raise SystemExit("the sound differs")
        return
    settings = [("ffv1", -1), ("h264", 18), ("h264", 28)]
    compare_pictures(args.film, args.start, args.seconds, args.network, settings)


if __name__ == "__main__":
    main()
