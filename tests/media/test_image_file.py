"""Reading and writing picture files: inputs of every kind, and inputs that are none."""

import io
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image, ImageCms, PngImagePlugin

from samples import SRGB, grey_profile, smooth
from subpixel.errors import PictureError, PictureTooLargeError, TargetExistsError, UsageError
from subpixel.media import image_file
from subpixel.media.image_file import EncodeOptions, losses_in, read_picture, write_picture
from subpixel.media.picture import Metadata, Picture

RGB = Image.fromarray(smooth(3)[0])
CMYK = bytes(pyvips.Operation.call("profile_load", "cmyk"))
NOISE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def read(tmp_path: Path, data: bytes, name: str = "picture") -> Picture:
    file = tmp_path / name
    file.write_bytes(data)
    return read_picture(file)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


class TestKindsOfInput:
    def test_content_decides_not_the_suffix(self, tmp_path: Path) -> None:
        picture = read(tmp_path, encoded(RGB, "PNG"), "really_a_png.jpg")
        assert np.array_equal(picture.frames[0], np.asarray(RGB))

    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_grey_png_of_few_bits(self, tmp_path: Path, depth: int) -> None:
        packed = {1: 0b01000000, 2: 0b00011011, 4: 0b00001111}[depth]
        count = {1: 2, 2: 4, 4: 2}[depth]
        picture = read(tmp_path, png(count, 1, depth, 0, bytes([0, packed])))
        values = np.linspace(0, 255, count).round()
        assert np.array_equal(picture.frames[0, 0, :, 0], values)
        assert (picture.bit_depth, picture.frames.shape[-1]) == (8, 1)

    def test_palette_png_with_transparency(self, tmp_path: Path) -> None:
        palette, alpha = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]), bytes([0, 128])
        data = png(3, 1, 8, 3, bytes([0, 0, 1, 2]), chunk(b"PLTE", palette), chunk(b"tRNS", alpha))
        picture = read(tmp_path, data)
        expected = [[255, 0, 0, 0], [0, 255, 0, 128], [0, 0, 255, 255]]
        assert picture.frames[0, 0].tolist() == expected

    def test_colour_key_png_of_16_bits(self, tmp_path: Path) -> None:
        rows = b"\0" + struct.pack(">6H", 1, 2, 3, 1000, 2000, 65535)
        data = png(2, 1, 16, 2, rows, chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)))
        picture = read(tmp_path, data)
        assert picture.frames[0, 0].tolist() == [[1, 2, 3, 0], [1000, 2000, 65535, 65535]]
        assert picture.bit_depth == 16

    def test_interlaced_png_and_progressive_jpeg(self, tmp_path: Path) -> None:
        vips = pyvips.Image.new_from_array(NOISE).copy(interpretation="srgb")
        assert np.array_equal(read(tmp_path, vips.pngsave_buffer(interlace=True)).frames[0], NOISE)
        data = encoded(RGB, "JPEG", progressive=True, quality=95)
        baseline = read(tmp_path, encoded(RGB, "JPEG", quality=95))
        assert np.array_equal(read(tmp_path, data).frames, baseline.frames)

    def test_one_bit_tiff(self, tmp_path: Path) -> None:
        mask = np.asarray(RGB.convert("L")) > 128
        data = encoded(Image.fromarray(mask), "TIFF", compression="group4")
        assert np.array_equal(read(tmp_path, data).frames[0, ..., 0], mask * np.uint8(255))

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_premultiplied_tiff_becomes_straight(self, tmp_path: Path, dtype: type) -> None:
        straight = smooth(4, dtype)[0].astype(np.float64)
        associated = straight.copy()
        associated[..., :3] *= straight[..., 3:] / np.iinfo(dtype).max
        tifffile.imwrite(
            tmp_path / "a.tif",
            associated.round().astype(dtype),
            photometric="rgb",
            extrasamples=["assocalpha"],
        )
        seen = read_picture(tmp_path / "a.tif").frames[0].astype(np.float64)
        limit = 0.5 * np.iinfo(dtype).max / straight[..., 3:] + 1
        assert (np.abs(seen - straight) <= limit).all()

    @pytest.mark.parametrize("with_profile", [True, False])
    @pytest.mark.parametrize("form", ["JPEG", "TIFF"])
    def test_cmyk_goes_through_its_profile(
        self, tmp_path: Path, form: str, with_profile: bool
    ) -> None:
        profile = bytes(pyvips.Operation.call("profile_load", "cmyk"))
        inks = Image.fromarray(smooth(4)[0], "RGB;CMYK"[4:])
        options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
        options |= {"icc_profile": profile} if with_profile else {}
        picture = read(tmp_path, encoded(inks, form, **options))

        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        turn = ImageCms.buildTransform(
            own,
            srgb,
            "CMYK",
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        expected = np.asarray(turn.apply(inks)).astype(int)
        assert np.abs(picture.frames[0] - expected).max() <= 4
        assert [loss.what for loss in picture.losses] == ["colour"]
        assert ("through its own profile" in picture.losses[0].why) == with_profile
        assert picture.metadata.icc is not None
        assert picture.metadata.icc[16:20] == b"RGB "

    @pytest.mark.parametrize("form", ["JPEG", "TIFF"])
    @pytest.mark.parametrize(
        ("profile", "reason"),
        [
            (SRGB, "its own is for RGB samples"),
            (grey_profile(), "its own is for GRAY samples"),
            (CMYK[:400] + bytes(len(CMYK) - 400), "its own is damaged"),
            (CMYK[: len(CMYK) // 2], "its own is damaged"),
        ],
        ids=["RGB", "grey", "junk", "cut off"],
    )
    def test_cmyk_with_a_profile_that_is_none_for_it(
        self, tmp_path: Path, form: str, profile: bytes, reason: str
    ) -> None:
        inks = Image.fromarray(smooth(4)[0], "RGB;CMYK"[4:])
        if form == "JPEG" and reason == "its own is damaged" and len(profile) < len(CMYK):
            reason = "it has none of its own"  # which is named as a loss of its own
        bare = read(tmp_path, encoded(inks, form))
        picture = read(tmp_path, encoded(inks, form, icc_profile=profile))
        np.testing.assert_array_equal(picture.frames, bare.frames)
        assert picture.metadata.icc == bare.metadata.icc
        why = f"CMYK turned into sRGB through a generic profile, as {reason}"
        assert why in [loss.why for loss in picture.losses]

    def test_latin_and_compressed_and_translated_text(self, tmp_path: Path) -> None:
        info = PngImagePlugin.PngInfo()
        info.add(b"tEXt", b"Author\0J\xe9r\xf4me")
        info.add_text("Two words", "x" * 200, zip=True)
        info.add_itxt("Title", "日本", "ja", "タイトル")
        info.add_itxt("Title", "again", zip=True)
        expected = (
            ("Author", "Jérôme"),
            ("Two words", "x" * 200),
            ("Title", "日本"),
            ("Title", "again"),
        )
        picture = read(tmp_path, encoded(RGB, "PNG", pnginfo=info))
        assert picture.metadata.text == expected
        write_picture(picture, tmp_path / "out.png")
        assert read_picture(tmp_path / "out.png").metadata.text == expected
        with Image.open(tmp_path / "out.png") as image:
            assert image.text == dict(expected)

    def test_what_reading_cannot_keep_is_said(self, tmp_path: Path) -> None:
        animated = encoded(
            RGB, "PNG", save_all=True, append_images=[Image.new("RGB", RGB.size)], duration=100
        )
        assert read(tmp_path, animated).losses == ()
        with_still = encoded(
            RGB,
            "PNG",
            save_all=True,
            default_image=True,
            append_images=[Image.new("RGB", RGB.size, colour) for colour in ("red", "blue")],
        )
        assert [loss.what for loss in read(tmp_path, with_still).losses] == ["frames"]
        linear = png(1, 1, 8, 0, b"\0\x80", chunk(b"gAMA", struct.pack(">I", 100_000)))
        assert read(tmp_path, linear).losses == ()
        assert read(tmp_path, linear).metadata.icc is not None
        srgb = png(1, 1, 8, 0, b"\0\x80", chunk(b"gAMA", struct.pack(">I", 45_455)))
        assert read(tmp_path, srgb).losses == ()
        misfit = encoded(RGB.convert("L"), "PNG", icc_profile=SRGB)
        assert [loss.what for loss in read(tmp_path, misfit).losses] == ["icc"]

    @pytest.mark.parametrize(
        "text",
        [
            chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 27))),
            chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(99))[:9]),
            chunk(b"zTXt", b"a\0\0junk"),
            chunk(b"iTXt", b"a\0\0\0\0\0\xff\xfe"),
            chunk(b"iTXt", b"a\0"),
        ],
        ids=["bomb", "cut off", "junk", "no UTF-8", "no text"],
    )
    def test_damaged_texts_are_left_out_and_said(self, tmp_path: Path, text: bytes) -> None:
        fine = chunk(b"tEXt", b"Title\0fine")
        picture = read(tmp_path, png(1, 1, 8, 0, b"\0\x80", text, fine))
        assert picture.metadata.text == (("Title", "fine"),)
        assert [loss.what for loss in picture.losses] == ["text"]
        assert picture.frames.tolist() == [[[[0x80]]]]

    def test_pages_of_one_size_are_frames_and_others_are_said(self, tmp_path: Path) -> None:
        other = Image.new("RGB", RGB.size, "red")
        same = read(tmp_path, encoded(RGB, "TIFF", save_all=True, append_images=[other]))
        assert np.array_equal(same.frames, np.stack([np.asarray(RGB), np.asarray(other)]))
        small = Image.new("RGB", (4, 4))
        mixed = read(tmp_path, encoded(RGB, "TIFF", save_all=True, append_images=[small]))
        assert np.array_equal(mixed.frames, np.asarray(RGB)[None])
        assert [loss.what for loss in mixed.losses] == ["frames"]

    def test_jpeg_comments(self, tmp_path: Path) -> None:
        picture = read(tmp_path, encoded(RGB, "JPEG", comment="Größe".encode("latin-1")))
        assert picture.metadata.text == (("Comment", "Größe"),)
        for suffix in ("jpg", "png"):
            assert write_picture(picture, tmp_path / f"out.{suffix}") == ()
            assert read_picture(tmp_path / f"out.{suffix}").metadata.text == picture.metadata.text
        with Image.open(tmp_path / "out.jpg") as image:
            assert image.info["comment"] == "Größe".encode()

    def test_further_pictures_in_a_jpeg_are_said(self, tmp_path: Path) -> None:
        other = Image.new("RGB", RGB.size)
        data = encoded(RGB, "MPO", save_all=True, append_images=[other])
        assert [loss.what for loss in read(tmp_path, data).losses] == ["further pictures"]

    def test_jpeg_warnings_that_mean_nothing(self, tmp_path: Path) -> None:
        data = encoded(RGB, "JPEG")
        at = data.index(b"\xff\xdb")
        padded = data[:at] + b"\0\0\0" + data[at:]
        assert np.array_equal(read(tmp_path, padded).frames, read(tmp_path, data).frames)


