"""EXIF that begins with no TIFF header would make readers refuse an AVIF or a HEIC as a whole."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.losses import losses_in
from subpixel.media.metadata.exif import EXIF_PREFIX
from subpixel.media.picture import Metadata, Picture

HEIF = pytest.param(
    ".heic",
    marks=pytest.mark.skipif(
        importlib.util.find_spec("pillow_heif") is None, reason="needs the extra heif"
    ),
)
NO_HEADERS = (
    b"",
    b"VP8 \xb4\0\0\0\x14\6\0\x9d",
    b"II",
    b"II\x2b\0\x08\0\0\0\0\0\0\0",
    b"MM\0\0" * 9,
)


def open_with_pillow(file: Path) -> Image.Image:
    if file.suffix == ".heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    with Image.open(file) as image:
        image.load()
    return image


@pytest.mark.parametrize("prefix", [b"", EXIF_PREFIX])
@pytest.mark.parametrize("block", NO_HEADERS)
@pytest.mark.parametrize("suffix", [".avif", HEIF])
def test_what_is_no_exif_is_left_out_and_named(
    tmp_path: Path, suffix: str, block: bytes, prefix: bytes
) -> None:
    picture = Picture(np.zeros((1, 16, 16, 3), np.uint8), metadata=Metadata(exif=prefix + block))
    assert [loss.what for loss in losses_in(picture, suffix)] == ["exif"]
    write_picture(picture, tmp_path / f"a{suffix}")
    assert open_with_pillow(tmp_path / f"a{suffix}").size == (16, 16)


@pytest.mark.parametrize("suffix", [".avif", HEIF])
def test_exif_is_kept(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    picture = Picture(np.zeros((1, 16, 16, 3), np.uint8), metadata=Metadata(exif=exif.tobytes()))
    assert losses_in(picture, suffix) == ()
    write_picture(picture, tmp_path / f"a{suffix}")
    assert open_with_pillow(tmp_path / f"a{suffix}").getexif()[0x010F] == "Maker"
    assert read_picture(tmp_path / f"a{suffix}").metadata.exif is not None
