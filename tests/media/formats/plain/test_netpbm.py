"""PBM, PGM, PPM against Pillow; PAM laid out by hand, as Pillow reads none."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from samples import smooth
from subpixel.errors import PictureError, PictureTooLargeError
from subpixel.media.formats.plain.pam import PAM
from subpixel.media.formats.plain.ppm import PPM
from subpixel.media.formats.registry import sniff
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.picture import Metadata, Picture

NOISE = np.random.default_rng(0).integers(0, 256, (130, 37, 4), np.uint8)


def read(tmp_path: Path, data: bytes) -> Picture:
    (tmp_path / "a").write_bytes(data)
    return read_picture(tmp_path / "a")


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_pillows_files(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(NOISE[..., :3]).convert(mode)
    image.save(tmp_path / "a.ppm")
    picture = read_picture(tmp_path / "a.ppm")
    seen = np.asarray(image.convert("L" if mode == "1" else mode))
    assert np.array_equal(picture.frames[0], seen.reshape(picture.frames.shape[1:]))
    assert (picture.losses, picture.bit_depth) == ((), 8)


@pytest.mark.parametrize("white", [1, 100, 254, 255, 256, 1023, 65535])
@pytest.mark.parametrize("kind", [b"P2", b"P3", b"P5", b"P6"])
def test_samples_fill_the_range(tmp_path: Path, kind: bytes, white: int) -> None:
    channels = 3 if kind in (b"P3", b"P6") else 1
    samples = np.random.default_rng(1).integers(0, white + 1, (70, 5, channels))
    samples[0, 0] = white
    data = b"%s\n5 70\n%d\n" % (kind, white)
    if kind in (b"P2", b"P3"):
        data += b"\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in samples)
    else:
        data += samples.astype(">u2" if white > 255 else np.uint8).tobytes()
    picture = read(tmp_path, data)
    assert picture.bit_depth == max(8, white.bit_length())
    assert np.abs(picture.frames[0] - samples * (picture.full_scale / white)).max() <= 0.5 + 1e-9


def test_bitmaps_of_digits(tmp_path: Path) -> None:
    picture = read(tmp_path, b"P1 # a comment\n# another\n 3 2\n1 0 1\n010\n")
    assert picture.frames[0, ..., 0].tolist() == [[0, 255, 0], [255, 0, 255]]
    assert [text for _, text in picture.metadata.text] == ["a comment", "another"]


def test_a_header_in_one_line_or_many(tmp_path: Path) -> None:
    for head in (b"P5 2 1 255 ", b"P5\n#x\n2\n# y\n1\n#z\n255\n", b"P5\r2\t1\v255\f"):
        assert read(tmp_path, head + b"\x0a\x23").frames.ravel().tolist() == [10, 35]


@pytest.mark.parametrize(
    ("kind", "channels"),
    [("GRAYSCALE", 1), ("GRAYSCALE_ALPHA", 2), ("RGB", 3), ("RGB_ALPHA", 4), ("", 2), ("", 4)],
)
@pytest.mark.parametrize("deep", [False, True])
def test_pam(tmp_path: Path, kind: str, channels: int, deep: bool) -> None:
    samples = NOISE[..., :channels].astype(">u2") * 257 if deep else NOISE[..., :channels]
    lines = ["P7", "WIDTH 37", "# a comment", "HEIGHT 130", f"DEPTH {channels}"]
    lines += [f"MAXVAL {65535 if deep else 255}", *([f"TUPLTYPE {kind}"] if kind else [])]
    data = "\n".join((*lines, "ENDHDR\n")).encode() + samples.tobytes()
    picture = read(tmp_path, data)
    assert np.array_equal(picture.frames[0], samples)
    assert picture.metadata.text == (("Comment", "a comment"),)
    assert picture.losses == ()


def test_black_and_white_pam(tmp_path: Path) -> None:
    data = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\0\1"
    assert read(tmp_path, data).frames.ravel().tolist() == [0, 255]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"P6\n4 4\n255\n" + bytes(47), "ends 1 bytes too early"),
        (b"P3\n4 4\n255\n" + b"1 " * 47, "ends 1 rows too early"),
        (b"P3\n2 1\n255\n1 2 3 4 5 x", "no number"),
        (b"P1\n2 1\n0 2", "neither 0 nor 1"),
        (b"P5\n2 1\n100\n\x64\x65", "a sample is 101"),
        (b"P5\n2 1\n0\n\0\0", "0"),
        (b"P5\n2 1\n65536\n\0\0", "65536"),
        (b"P5\n0 1\n255\n\0", "0 x 1"),
        (b"P5\n2 ", "cut off or damaged"),
        (b"P5\n-2 1 255\n", "cut off or damaged"),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\n" + bytes(10), "it has 5 channels"),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\n", "CMYK"),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\n", "cut off or damaged"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words) as error:
        read(tmp_path, data)
    assert "\n" not in str(error.value)


def test_sides_beyond_what_libvips_holds(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="1 x 999999999 pixels are more than can be read"):
        read(tmp_path, b"P6\n1 999999999\n255\n")


def test_what_follows_is_named(tmp_path: Path) -> None:
    one = b"P5\n2 1\n255\n\0\0"
    losses = read(tmp_path, one + one).losses
    assert [str(loss) for loss in losses] == [
        "unknown data: data behind the samples of 13 bytes (further pictures) is left out"
    ]
    assert len(read(tmp_path, one + b"\n").losses) == 1


def test_the_size_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(PictureTooLargeError, match="60000 x 60000"):
        read(tmp_path, b"P6\n60000 60000\n255\n")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_pillow_reads_ours(tmp_path: Path, channels: int, dtype: type) -> None:
    samples = smooth(channels, dtype, size=(5, 200))
    meta = Metadata(text=(("Comment", "Größe\nin two lines"),))
    picture = Picture(samples, meta, bit_depth=8 * samples.itemsize)
    assert write_picture(picture, tmp_path / "a.pnm", strict=True) == ()
    with Image.open(tmp_path / "a.pnm") as image:
        seen: NDArray = np.asarray(image).reshape(samples.shape[1:])
    if channels == 3 and dtype is np.uint16:  # Pillow reads colours as 8 bits
        assert np.abs(seen - samples[0] / 257).max() <= 1
    else:
        assert np.array_equal(seen, samples[0])
    back = read_picture(tmp_path / "a.pnm")
    assert np.array_equal(back.frames, samples)
    assert [text for _, text in back.metadata.text] == ["Größe", "in two lines"]


def test_a_name_that_says_grey_takes_no_colours(tmp_path: Path) -> None:
    write_picture(Picture(smooth(1)), tmp_path / "a.pgm")
    for name, words in (("b.pgm", "name it .ppm"), ("b.pbm", "name it .ppm")):
        with pytest.raises(PictureError, match=words):
            write_picture(Picture(smooth(3)), tmp_path / name)
    with pytest.raises(PictureError, match=r"name it \.pgm"):
        write_picture(Picture(smooth(1)), tmp_path / "b.pbm")
    assert [file.name for file in tmp_path.iterdir()] == ["a.pgm"]


@pytest.mark.parametrize(
    ("head", "form"),
    [
        *((b"P%d\n" % kind, PPM) for kind in range(1, 7)),
        (b"P6#", PPM),
        (b"P7\n", PAM),
        (b"P7 332", None),
        (b"P8\n", None),
        (b"PK\3\4", None),
        (b"P6", None),
    ],
)
def test_first_bytes(head: bytes, form: object) -> None:
    assert sniff(head) is form


def test_samples_come_by_rows(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6\n37 130\n255\n" + NOISE[..., :3].tobytes())
    source = open_picture(tmp_path / "a.ppm")
    assert max(len(rows) for rows in source.chunks()) <= 64
    assert np.array_equal(np.concatenate(list(source.chunks())), NOISE[..., :3])


@pytest.mark.parametrize("suffix", [".ppm", ".pam"])
@given(sizes=st.lists(st.integers(0, 40_000), max_size=8), line=st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_as_many_comments_as_a_header_has_room_for(
    suffix: str, sizes: list[int], line: int
) -> None:
    """The file is read again, and each comment is in it or named."""
    texts = tuple(
        ("Comment", "\n".join([f"{number}".ljust(line, "x")] * max(1, size // (line + 1))))
        for number, size in enumerate(sizes)
    )
    picture = Picture(np.zeros((1, 2, 3, 3), np.uint8), Metadata(text=texts))
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"a{suffix}"
        losses = write_picture(picture, file)
        lines = [text for _, text in read_picture(file).metadata.text]
    kept = [text for _, text in texts if all(part in lines for part in text.splitlines())]
    assert lines == [part for text in kept for part in text.splitlines()]
    named = sum(str(loss).count("'Comment'") for loss in losses)
    assert len(kept) + named == len(texts)
