"""Fuzzes a parser, guided by the lines that it reaches: needs atheris (the extra `fuzz`).

    python -m tests.robustness.harnesses.fuzz exif build/fuzz/exif -max_total_time=600
    python -m tests.robustness.harnesses.fuzz exif --plain 10000

What follows the name is libFuzzer's: a folder of inputs, which is filled with seeds where it is
empty, and its options. `--plain COUNT` mutates the seeds without a guide, and needs no package.
"""

import random
import sys
from pathlib import Path

import tests.robustness.__main__  # noqa: F401 - one thread each, and where fixtures lie

PLAIN = "--plain"


def main() -> None:
    """By the command line."""
    _, name, *rest = sys.argv
    if rest[:1] == [PLAIN]:
        run_plainly(name, int(rest[1]))
        return
    import atheris

    with atheris.instrument_imports(include=["subpixel"]):
        from tests.robustness.harnesses.parsers import find_harness
    folders = [Path(option) for option in rest if not option.startswith("-")]
    for folder in folders[:1]:
        _fill(folder, name)
    atheris.Setup([sys.argv[0], *rest], find_harness(name).parse)
    atheris.Fuzz()


def run_plainly(name: str, count: int, seed: int = 0) -> None:
    """``count`` mutated inputs; raises what the parser must not raise."""
    from tests.robustness.harnesses.parsers import find_harness
    from tests.robustness.mutation.mutate import mutate

    harness = find_harness(name)
    seeds = list(harness.seeds())
    contents = [one.data for one in seeds]
    for number in range(count):
        dice = random.Random(f"{seed}/{name}/{number}")
        drawn = dice.choice(seeds)
        harness.parse(mutate(dice, drawn.suffix, drawn.data, contents))


def _fill(folder: Path, name: str) -> None:
    from tests.robustness.harnesses.parsers import find_harness

    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for number, seed in enumerate(find_harness(name).seeds()):
            (folder / f"seed-{number}").write_bytes(seed.data)


if __name__ == "__main__":
    main()
