"""What is saved where tiles are as they were in the frame before, and what that costs elsewhere.

    python benchmarks/repeated_tiles.py

Three films are drawn here: a screen recording (windows, lines of text that grow, a pointer that
moves, a page that scrolls now and then), an animation (a figure before a still background), and a
film of real motion (a picture that moves, with noise of its own in each frame). They go through a
network with the last frame's results held and without, in turns, round after round: the figure is
the median of the rounds' ratios, of seconds and of processor time. The results must be equal to the
bit. Then one tile is compared with the last frame's, and hashed.
"""

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from PIL import Image, ImageDraw

from subpixel.imaging.colour import Rgb8
from subpixel.media.picture import Picture, Rows, Source
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.upscaling.frames.repeats import equal_bits
from subpixel.upscaling.pipeline import Pipeline

WORDS = "the quick brown fox jumps over the lazy dog and comes back again with three more"
TILES = (512, 256, 128)
SAMPLES = 200
"""How often one tile is compared or hashed."""


@dataclass(frozen=True)
class Size:
    """Of the films, and of the desktop's parts in them."""

    width: int = 960
    height: int = 540
    frames: int = 12


def record_screen(size: Size) -> Iterator[Rgb8]:
    """A desktop: one line of text grows by a few letters a frame, a pointer moves, and every
    eighth frame the window behind scrolls."""
    for number in range(size.frames):
        screen = Image.new("RGB", (size.width, size.height), (58, 110, 165))
        draw = ImageDraw.Draw(screen)
        scroll = 40 * (number // 8)
        _draw_window(draw, (20, 20, size.width * 2 // 3, size.height - 60), "browser", scroll)
        left, top = size.width // 2, size.height // 3
        _draw_window(draw, (left, top, size.width - 20, top + size.height // 3), "editor", 0)
        draw.text((left + 10, top + 130), WORDS[: 3 * number], fill="black")
        x, y = left - 30 + 9 * number, size.height - 120 - 6 * number
        draw.polygon([(x, y), (x, y + 16), (x + 11, y + 11)], fill="black", outline="white")
        yield np.asarray(screen)


def _draw_window(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], title: str, scroll: int
) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill="white", outline="black")
    draw.rectangle((left, top, right, top + 18), fill=(0, 60, 116))
    draw.text((left + 6, top + 4), title, fill="white")
    for number, y in enumerate(range(top + 26, bottom - 14, 14)):
        start = 7 * (number + scroll) % len(WORDS)
        line = WORDS[start:] + WORDS[:start]
        if title == "browser":
            draw.text((left + 10, y), line, fill=(40, 40, 40))


def draw_animation(size: Size) -> Iterator[Rgb8]:
    """A disc that moves before a background of noise that doesn't."""
    random = np.random.default_rng(3)
    background = random.integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    down, across = np.mgrid[: size.height, : size.width]
    for number in range(size.frames):
        frame, centre = background.copy(), size.width // 4 + 8 * number
        disc = (down - size.height // 2) ** 2 + (across - centre) ** 2 < (size.height // 6) ** 2
        frame[disc] = (220, 60, 40)
        yield frame


def film_motion(size: Size) -> Iterator[Rgb8]:
    """Smooth shapes that move by two pixels a frame, and a camera's noise."""
    random = np.random.default_rng(4)
    down, across = np.mgrid[: size.height, : size.width + 2 * size.frames]
    waves = np.stack(
        [np.sin(down / (17 + 5 * c)) + np.cos(across / (23 + 3 * c)) for c in range(3)]
    )
    scene = (127 + 55 * waves).transpose(1, 2, 0)
    for number in range(size.frames):
        seen = scene[:, 2 * number : 2 * number + size.width]
        yield (seen + random.normal(0, 3, seen.shape)).clip(0, 255).astype(np.uint8)


FILMS: dict[str, Callable[[Size], Iterator[Rgb8]]] = {
    "screen recording": record_screen,
    "animation": draw_animation,
    "real motion": film_motion,
}


@dataclass
class Turn:
    """One way through a network: what each round took, and what came out of the last."""

    seconds: list[float]
    processor_seconds: list[float]
    result: bytes = b""

    def run(self, rows: Iterator[Rows]) -> None:
        """Go through the whole film once."""
        began, used, result = time.perf_counter(), time.process_time(), hashlib.sha256()
        for chunk in rows:
            result.update(chunk)
        self.seconds.append(time.perf_counter() - began)
        self.processor_seconds.append(time.process_time() - used)
        self.result = result.digest()


def measure(pipeline: Pipeline, film: Source, rounds: int) -> tuple[Turn, Turn]:
    """Without and with the last frame's results, in turns."""
    plan = pipeline.plan(film.header)
    plans = replace(plan, cache_runs=0), replace(plan, cache_runs=plan.runs)
    turns = Turn([], []), Turn([], [])
    for _ in pipeline.run(film, plans[0]):
        pass  # warm
    pairs = list(zip(turns, plans, strict=True))
    for _ in range(rounds):
        for turn, plan in pairs:
            turn.run(pipeline.run(film, plan))
        pairs.reverse()  # whoever comes second may be the slower
    return turns


def repeated_share(pipeline: Pipeline, film: Picture) -> float:
    """How many of the runs, from the second frame on, see nothing new."""
    plan = pipeline.plan(film.header)
    places = [
        (slice(row.start, row.stop), slice(group[0].start, group[-1].stop))
        for row in plan.rows
        for group in plan.groups
    ]
    same = [
        np.array_equal(before[place], after[place])
        for before, after in zip(film.frames[:-1], film.frames[1:], strict=True)
        for place in places
    ]
    return sum(same) / len(same)


def compare_ways(side: int = 512) -> None:
    """A tile against the last frame's, and its hash: microseconds, the fastest of many."""
    random = np.random.default_rng(5)
    tile = random.integers(0, 256, (1, side, side, 3), dtype=np.uint8)
    same, other = tile.copy(), tile[:, ::-1].copy()
    ways = {
        "compared, equal": lambda: equal_bits(tile, same),
        "compared, different": lambda: equal_bits(tile, other),
        "BLAKE2b": lambda: hashlib.blake2b(tile).digest(),
        "SHA-256": lambda: hashlib.sha256(tile).digest(),
    }
    print(f"\n| a tile of {side} x {side} x 3 bytes | µs |\n|---|---|")
    for name, way in ways.items():
        print(f"| {name} | {min(_time(way) for _ in range(SAMPLES)) * 1e6:.0f} |")


def _row(without: Turn, with_it: Turn, frames: int) -> str:
    ratios = (
        median(a / b for a, b in zip(after, before, strict=True))
        for before, after in (
            (without.seconds, with_it.seconds),
            (without.processor_seconds, with_it.processor_seconds),
        )
    )
    each = (median(turn.seconds) / frames for turn in (without, with_it))
    return " | ".join([*(f"{s:.3f}" for s in each), *(f"{ratio:.2f}" for ratio in ratios)])


def _time(way: Callable[[], object]) -> float:
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["fast-int8", "balanced-int8"])
    parser.add_argument("--tiles", nargs="+", type=int, default=TILES)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--frames", type=int, default=Size.frames)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    size = Size(frames=given.frames)
    print(
        "| network | film | tile | runs that repeat | s/frame without | with | time | processor |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in given.networks:
        network = open_network(name, RunSettings(device="cpu"), scale=given.scale)
        for title, draw in FILMS.items():
            film = Picture(np.stack(list(draw(size))))
            for tile in given.tiles:
                pipeline = Pipeline(network, tile=tile)
                turns = measure(pipeline, film, given.rounds)
                if turns[0].result != turns[1].result:
                    raise SystemExit(f"{name}, {title}, {tile}: not equal")
                share = repeated_share(pipeline, film)
                print(f"| {name} | {title} | {tile} | {share:.0%} | {_row(*turns, size.frames)} |")
    compare_ways()


if __name__ == "__main__":
    main()