class TestAnimations:
    FRAMES = tuple(
        Image.new("RGB", (12, 10), colour) for colour in ("red", "lime", "blue", "white")
    )

    @pytest.mark.parametrize(("form", "loop"), [("GIF", 0), ("GIF", 3), ("WEBP", 0), ("WEBP", 3)])
    @pytest.mark.parametrize("suffix", [".gif", ".webp"])
    def test_frames_delays_and_loop(
        self, tmp_path: Path, form: str, loop: int, suffix: str
    ) -> None:
        options = {"lossless": True} if form == "WEBP" else {}
        data = encoded(
            self.FRAMES[0],
            form,
            save_all=True,
            append_images=self.FRAMES[1:],
            duration=[50, 70, 110, 20],
            loop=loop,
            **options,
        )
        picture = read(tmp_path, data)
        assert picture.metadata.delays_ms == (50, 70, 110, 20)
        assert np.array_equal(picture.frames, np.stack([np.asarray(f) for f in self.FRAMES]))

        out = tmp_path / f"out{suffix}"
        assert write_picture(picture, out, EncodeOptions(lossless=True)) == ()
        back = read_picture(out)
        assert np.array_equal(back.frames, picture.frames)
        assert back.metadata == picture.metadata
        with Image.open(out) as image:
            assert image.n_frames == 4
            plays = picture.metadata.loop - (suffix == ".gif" and picture.metadata.loop > 0)
            assert image.info["loop"] == plays

    @pytest.mark.parametrize("suffix", [".jpg", ".avif"])
    def test_a_still_format_takes_the_first_and_says_so(self, tmp_path: Path, suffix: str) -> None:
        picture = Picture(np.stack([np.asarray(f) for f in self.FRAMES]))
        out = tmp_path / f"out{suffix}"
        assert [loss.what for loss in write_picture(picture, out)] == ["frames"]
        seen = read_picture(out).frames.astype(int)
        assert np.abs(seen - picture.frames[:1]).max() <= 6

    def test_tiff_keeps_frames_but_no_timing(self, tmp_path: Path) -> None:
        frames = np.stack([np.asarray(f) for f in self.FRAMES])
        picture = Picture(frames, Metadata(delays_ms=(50,) * 4))
        losses = write_picture(picture, tmp_path / "out.tif")
        assert [loss.what for loss in losses] == ["timing"]
        assert np.array_equal(read_picture(tmp_path / "out.tif").frames, frames)

    def test_gif_rounds_delays_and_says_so(self) -> None:
        frames = np.stack([np.asarray(f) for f in self.FRAMES[:2]])
        odd, even = (Picture(frames, Metadata(delays_ms=(d, 50))) for d in (75, 70))
        assert [loss.what for loss in losses_in(odd, ".gif")] == ["timing"]
        assert losses_in(even, ".gif") == ()

    def test_frames_of_a_gif_are_turned_upright(self, tmp_path: Path) -> None:
        frames = np.stack([np.asarray(f) for f in self.FRAMES])
        frames[:, 0, 0] = 128
        out = tmp_path / "out.gif"
        assert write_picture(Picture(frames, Metadata(orientation=6)), out) == ()
        assert np.array_equal(read_picture(out).frames, np.rot90(frames, -1, axes=(1, 2)))


