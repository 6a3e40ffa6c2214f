"""Files through one network: each header is read once, and one that fails stops no other."""

from pathlib import Path

import numpy as np
import pytest

from subpixel.errors import PictureError
from subpixel.jobs import pictures
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import MAX_OPEN, PictureFiles, limit_tuning, upscale_files
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.picture import Picture
from subpixel.media.reading import Decoders
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.upscaling.upscaler import Upscaler

DEFAULT = TunedSettings(RunSettings("cpu", "fp32").resolve(), Path("a"), "", 1.0, 1.0, 0.1, 60.0)
FASTER = TunedSettings(RunSettings("cpu", "int8").resolve(), Path("b"), "", 2.0, 0.5, 0.6, 50.0)
"""Half a second longer to open, and half a second less for each megapixel."""
TUNING = Tuning(45.0, DEFAULT, (FASTER, DEFAULT))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were opened, in order."""
    files: list[Path] = []

    def count(
        file: Path,
        *,
        max_pixels: int,
        max_memory: int | None,
        max_bytes: int,
        decoders: Decoders | None,
    ) -> object:
        files.append(file)
        return open_picture(
            file,
            max_pixels=max_pixels,
            max_memory=max_memory,
            max_bytes=max_bytes,
            decoders=decoders,
        )

    monkeypatch.setattr(pictures, "open_picture", count)
    return files


def _write(file: Path, side: int) -> Path:
    write_picture(Picture(np.zeros((1, side, side, 3), np.uint8)), file)
    return file


def test_a_header_is_read_once(tmp_path: Path, opened: list[Path]) -> None:
    inputs = [_write(tmp_path / f"{side}.png", side) for side in (20, 30)]
    files = PictureFiles()
    assert limit_tuning(TUNING, inputs, files).choose() == DEFAULT
    jobs = [Job(file, file.with_suffix(".tif")) for file in inputs]
    results = list(upscale_files(Upscaler("fast", scale=2), jobs, files, JobOptions()))
    assert [(result.width, result.error) for result in results] == [(40, None), (60, None)]
    assert all(
        read_picture(job.target).height == r.height for job, r in zip(jobs, results, strict=True)
    )
    assert opened == inputs


def test_much_work_is_worth_a_longer_opening(tmp_path: Path) -> None:
    large = _write(tmp_path / "large.png", 1001)
    assert limit_tuning(TUNING, [large], PictureFiles()).choose() == FASTER
    small = _write(tmp_path / "small.png", 999)
    assert limit_tuning(TUNING, [small], PictureFiles()).choose() == DEFAULT
    assert limit_tuning(TUNING, [tmp_path], PictureFiles()).choose() == FASTER, "a folder"
    (tmp_path / "bad.png").write_text("words")
    bad = [small, tmp_path / "bad.png"]
    assert limit_tuning(TUNING, bad, PictureFiles()).choose() == FASTER


def test_no_more_than_so_many_stay_open(tmp_path: Path, opened: list[Path]) -> None:
    inputs = [_write(tmp_path / f"{i}.png", 9) for i in range(MAX_OPEN + 3)]
    files = PictureFiles()
    limit_tuning(TUNING, inputs, files)
    for file in inputs:
        files.take(file)
    assert opened == [*inputs, *inputs[MAX_OPEN:]]


def test_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("words")
    good = _write(tmp_path / "good.png", 9)
    jobs = [Job(file, file.with_suffix(".tif")) for file in (tmp_path / "bad.png", good)]
    failure, result = upscale_files(Upscaler("fast"), jobs, PictureFiles(), JobOptions())
    assert failure.error is not None
    assert failure.output is None
    assert result.output == good.with_suffix(".tif")
    with pytest.raises(PictureError):
        PictureFiles().take(tmp_path / "bad.png")
