"""`subpixel upscale` to a size: what is in the file, what it is called, and what is said."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image, ImageOps

from networks import sub_pixel_network
from subpixel.cli.main import run
from subpixel.jobs.journal.journal import JOURNAL_FOLDER


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    y, x = np.mgrid[:20, :30]
    rgb = np.stack([8 * x, 12 * y, 255 - 8 * x], axis=2).astype(np.uint8)
    Image.fromarray(rgb).save(file)
    return file


def _size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def _upscale(photo: Path, *words: str) -> int:
    return run(["upscale", str(photo), "--model", "fast", *words])


@pytest.mark.sample(every=3)
@pytest.mark.parametrize(
    ("words", "label", "size"),
    [
        (("--scale", "1.5"), "x1.5", (45, 30)),
        (("--scale", "6"), "x6", (180, 120)),
        (("--scale", "8"), "x8", (240, 160)),
        (("--width", "100"), "w100", (100, 67)),
        (("--height", "100"), "h100", (150, 100)),
        (("--fit", "100x50"), "fit100x50", (75, 50)),
        (("--fill", "100x50"), "100x50", (100, 50)),
        (("--megapixels", "0.006"), "0.006mp", (95, 63)),
    ],
)
def test_a_picture_gets_its_size_and_name(
    photo: Path,
    words: tuple[str, str],
    label: str,
    size: tuple[int, int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert _upscale(photo, *words) == 0
    assert _size(photo.with_stem(f"photo_{label}")) == size
    assert capfd.readouterr() == ("", "")


def test_a_scale_that_the_network_has_is_the_network_alone(photo: Path) -> None:
    """To the bit as before there were sizes: no filter touches it."""
    assert _upscale(photo, "--scale", "2", "-o", str(photo.with_name("a.png"))) == 0
    assert _upscale(photo, "--scale", "2.0", "-o", str(photo.with_name("b.png"))) == 0
    assert _upscale(photo, "--width", "60", "-o", str(photo.with_name("c.png"))) == 0
    first, *others = (np.asarray(Image.open(photo.with_name(f"{n}.png"))) for n in "abc")
    assert all(np.array_equal(first, other) for other in others)


def test_the_picture_is_the_photograph_in_that_size(photo: Path) -> None:
    """The gradient's means over the pixels of the source stay."""
    assert _upscale(photo, "--width", "75") == 0
    with Image.open(photo.with_stem("photo_w75")) as larger, Image.open(photo) as source:
        back = np.asarray(larger.resize(source.size, Image.Resampling.BOX), int)
        inner = (slice(2, -2), slice(2, -2))
        assert np.abs(back - np.asarray(source, int))[inner].max() <= 4


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("turn", range(1, 9))
def test_width_and_height_are_those_that_people_see(photo: Path, turn: int, tmp_path: Path) -> None:
    turned = tmp_path / "turned.jpg"
    with Image.open(photo) as image:
        exif = image.getexif()
        exif[0x0112] = turn
        image.save(turned, exif=exif)
    assert _upscale(turned, "--width", "90", "-o", str(tmp_path / "out.jpg")) == 0
    with Image.open(tmp_path / "out.jpg") as larger:
        seen = ImageOps.exif_transpose(larger).size
    assert seen == ((90, 60) if turn <= 4 else (90, 135))


def test_json_says_the_size_that_people_see(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turned = tmp_path / "turned.jpg"
    with Image.open(photo) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(turned, exif=exif)
    assert _upscale(turned, "--fit", "1000x150", "--json") == 0
    (done,) = json.loads(capsys.readouterr().out)["files"]
    assert (done["width"], done["height"], done["scales"]) == (100, 150, [2, 3])


@pytest.mark.parametrize(
    ("words", "line", "size"),
    [
        (("--width", "15"), "30 x 20 pixels become fewer, 15 x 10: no network is used", (15, 10)),
        (("--scale", "0.5"), "30 x 20 pixels become fewer, 15 x 10: no network is used", (15, 10)),
        (("--height", "20"), "it has 30 x 20 pixels already: no network is used", (30, 20)),
        (("--fill", "30x10"), "30 x 20 pixels become fewer, 30 x 10: no network", (30, 10)),
    ],
)
def test_a_size_that_is_not_larger_is_said(
    photo: Path,
    words: tuple[str, str],
    line: str,
    size: tuple[int, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = photo.with_name("out.png")
    assert _upscale(photo, *words, "-o", str(target), "--json") == 0
    said = capsys.readouterr()
    (done,) = json.loads(said.out)["files"]
    assert said.err.startswith(f"subpixel: {photo}: {line}")
    assert said.err.count("\n") == 1
    assert (done["scales"], done["setting"]) == ([], None)
    assert (_size(target), (done["width"], done["height"])) == (size, size)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--width", "9", "--height", "9"), "--width and --height exclude each other: name one"),
        (("--scale", "2", "--fit", "9x9"), "--scale and --fit exclude each other: name one"),
        (("--scale", "300"), "scale is 300; a side becomes up to 64 times as long"),
        (("--fit", "1920"), "write width x height, as 1920x1080"),
        (("--width", "0"), "--width"),
        (("--megapixels", "0"), "--megapixels"),
        (("--megapixels", "nan"), "'nan' is no number above 0"),
    ],
)
def test_what_can_not_be_meant_is_exit_code_2(
    photo: Path, words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _upscale(photo, *words) == 2
    assert line in capsys.readouterr().err
    assert {file.name for file in photo.parent.iterdir()} == {"photo.png"}


def test_a_size_beyond_all_bounds_fails_that_picture(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _upscale(photo, "--width", "90000") == 1
    assert "would become 3000 times as long; up to 64 times" in capsys.readouterr().err


def test_a_second_run_leaves_the_results_of_the_first_alone(photo: Path) -> None:
    assert run(["upscale", str(photo.parent), "--model", "fast", "--fit", "60x60"]) == 0
    first = (photo.parent / "photo_fit60x60.png").stat()
    assert run(["upscale", str(photo.parent), "--model", "fast", "--fit", "60x60"]) == 0
    names = {file.name for file in photo.parent.iterdir()}
    assert names == {"photo.png", "photo_fit60x60.png", JOURNAL_FOLDER}
    assert (photo.parent / "photo_fit60x60.png").stat() == first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "line", "size"),
    [
        (
            "3",
            "runs 2 times in turn, to 4 times the size, and a filter brings that down to 3",
            (90, 60),
        ),
        ("1.5", "runs once, to 2 times the size, and a filter brings that down to 1.5", (45, 30)),
    ],
)
def test_another_scale_of_a_network_that_has_one_is_explained(
    photo: Path, scale: str, line: str, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    network, target = photo.with_name("two.onnx"), photo.with_name("out.png")
    onnx.save(sub_pixel_network(3, 2), network)
    words = ["upscale", str(photo), "--model", str(network), "-o", str(target), "--scale", scale]
    assert run(words) == 0
    assert line in capsys.readouterr().err
    assert _size(target) == size
    assert run([*words[:-1], "2", "--overwrite"]) == 0
    assert "in turn" not in capsys.readouterr().err