def pixels(dtype: type) -> st.SearchStrategy[np.ndarray]:
    sides = st.integers(1, 9)
    shape = st.tuples(st.just(1), sides, sides, st.sampled_from([3, 4]))
    return st_numpy.arrays(dtype, shape)


class TestLosslessMeansExact:
    @settings(max_examples=25)
    @given(frames=st.one_of(pixels(np.uint8), pixels(np.uint16)), new=st.booleans())
    def test_any_pixels(
        self, tmp_path_factory: pytest.TempPathFactory, frames: np.ndarray, new: bool
    ) -> None:
        """PNG and TIFF at any depth, WebP and AVIF at 8 bits."""
        eight = frames.dtype == np.uint8
        suffixes = (".webp", ".avif") if new and eight else (".png", ".tif")
        picture = Picture(frames, bit_depth=frames.itemsize * 8)
        for suffix in suffixes:
            file = tmp_path_factory.mktemp("exact") / f"picture{suffix}"
            assert write_picture(picture, file, EncodeOptions(lossless=True)) == ()
            back = read_picture(file).frames
            if back.shape[-1] == 3:  # opaque all over: the channel may go
                assert (frames[..., 3:] == np.iinfo(frames.dtype).max).all()
            assert np.array_equal(back, frames[..., : back.shape[-1]])

    @settings(max_examples=25)
    @given(
        count=st.integers(1, 300),
        seed=st.integers(0, 2**32 - 1),
        spread=st.integers(1, 256),
        holes=st.booleans(),
    )
    def test_gif_within_its_palette(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        count: int,
        seed: int,
        spread: int,
        holes: bool,
    ) -> None:
        """No loss is said exactly where the pixels that can be seen come back the same."""
        random = np.random.default_rng(seed)
        palette = random.integers(0, spread, (count, 3), dtype=np.uint8)
        colours = palette[random.integers(0, count, (1, 40, 30))]
        alpha = np.where(random.random((1, 40, 30, 1)) < 0.3 * holes, 0, 255).astype(np.uint8)
        picture = Picture(np.concatenate([colours, alpha], -1))
        file = tmp_path_factory.mktemp("gif") / "picture.gif"
        losses = write_picture(picture, file)
        back = read_picture(file).frames
        seen = alpha[..., 0] > 0
        if not losses:
            assert np.array_equal(back[..., :3][seen], colours[seen])
        else:
            assert [loss.what for loss in losses] == ["colours"]
            assert len(np.unique(colours[seen], axis=0)) + (not seen.all()) > 255
        if back.shape[-1] == 4:
            assert np.array_equal(back[..., 3], alpha[..., 0])

    @pytest.mark.parametrize("depth", [10, 12])
    def test_avif_of_10_and_12_bits(self, tmp_path: Path, depth: int) -> None:
        """White stays white, and a second round trip changes nothing."""
        frames = smooth(3, np.uint16)
        frames[0, 0, 0], frames[0, 0, 1] = 65535, 0
        first, second = tmp_path / "first.avif", tmp_path / "second.avif"
        write_picture(Picture(frames, bit_depth=depth), first, EncodeOptions(lossless=True))
        picture = read_picture(first)
        assert picture.bit_depth == depth
        assert picture.frames[0, 0, 0].tolist() == [65535] * 3
        assert np.abs(picture.frames.astype(int) - frames).max() <= 65535 / (2**depth - 1) / 2 + 1
        assert write_picture(picture, second, EncodeOptions(lossless=True), strict=True) == ()
        assert np.array_equal(read_picture(second).frames, picture.frames)


