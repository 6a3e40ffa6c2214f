"""The last step against Pillow's and ImageMagick's own resizing, in their Lanczos filter and gamma
light."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.imaging.resample import BICUBIC, LANCZOS
from subpixel.media.photograph import photograph
from subpixel.media.picture import Header
from subpixel.upscaling.rows.resampler import Resampler, Window

PILLOWS = Image.Resampling.LANCZOS

SIZES = [
    (300, 451),
    (250, 376),
    (200, 301),
    (77, 120),
    (299, 450),
    (31, 451),
    (400, 600),
    (301, 40),
]
"""Height and width, from 300 x 451: smaller, hardly smaller, along one axis, larger, both."""


@cache
def _photo() -> np.ndarray:
    """The photograph in half its contrast: what overshoots black or white is clipped by Pillow and
    ImageMagick between the two passes, too, and here only at the end."""
    return photograph() // 2 + 64


def _with_alpha() -> np.ndarray:
    """The photograph, transparent towards the left, never to less than a third: what another
    program rounds to 8 bits when it multiplies by alpha weighs little."""
    alpha = np.linspace(85, 255, _photo().shape[1]).round().astype(np.uint8)
    return np.dstack([_photo(), np.broadcast_to(alpha, _photo().shape[:2])])


def _resample(picture: np.ndarray, stage: Resampler) -> np.ndarray:
    header = Header((1, *picture.shape), picture.dtype)
    return np.concatenate(list(stage.run(header, iter([picture]))))


def _difference(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("size", SIZES)
def test_as_pillow(size: tuple[int, int]) -> None:
    height, width = size
    for picture in (_photo(), _photo()[..., :1]):
        flat = picture[..., 0] if picture.shape[2] == 1 else picture
        expected = np.asarray(Image.fromarray(flat).resize((width, height), PILLOWS))
        ours = _resample(picture, Resampler(height, width, LANCZOS))
        assert _difference(ours, expected.reshape(ours.shape)) <= 1


def test_what_overshoots_is_clipped_once() -> None:
    """So in full contrast a few pixels differ from Pillow's, beside black and white alone."""
    expected = np.asarray(Image.fromarray(photograph()).resize((376, 250), PILLOWS))
    ours = _resample(photograph(), Resampler(250, 376, LANCZOS))
    far = np.abs(ours.astype(int) - expected) > 1
    assert 0 < far.mean() < 1e-4


def test_bicubic_as_pillow_away_from_the_edges() -> None:
    """Where Pillow leaves out what lies beyond an edge and MATLAB repeats the edge."""
    resized = Image.fromarray(_photo()).resize((300, 200), Image.Resampling.BICUBIC)
    inner = (slice(4, -4), slice(4, -4))
    ours = _resample(_photo(), Resampler(200, 300, BICUBIC))
    assert _difference(ours[inner], np.asarray(resized)[inner]) <= 1


@pytest.mark.parametrize("size", SIZES)
def test_alpha_as_pillow(size: tuple[int, int]) -> None:
    height, width = size
    picture = _with_alpha()
    resized = Image.fromarray(picture).resize((width, height), PILLOWS)
    ours = _resample(picture, Resampler(height, width, LANCZOS))
    assert _difference(ours[..., 3], np.asarray(resized)[..., 3]) <= 1
    # Pillow rounds colour times alpha to 8 bits before the passes and after each, half a code value
    # (times 1.7, 1.3 and 1: the weights' sum without their signs, along what follows), and then
    # divides by a third and more; its alpha is rounded likewise.
    assert _difference(ours[..., :3], np.asarray(resized)[..., :3]) <= 2 * 3 * 0.5 * (1.7 + 1.3 + 1)


@cache
def _imagemagick() -> tuple[str, ...]:
    """How ImageMagick is called here; skips where it isn't."""
    for name in ("magick", "convert", "/usr/bin/convert"):
        program = shutil.which(name)
        words = [program, "-version"] if program else []
        if words and b"ImageMagick" in subprocess.run(words, capture_output=True).stdout[:40]:
            return (str(program),)
    pytest.skip("needs ImageMagick (Debian: imagemagick)")


def _convert(picture: np.ndarray, folder: Path, *words: str) -> np.ndarray:
    source, target = folder / "in.png", folder / "out.png"
    flat = picture[..., 0] if picture.shape[2] == 1 else picture
    Image.fromarray(flat).save(source)
    form = "PNG32:" if picture.shape[2] == 4 else "PNG24:"
    command = [*_imagemagick(), str(source), *words, "-depth", "8", f"{form}{target}"]
    subprocess.run(command, check=True, capture_output=True)
    with Image.open(target) as image:
        return np.asarray(image)


@pytest.mark.parametrize("size", SIZES)
def test_as_imagemagick(size: tuple[int, int], tmp_path: Path) -> None:
    height, width = size
    resize = ("-filter", "Lanczos", "-resize", f"{width}x{height}!")
    for picture in (_photo(), _with_alpha()):
        expected = _convert(picture, tmp_path, *resize)
        assert _difference(_resample(picture, Resampler(height, width, LANCZOS)), expected) <= 1


def test_a_window_as_imagemagick_cuts_it_out(tmp_path: Path) -> None:
    """The sides that stick out of a box that is covered, cut off."""
    cover = ("-filter", "Lanczos", "-resize", "200x200^", "-gravity", "center")
    expected = _convert(_photo(), tmp_path, *cover, "-extent", "200x200")
    stage = Resampler(200, 301, LANCZOS, Window(0, 50, 200, 200))
    assert _difference(_resample(_photo(), stage), expected) <= 1


@pytest.mark.parametrize(
    "window", [Window(3, 7, 60, 41), Window(0, 0, 1, 1), Window(50, 90, 27, 30)]
)
def test_a_window_is_a_part(window: Window) -> None:
    whole = _resample(_photo(), Resampler(77, 120, LANCZOS))
    part = whole[window.top :, window.left :][: window.height, : window.width]
    assert np.array_equal(_resample(_photo(), Resampler(77, 120, LANCZOS, window)), part)


@pytest.mark.parametrize(
    "window", [Window(0, 0, 78, 5), Window(70, 0, 8, 5), Window(-1, 0, 2, 2), Window(0, 0, 0, 2)]
)
def test_a_window_beyond_the_picture_is_refused(window: Window) -> None:
    with pytest.raises(UsageError, match="no pixels, or some outside 120 x 77"):
        Resampler(77, 120, LANCZOS, window)
