"""The contract: what goes in comes out, and every loss is said; format by format."""

import io
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, IptcImagePlugin

from samples import IPTC, PHOTOSHOP, SRGB, XMP, exif_block, grey_profile, smooth
from subpixel.errors import LossError
from subpixel.media.formats.registry import FORMATS, format_of
from subpixel.media.image_file import EncodeOptions, losses_in, read_picture, write_picture
from subpixel.media.picture import Metadata, Picture, convert_samples

LOSSLESS = EncodeOptions(lossless=True)
if find_spec("pillow_heif"):
    import pillow_heif

    pillow_heif.register_heif_opener()

if find_spec("pillow_jxl"):
    import pillow_jxl  # noqa: F401

SUFFIXES = [form.suffixes[0] for form in FORMATS if form.package is None or find_spec(form.package)]
NO_ICC = (".gif", ".jxl", ".bmp", ".ppm", ".pam")
NO_EXIF = (".gif", ".bmp", ".ppm", ".pam")
NO_ALPHA = (".jpg", ".ppm")
DEEP = (".png", ".tif", ".ppm", ".pam")
RGB_ONLY = (".webp", ".avif", ".gif", ".heic")
UPRIGHT = (".avif", ".gif", ".heic", ".jxl", ".bmp", ".ppm", ".pam")
DEPTHS = {".jpg": 8, ".png": 16, ".webp": 8, ".tif": 16, ".avif": 12, ".gif": 8}
DEPTHS |= {".heic": 10, ".jxl": 8, ".bmp": 8, ".ppm": 16, ".pam": 16}
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How Pillow makes a picture of each EXIF orientation upright."""

TABLE = list(product(SUFFIXES, (np.uint8, np.uint16), (1, 2, 3, 4), (False, True), range(1, 9)))


def turned(frame: NDArray, orientation: int) -> NDArray:
    """One frame made upright by Pillow, channel by channel."""
    method = TURNS[orientation]
    if method is None:
        return frame
    planes = [Image.fromarray(frame[..., c].astype(np.int32)) for c in range(frame.shape[-1])]
    return np.stack([np.asarray(plane.transpose(method)) for plane in planes], -1)


def expected_losses(suffix: str, dtype: type, channels: int, icc: bool, exif: bool) -> set[str]:
    """The table, by hand."""
    lost = set()
    if exif and suffix == ".tif":
        lost.add("maker note")
    if dtype is np.uint16 and suffix not in DEEP:
        lost.add("bit depth")
    if channels in (2, 4) and suffix in (*NO_ALPHA, ".gif"):
        lost.add("alpha")
    if icc and (suffix in NO_ICC or (channels < 3 and suffix in RGB_ONLY)):
        lost.add("icc")
    return lost


def in_unit(samples: NDArray) -> NDArray:
    return samples / np.float64(np.iinfo(samples.dtype).max)


@pytest.mark.sample(every=13, slow=3)
@pytest.mark.parametrize(("suffix", "dtype", "channels", "icc", "orientation"), TABLE)
def test_round_trip(
    tmp_path: Path, suffix: str, dtype: type, channels: int, icc: bool, orientation: int
) -> None:
    profile = (SRGB if channels > 2 else grey_profile()) if icc else None
    block = None if orientation == 1 else exif_block(orientation=orientation)
    if suffix in NO_EXIF:
        block = None
    meta = Metadata(icc=profile, exif=block, orientation=orientation)
    picture = Picture(smooth(channels, dtype), meta, bit_depth=np.dtype(dtype).itemsize * 8)
    file = tmp_path / f"picture{suffix}"

    losses = write_picture(picture, file, LOSSLESS.restrict(format_of(file)))
    back = read_picture(file)

    expected = expected_losses(suffix, dtype, channels, icc, exif=block is not None)
    assert {loss.what for loss in losses} == expected
    moved = {"maker note"} if suffix == ".tif" and block else set()  # a TIFF's becomes a block
    assert {loss.what for loss in back.losses} == moved
    assert back.bit_depth == min(picture.bit_depth, DEPTHS[suffix])
    assert back.metadata.orientation == (1 if suffix in UPRIGHT else orientation)
    assert_profile(back, profile, lost="icc" in {loss.what for loss in losses}, suffix=suffix)
    assert_pixels(picture, back, suffix)
    assert_pillow_agrees(back, file)


def assert_profile(back: Picture, profile: bytes | None, *, lost: bool, suffix: str) -> None:
    if not lost:
        assert back.metadata.icc == profile
    elif suffix in NO_ICC:
        assert back.metadata.icc is None
    else:
        assert back.metadata.icc not in (None, profile)


def assert_pixels(picture: Picture, back: Picture, suffix: str) -> None:
    """Exact where the format is; within its rounding elsewhere."""
    frame = picture.frames[0]
    if suffix in UPRIGHT:
        frame = turned(frame, picture.metadata.orientation).astype(frame.dtype)
    colour, seen = in_unit(frame), in_unit(back.frames[0])
    alpha = colour[..., -1:] if picture.has_alpha else np.ones_like(colour[..., :1])
    colour = colour[..., :-1] if picture.has_alpha else colour
    if suffix in RGB_ONLY and picture.is_grey:
        colour = colour.repeat(3, -1)
    if suffix in NO_ALPHA:
        assert np.abs(seen - (colour * alpha + 1 - alpha)).max() < 0.03
        return
    if suffix == ".gif":
        visible = (alpha >= 0.5)[..., 0]
        assert back.has_alpha == (not visible.all())
        tolerance = 0.03 if picture.metadata.icc else 0.5001 / 255
        assert np.abs(seen[..., :3] - colour)[visible].max() <= tolerance
        return
    applied = picture.metadata.icc is not None and suffix in NO_ICC
    if not (picture.metadata.icc and picture.is_grey and (suffix in RGB_ONLY or applied)):
        steps = (1 << min(back.bit_depth, picture.bit_depth)) - 1
        exact = back.bit_depth == picture.bit_depth
        limit = 0 if exact else 0.5001 / steps + 1 / 65535
        limit += 0.03 if applied else 0
        assert np.abs(seen[..., : colour.shape[-1]] - colour).max() <= limit
    if picture.has_alpha:
        assert np.abs(seen[..., -1:] - alpha).max() <= 0.5001 / ((1 << back.bit_depth) - 1) + 1e-9


def assert_pillow_agrees(back: Picture, file: Path) -> None:
    """Pillow, or tifffile for 16 bits, sees the same pixels and metadata."""
    if file.suffix == ".tif" and back.bit_depth == 16:
        seen = tifffile.imread(file)
        assert np.array_equal(seen.reshape(back.frames[0].shape), back.frames[0])
        return
    if file.suffix == ".pam":  # which Pillow doesn't read: the samples stand at the end
        samples = back.frames[0].astype(">u2" if back.bit_depth == 16 else np.uint8)
        assert file.read_bytes().endswith(b"ENDHDR\n" + samples.tobytes())
        return
    with Image.open(file) as image:
        assert image.size[:: 1 if back.metadata.orientation else -1] is not None
        if file.suffix not in UPRIGHT:
            assert image.getexif().get(0x0112, 1) == back.metadata.orientation
        if file.suffix != ".jxl":  # it names sRGB by a number, of which the plug-in makes a profile
            assert image.info.get("icc_profile") == back.metadata.icc
        turns_itself = file.suffix == ".tif" and back.metadata.orientation != 1
        if back.bit_depth == 8 and file.suffix not in UPRIGHT and not turns_itself:
            mode = ("L", "LA", "RGB", "RGBA")[back.frames.shape[-1] - 1]
            seen = np.asarray(image.convert(mode)).reshape(back.frames[0].shape)
            if file.suffix == ".tif" and back.metadata.orientation != 1:
                return  # Pillow turns these by itself
            assert np.abs(seen.astype(int) - back.frames[0]).max() <= (
                1 if file.suffix == ".jpg" else 0
            )


FULL = Metadata(
    icc=SRGB,
    exif=exif_block(),
    xmp=XMP,
    iptc=PHOTOSHOP,
    orientation=6,
    resolution=(11.811, 7.874),
    text=(("Title", "a title"), ("Comment", "Größe 日本")),
)

CARRIED = {
    ".jpg": {"icc", "exif", "xmp", "iptc", "orientation", "resolution", "aspect"},
    ".png": {"icc", "exif", "xmp", "orientation", "resolution", "aspect", "text"},
    ".webp": {"icc", "exif", "xmp", "orientation", "resolution"},
    ".tif": {"icc", "exif", "xmp", "iptc", "orientation", "resolution"},
    ".avif": {"icc", "exif", "xmp", "orientation", "resolution"},
    ".gif": {"xmp", "orientation"},
    ".bmp": {"orientation", "resolution"},
    ".ppm": {"orientation"},
    ".pam": {"orientation"},
    ".jxl": {"exif", "xmp", "orientation", "resolution"},
    ".heic": {"icc", "exif", "xmp", "orientation", "resolution"},
}


COMMENTED = (".jpg", ".gif", ".ppm", ".pam")
"""They hold comments, and no other texts."""


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("what", ["icc", "exif", "xmp", "iptc", "resolution", "aspect", "text"])
def test_each_kind_of_metadata_alone(tmp_path: Path, suffix: str, what: str) -> None:
    value = getattr(replace(FULL, aspect=(2, 1)), what)
    picture = Picture(smooth(3), replace(Metadata(), **{what: value}))
    file = tmp_path / f"picture{suffix}"
    lost = {loss.what for loss in write_picture(picture, file)}
    back = getattr(read_picture(file).metadata, what)
    if what not in CARRIED[suffix]:
        assert lost == {what}
        assert back in ((), None) or (suffix in COMMENTED and back == value[1:])
    elif what == "resolution":
        assert lost == set()
        assert back == pytest.approx(value, rel=1e-4)
    elif what == "exif":
        assert lost == ({"maker note"} if suffix == ".tif" else set())
        assert back is not None
    else:
        assert lost == set()
        assert back == value


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_metadata_at_once(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"picture{suffix}"
    losses = write_picture(Picture(smooth(3), FULL), file)
    everything = {"icc", "exif", "xmp", "iptc", "text", "resolution"}
    kept = everything - {loss.what for loss in losses}
    assert kept == CARRIED[suffix] - {"orientation", "aspect"}
    back = read_picture(file).metadata
    comments = {"text"} if suffix in COMMENTED else set()
    assert {what for what in everything if getattr(back, what)} == kept | comments
    assert back.orientation == (1 if suffix in UPRIGHT else 6)


def test_iptc_seen_by_others(tmp_path: Path) -> None:
    picture = Picture(smooth(3), Metadata(iptc=PHOTOSHOP))
    write_picture(picture, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert IptcImagePlugin.getiptcinfo(image) == {(2, 5): b"Title"}
    write_picture(picture, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages.first.tags
        assert tags["IPTCNAA"].value == IPTC
        assert tags["ImageResources"].value == PHOTOSHOP.removeprefix(b"Photoshop 3.0\0")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_bare_picture_gets_no_metadata(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"picture{suffix}"
    assert write_picture(Picture(smooth(3)), file) == ()
    assert read_picture(file).metadata == Metadata()


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s not in NO_EXIF])
def test_exif_values_seen_by_pillow(tmp_path: Path, suffix: str) -> None:
    """Every field of every directory keeps its value; the size is that of the pixels."""
    meta = Metadata(exif=exif_block(orientation=3), orientation=3)
    source, file = tmp_path / "source.jpg", tmp_path / f"picture{suffix}"
    stream = io.BytesIO()
    Image.new("RGB", (24, 16)).save(stream, "JPEG", exif=b"Exif\0\0" + exif_block(orientation=3))
    source.write_bytes(stream.getvalue())
    write_picture(Picture(smooth(3, size=(48, 32)), meta), file)
    before, after = all_fields(source), all_fields(file)
    assert (after.pop((0x8769, 0xA002)), after.pop((0x8769, 0xA003))) == (48, 32)
    assert (before.pop((0x8769, 0xA002)), before.pop((0x8769, 0xA003))) == (24, 16)
    assert not any(where == 1 for where, _ in after), "no thumbnail"
    before = {key: value for key, value in before.items() if key[0] != 1}
    if suffix in (".avif", ".heic", ".jxl"):  # Pillow hides an orientation of 1
        before.pop((0, 0x0112))
        after.pop((0, 0x0112), None)
    assert before.items() <= after.items()


def all_fields(file: Path) -> dict[tuple[int, int], object]:
    with Image.open(file) as image:
        exif = image.getexif()
        fields = {(0, tag): value for tag, value in exif.items() if tag not in (0x8769, 0x8825)}
        for where in (0x8769, 0x8825, 1):
            fields |= {(where, tag): value for tag, value in exif.get_ifd(where).items()}
    return fields


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif", ".gif"])
def test_strict_names_every_loss_and_writes_nothing(tmp_path: Path, suffix: str) -> None:
    picture = Picture(smooth(4, np.uint16), FULL, bit_depth=16)
    named = losses_in(picture, suffix)
    assert named
    with pytest.raises(LossError) as error:
        write_picture(picture, tmp_path / f"picture{suffix}", strict=True)
    assert all(loss.what in str(error.value) for loss in named)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_strict_writes_what_loses_nothing(tmp_path: Path) -> None:
    picture = Picture(smooth(4, np.uint16), replace(FULL, iptc=None), bit_depth=16)
    assert write_picture(picture, tmp_path / "picture.png", strict=True) == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_opaque_alpha_is_no_loss(tmp_path: Path, suffix: str, channels: int, dtype: type) -> None:
    opaque = smooth(channels)
    opaque[..., -1] = 255
    samples = convert_samples(opaque, np.dtype(dtype))
    picture = Picture(samples, bit_depth=samples.dtype.itemsize * 8)
    file = tmp_path / f"picture{suffix}"
    assert "alpha" not in {loss.what for loss in write_picture(picture, file)}
    back = read_picture(file)
    if back.has_alpha:
        assert (back.frames[..., -1] == back.full_scale).all()