GOOD = {
    "JPEG": encoded(Image.fromarray(NOISE), "JPEG"),
    "PNG": encoded(Image.fromarray(NOISE), "PNG"),
    "WEBP": encoded(Image.fromarray(NOISE), "WEBP"),
    "TIFF": encoded(Image.fromarray(NOISE), "TIFF", compression="tiff_lzw"),
    "AVIF": encoded(Image.fromarray(NOISE), "AVIF"),
    "GIF": encoded(Image.fromarray(NOISE), "GIF"),
}


def bad_checksum() -> bytes:
    data = bytearray(GOOD["PNG"])
    at = data.index(b"IDAT")
    data[at + 4 + int.from_bytes(data[at - 4 : at])] ^= 1
    return bytes(data)


BAD = {
    "text.png": b"This is no picture at all.\n",
    "empty.png": b"",
    "bad_checksum.png": bad_checksum(),
    "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "signature_only.png": b"\x89PNG\r\n\x1a\n",
    "damaged.jpg": GOOD["JPEG"][:1500] + b"\xff\x12" + GOOD["JPEG"][1500:],
} | {f"truncated.{form}": data[: len(data) * 2 // 3] for form, data in GOOD.items()}


class TestBadInput:
    @pytest.mark.parametrize("name", sorted(BAD))
    def test_one_clear_line(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(PictureError) as error:
            read(tmp_path, BAD[name], name)
        message = str(error.value)
        assert message.startswith(str(tmp_path / name))
        assert "\n" not in message
        assert len(message.partition(": ")[2]) > 10

    @pytest.mark.parametrize("name", sorted(BAD))
    def test_nothing_on_stderr(
        self, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(PictureError):
            read(tmp_path, BAD[name], name)
        assert capfd.readouterr() == ("", "")

    def test_missing_file_folder_and_file_as_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")
        for path, words in (
            (tmp_path / "missing.png", "No such file"),
            (tmp_path, "it is a folder"),
            (tmp_path / "file" / "a.png", "Not a directory"),
        ):
            with pytest.raises(PictureError, match=words):
                read_picture(path)

    @pytest.mark.parametrize("rest", [b"", chunk(b"IDAT", zlib.compress(bytes(99)))])
    def test_a_header_that_claims_too_much(self, tmp_path: Path, rest: bytes) -> None:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 6, 0, 0, 0))
        started = time.perf_counter()
        expected = PictureTooLargeError if rest else PictureError  # without pixels: cut off
        with pytest.raises(expected, match="60000 x 60000" if rest else "can't be read"):
            read(tmp_path, b"\x89PNG\r\n\x1a\n" + header + rest)
        assert time.perf_counter() - started < 0.5

    def test_max_pixels_counts_every_frame(self, tmp_path: Path) -> None:
        frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "blue", "lime")]
        file = tmp_path / "a.gif"
        frames[0].save(file, save_all=True, append_images=frames[1:])
        assert read_picture(file, max_pixels=300).frames.shape[0] == 3
        with pytest.raises(PictureTooLargeError, match=r"10 x 10 pixels in 3 frame"):
            read_picture(file, max_pixels=299)

    @pytest.mark.parametrize(
        ("samples", "options", "words"),
        [
            (np.full((4, 4, 3), 99, np.float32), {"photometric": "rgb"}, "float.* go from 99"),
            (np.full((4, 4), -7.0), {}, "float.* go from -7"),
            (np.zeros((4, 4), np.complex64), {}, "complex"),
            (np.zeros((4, 4), np.uint32), {}, "uint"),
            (np.zeros((4, 4), np.int32), {}, "32-bit whole"),
            (np.zeros((4, 4, 3), np.float32), {"photometric": "cielab"}, "[Ll]ab"),
        ],
    )
    def test_tiff_of_other_samples(
        self, tmp_path: Path, samples: np.ndarray, options: dict[str, str], words: str
    ) -> None:
        tifffile.imwrite(tmp_path / "a.tif", samples, **({"photometric": "minisblack"} | options))
        with pytest.raises(PictureError, match=words):
            read_picture(tmp_path / "a.tif")

    @settings(max_examples=60)
    @given(
        form=st.sampled_from(sorted(GOOD)),
        at=st.floats(0, 0.999),
        junk=st.binary(min_size=1, max_size=8),
    )
    def test_damage_anywhere_never_ends_in_a_traceback(
        self, tmp_path_factory: pytest.TempPathFactory, form: str, at: float, junk: bytes
    ) -> None:
        data = bytearray(GOOD[form])
        start = int(at * len(data))
        data[start : start + len(junk)] = junk
        file = tmp_path_factory.mktemp("damaged") / "picture"
        file.write_bytes(data)
        message = ""
        try:
            read_picture(file, max_pixels=1_000_000)
        except PictureError as error:
            message = str(error)
        assert "\n" not in message


