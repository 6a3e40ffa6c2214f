"""Names of results that are kept, whichever pictures come and go: none is replaced by another's."""

import random
from pathlib import Path

import numpy as np
import pytest

from journals import result_files
from subpixel.jobs.journal.kept_names import PlannedName, keep_names
from subpixel.jobs.journal.picture_run import PictureRun
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Naming, plan_jobs
from subpixel.jobs.pictures import PictureFiles
from subpixel.jobs.results import JobResult
from subpixel.media.image_file import write_picture
from subpixel.media.picture import Picture
from subpixel.upscaling.upscaler import Upscaler


@pytest.mark.parametrize(
    ("recorded", "planned", "kept"),
    [
        ({}, {"p.jpg": "p.webp", "p.png": "p.png.webp"}, "p.webp p.png.webp"),
        # the first of two is gone
        ({"p.webp": "p.jpg", "p.png.webp": "p.png"}, {"p.png": "p.webp"}, "p.png.webp"),
        # one comes before it
        ({"p.webp": "p.png"}, {"p.jpg": "p.webp", "p.png": "p.png.webp"}, "p.jpg.webp p.webp"),
        # nothing is known of it: what is there is looked at
        ({"p.webp": "p.jpg"}, {"p.png": "p.webp"}, "p.webp"),
        ({"p_x2.webp": "p.jpg", "p.png_x2.webp": "p.png"}, {"p.png": "p_x2.webp"}, "p.png_x2.webp"),
        ({"a/p.webp": "p.png"}, {"p.jpg": "p.webp", "p.png": "p.png.webp"}, "p.webp p.png.webp"),
        # as many names as pictures, no more
        ({"p.webp": "p.png"}, {"p.webp": "p.webp", "p.png": "p.png.webp"}, "p.webp p.png.webp"),
        # the only name that another can have; a third and a fourth keep theirs
        (
            {"p_x2.webp": "p.png", "q_x2.webp": "q.png"},
            {
                "p.png": "p.png_x2.webp",
                "p.webp": "p_x2.webp",
                "q.jpg": "q_x2.webp",
                "q.png": "q.png_x2.webp",
            },
            "p.png_x2.webp p_x2.webp q.jpg_x2.webp q_x2.webp",
        ),
        # a recorded result that is an input now
        (
            {"p.png_x2.webp": "p.png"},
            {"p.png": "p_x2.webp", "p.png_x2.webp": "p.png_x2_x2.webp"},
            "p_x2.webp p.png_x2_x2.webp",
        ),
        # the other name is another picture's
        (
            {"p.webp": "p.png"},
            {"p.jpg": "p.webp", "p.png": "p.png.webp", "p.jpg.tif": "P.JPG.webp"},
            "p.webp p.png.webp P.JPG.webp",
        ),
    ],
)
def test_kept_names(recorded: dict[str, str], planned: dict[str, str], kept: str) -> None:
    names = [PlannedName(key, source) for source, key in planned.items()]
    assert keep_names(names, recorded.get) == kept.split()


def test_a_name_that_no_file_system_takes_is_no_choice() -> None:
    long = "p" * 249
    names = [PlannedName(f"{long}.webp", f"{long}.png")]
    assert keep_names(names, lambda key: None) == [f"{long}.webp"]
    assert names[0].others() == ()


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler("espcn", scale=2, threads=1, tuning=False)


def run_folder(folder: Path, out: Path, upscaler: Upscaler) -> list[JobResult]:
    run = PictureRun(out, upscaler, JobOptions())
    try:
        jobs = plan_jobs([folder], Naming(out, suffix=".bmp")).jobs
        left, _ = run.begin(run.keep_names(jobs))
        return list(run.upscale(left, PictureFiles()))
    finally:
        run.close()


NAMES = ("p.jpg", "p.png", "p.tif", "p.jpg.png")


@pytest.mark.parametrize("seed", range(4))
def test_no_result_of_a_picture_that_is_gone_is_replaced(
    tmp_path: Path, upscaler: Upscaler, seed: int
) -> None:
    """Pictures whose results would have one name come, go and change, in any order."""
    choice, folder, out = random.Random(seed), tmp_path / "in", tmp_path / "out"
    made_of = dict[str, str]()
    folder.mkdir()
    write_picture(Picture(np.zeros((1, 4, 5, 3), np.uint8)), folder / "other.png")
    for step in range(1, 7):
        for name in choice.sample(NAMES, 2):
            if (folder / name).exists() and choice.random() < 0.6:
                (folder / name).unlink()
            else:
                pixels = np.full((1, 4, 5, 3), 40 * step, np.uint8)
                write_picture(Picture(pixels), folder / name, overwrite=True)
        before = {name: (out / name).read_bytes() for name in made_of}
        results = run_folder(folder, out, upscaler)
        for name, source in made_of.items():
            if not (folder / source).exists():
                assert (out / name).read_bytes() == before[name], (step, name, source)
        for result in results:
            if result.error is not None:
                assert "exists; use --overwrite" in result.error
                continue
            assert result.output is not None
            if result.replaced is None:
                assert result.output.name not in before
            else:
                assert made_of[result.output.name] == result.input.name
            made_of[result.output.name] = result.input.name
        assert result_files(out) == set(made_of)
