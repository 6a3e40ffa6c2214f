"""EXIF that names itself, in each container: kept as it is, and not shown to libexif."""

import io
from pathlib import Path

import pytest
from PIL import Image

from subpixel.media.formats.registry import format_of
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.libvips import FileContents
from subpixel.media.metadata import exif

ENTRIES = 1500
MAKE = b"\x0f\x01\2\0\4\0\0\0abc\0"
"""A field that libexif understands."""


def make_bomb() -> bytes:
    """A directory all of whose fields say that it is their directory."""
    entry = (0x8769).to_bytes(2, "little") + b"\4\0\1\0\0\0\x08\0\0\0"
    count = (ENTRIES + 1).to_bytes(2, "little")
    return b"II*\0\x08\0\0\0" + count + MAKE + entry * ENTRIES + bytes(4)


def make_file(suffix: str, block: bytes) -> bytes:
    file = io.BytesIO()
    if suffix == ".heic":
        picture = pytest.importorskip("pillow_heif").from_pillow(Image.new("RGB", (16, 16)))
        picture.save(file, exif=exif.EXIF_PREFIX + block)
        return file.getvalue()
    form = {".jpg": "jpeg"}.get(suffix, suffix[1:])
    Image.new("RGB", (16, 16), (90, 120, 30)).save(file, form, exif=exif.EXIF_PREFIX + block)
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".heic"])
def test_a_bomb_is_kept_and_not_followed(tmp_path: Path, suffix: str) -> None:
    bomb, file = make_bomb(), tmp_path / f"a{suffix}"
    file.write_bytes(make_file(suffix, bomb))
    header = open_picture(file).header
    assert (header.metadata.exif or b"").removeprefix(exif.EXIF_PREFIX) == bomb
    contents = FileContents.of(file, 1 << 30)
    image, _ = format_of(file).reader.load(contents, "error")
    assert "exif-ifd0-Make" not in image.get_fields()
    for other in (".jpg", ".png", ".tif", ".webp"):
        write_picture(read_picture(file), tmp_path / f"b{other}", overwrite=True)
        assert (tmp_path / f"b{other}").stat().st_size <= 3 * len(bomb) + 2000


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".heic"])
def test_plain_exif_is_followed(tmp_path: Path, suffix: str) -> None:
    block = b"II*\0\x08\0\0\0\1\0" + MAKE + bytes(4)
    file = tmp_path / f"a{suffix}"
    file.write_bytes(make_file(suffix, block))
    image, _ = format_of(file).reader.load(FileContents.of(file, 1 << 30), "error")
    assert "exif-ifd0-Make" in image.get_fields()