class TestWriting:
    def test_an_existing_file_is_only_replaced_when_asked(self, tmp_path: Path) -> None:
        file = tmp_path / "a.png"
        file.write_bytes(b"precious")
        with pytest.raises(TargetExistsError, match="exists"):
            write_picture(Picture(smooth(3)), file)
        assert file.read_bytes() == b"precious"
        write_picture(Picture(smooth(3)), file, overwrite=True)
        assert np.array_equal(read_picture(file).frames, smooth(3))

    @pytest.mark.parametrize("name", ["picture.xyz", "picture", "picture.png.txt"])
    def test_unknown_suffix(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(PictureError, match=r"use one of \.jpg"):
            write_picture(Picture(smooth(3)), tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    def test_upper_case_suffix(self, tmp_path: Path) -> None:
        write_picture(Picture(smooth(3)), tmp_path / "A.PNG")
        assert (tmp_path / "A.PNG").read_bytes()[1:4] == b"PNG"

    def test_folders_that_take_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")
        for path in (tmp_path / "none" / "a.png", tmp_path / "file" / "a.png"):
            with pytest.raises(PictureError, match="can't be written"):
                write_picture(Picture(smooth(3)), path)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    @pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
    def test_full_disk_leaves_nothing(self, tmp_path: Path) -> None:
        """RLIMIT_FSIZE stands in for it: the write fails half-way, as on a full disk."""
        script = (
            "import resource, signal, sys; import numpy as np; from pathlib import Path\n"
            "from subpixel.errors import PictureError\n"
            "from subpixel.media.image_file import write_picture\n"
            "from subpixel.media.picture import Picture\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            "noise = np.random.default_rng(0).integers(0, 256, (1, 99, 99, 3), dtype=np.uint8)\n"
            "try: write_picture(Picture(noise), Path(sys.argv[1]))\n"
            "except PictureError as error: print(error)\n"
        )
        target = tmp_path / "out" / "a.png"
        target.parent.mkdir()
        command = [sys.executable, "-c", script, str(target)]
        source = str(Path(image_file.__file__).parents[2])
        environment = os.environ | {"PYTHONPATH": source}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert "File too large" in done.stdout
        assert (done.stdout.count("\n"), done.stderr) == (1, "")
        assert list(target.parent.iterdir()) == []

    def test_an_interrupt_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(_: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_picture(Picture(smooth(3)), tmp_path / "a.png")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", [".jpg", ".webp"])
    def test_too_large_for_the_format(self, tmp_path: Path, suffix: str) -> None:
        wide = Picture(np.zeros((1, 1, 70_000, 1), np.uint8))
        with pytest.raises(PictureError, match="too large for"):
            write_picture(wide, tmp_path / f"a{suffix}")

    @pytest.mark.parametrize(
        "options",
        [
            {"quality": 0},
            {"quality": 101},
            {"png_compression": 10},
            {"effort": -1},
            {"tiff_compression": "zip"},
        ],
    )
    def test_options_out_of_range(self, options: dict[str, int]) -> None:
        with pytest.raises(UsageError, match="it is"):
            EncodeOptions(**options)

    def test_quality_and_compression_do_something(self, tmp_path: Path) -> None:
        picture = Picture(NOISE[None])

        def size(name: str, **options: int) -> int:
            write_picture(picture, tmp_path / name, EncodeOptions(**options), overwrite=True)
            return (tmp_path / name).stat().st_size

        for suffix in ("jpg", "webp", "avif"):
            assert size(f"a.{suffix}", quality=30) < size(f"a.{suffix}", quality=98)
        picture = Picture(smooth(3, size=(64, 64)))
        assert size("a.png", png_compression=9) < size("a.png", png_compression=0)
        plain, lzw, deflate = (
            size("a.tif", tiff_compression=name) for name in ("none", "lzw", "deflate")
        )
        assert plain > max(lzw, deflate)

    def test_profiles_that_fit_nothing_are_left_out_and_said(self, tmp_path: Path) -> None:
        for icc in (b"garbage" * 20, SRGB[:300], grey_profile()):
            for suffix in (".jpg", ".png", ".webp", ".tif", ".avif", ".gif"):
                picture = Picture(smooth(3), Metadata(icc=icc))
                file = tmp_path / f"a{suffix}"
                losses = write_picture(picture, file, overwrite=True)
                assert [loss.what for loss in losses] == ["icc"]
                assert read_picture(file).metadata.icc is None

    def test_an_exif_block_too_large_for_jpeg(self, tmp_path: Path) -> None:
        meta = Metadata(xmp=b"<x/>" * 20_000)
        losses = write_picture(Picture(smooth(3), meta), tmp_path / "a.jpg")
        assert [loss.what for loss in losses] == ["xmp"]
        assert read_picture(tmp_path / "a.jpg").metadata.xmp is None
