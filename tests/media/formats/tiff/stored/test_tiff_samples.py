"""Samples and compressions of all kinds: read as they are meant, or named. The oracles are the
numbers that were packed, tifffile and Pillow."""

import io
import lzma
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from samples import SRGB, smooth
from subpixel.errors import PictureError, ProviderError
from subpixel.media.formats.tiff.stored import codecs
from subpixel.media.image_file import read_picture
from subpixel.media.picture import Picture
from tiff_files import SHORT, make_tiff, pack_bits, whole

CASES = Path(__file__).resolve().parents[6] / "shared" / "cases" / "pictures"
RANDOM = np.random.default_rng(0)
GREY, RGB, CMYK = 1, 2, 5
ZLIB, LZMA, ZSTD = 8, 34925, 50000


def read_bytes(tmp_path: Path, data: bytes) -> Picture:
    (tmp_path / "a.tif").write_bytes(data)
    return read_picture(tmp_path / "a.tif")


def cut_strips(rows: np.ndarray, high: int) -> list[bytes]:
    return [rows[top : top + high].tobytes() for top in range(0, len(rows), high)]


class TestOddDepths:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("bits", [3, 6, 9, 10, 11, 12, 13, 14, 15])
    @pytest.mark.parametrize(("colour", "channels"), [(GREY, 1), (0, 1), (RGB, 3), (RGB, 4)])
    def test_any_number_of_bits(
        self, tmp_path: Path, bits: int, colour: int, channels: int, order: str
    ) -> None:
        most = (1 << bits) - 1
        samples = RANDOM.integers(0, most + 1, (9, 13, channels))
        samples[0, 0], samples[0, 1] = 0, most
        strips = [
            zlib.compress(pack_bits(samples[top : top + 4], bits))
            for top in range(0, len(samples), 4)
        ]
        fields = [
            whole(258, *[bits] * channels, kind=SHORT, order=order),
            whole(259, ZLIB, order=order),
            whole(262, colour, order=order),
            whole(277, channels, order=order),
        ]
        if channels == 4:
            fields.append(whole(338, 0, kind=SHORT, order=order))
        data = make_tiff((13, 9), strips, fields, rows=4, order=order)
        picture = read_bytes(tmp_path, data)
        full = 65535 if bits > 8 else 255
        expected = np.floor(samples * full / most + 0.5)
        if colour == 0:
            expected = full - expected
        assert np.array_equal(picture.frames[0], expected)
        assert picture.bit_depth == (16 if bits > 8 else 8)
        assert picture.losses == ()

    def test_two_pages(self, tmp_path: Path) -> None:
        """Rows of the second page do not run into the first."""
        file, pages = tmp_path / "a.tif", RANDOM.integers(0, 4096, (2, 8, 6))
        for page in pages:
            strip = pack_bits(page, 12)
            with tifffile.TiffWriter(file, append=file.exists()) as writer:
                writer.write(
                    np.frombuffer(strip, np.uint8).reshape(8, 9), metadata=None, photometric=1
                )
        with tifffile.TiffFile(file, mode="r+") as tiff:
            for page in tiff.pages:
                page.tags["BitsPerSample"].overwrite(12)
                page.tags["ImageWidth"].overwrite(6)
        seen = read_picture(file).frames[..., 0]
        assert np.array_equal(seen, np.floor(pages * 65535 / 4095 + 0.5))

    @pytest.mark.parametrize("name", ["grey12", "rgb12"])
    def test_samples_of_users(self, name: str) -> None:
        if not (CASES / f"{name}.tif").exists():
            pytest.skip("needs ../shared/cases beside the repository")
        assert read_picture(CASES / f"{name}.tif").frames.shape[1:3] == (64, 96)

    def test_what_is_not_read_is_named(self, tmp_path: Path) -> None:
        fields = [whole(258, 12, kind=SHORT), whole(317, 2), whole(259, ZLIB)]
        with pytest.raises(PictureError, match="12 bits are stored in a way"):
            read_bytes(tmp_path, make_tiff((2, 1), [zlib.compress(bytes(3))], fields))
        fields = [whole(258, 8, 8, 4, kind=SHORT), whole(277, 3), whole(262, RGB)]
        with pytest.raises(PictureError, match="8, 8, 4 bits"):
            read_bytes(tmp_path, make_tiff((2, 1), [bytes(8)], fields))


class TestCompressions:
    def compress(self, name: str, data: bytes) -> bytes:
        if name == "lzma":
            return lzma.compress(data)
        zstd = pytest.importorskip("backports.zstd")
        return bytes(zstd.compress(data))

    @pytest.mark.parametrize("predictor", [1, 2])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("name", ["lzma", "zstd"])
    def test_strips(self, tmp_path: Path, name: str, dtype: type, predictor: int) -> None:
        samples = RANDOM.integers(0, np.iinfo(dtype).max, (70, 300, 3)).astype(dtype)
        stored = samples
        if predictor == 2:
            stored = np.diff(samples, axis=1, prepend=np.zeros_like(samples[:, :1]))
        strips = [self.compress(name, strip) for strip in cut_strips(stored, 32)]
        bits = np.dtype(dtype).itemsize * 8
        fields = [
            whole(258, bits, bits, bits, kind=SHORT),
            whole(259, {"lzma": LZMA, "zstd": ZSTD}[name]),
            whole(262, RGB),
            whole(277, 3),
            whole(317, predictor),
        ]
        picture = read_bytes(tmp_path, make_tiff((300, 70), strips, fields, rows=32))
        assert np.array_equal(picture.frames[0], samples)
        assert picture.losses == ()

    def test_tiles_and_planes(self, tmp_path: Path) -> None:
        samples = RANDOM.integers(0, 256, (32, 48, 3), dtype=np.uint8)
        tiles = [
            lzma.compress(samples[y : y + 16, x : x + 16, plane].tobytes())
            for plane in range(3)
            for y in (0, 16)
            for x in (0, 16, 32)
        ]
        data = make_tiff((48, 32), tiles, [
            whole(258, 8, 8, 8, kind=SHORT), whole(259, LZMA), whole(262, RGB), whole(277, 3),
            whole(284, 2), whole(322, 16), whole(323, 16),
        ])  # fmt: skip
        for old, new in ((273, 324), (279, 325)):  # strips become tiles
            at = data.rindex(old.to_bytes(2, "little") + b"\4\0" + (18).to_bytes(4, "little"))
            data = data[:at] + new.to_bytes(2, "little") + data[at + 2 :]
        assert np.array_equal(read_bytes(tmp_path, data).frames[0], samples)

    def test_12_bits(self, tmp_path: Path) -> None:
        samples = RANDOM.integers(0, 4096, (5, 7, 1))
        fields = [whole(258, 12, kind=SHORT), whole(259, LZMA), whole(262, GREY)]
        picture = read_bytes(
            tmp_path, make_tiff((7, 5), [lzma.compress(pack_bits(samples, 12))], fields)
        )
        assert np.array_equal(picture.frames[0], np.floor(samples * 65535 / 4095 + 0.5))

    def test_tifffile_agrees(self, tmp_path: Path) -> None:
        samples = smooth(3, size=(40, 30))[0]
        strips = [lzma.compress(strip) for strip in cut_strips(samples, 7)]
        fields = [whole(258, 8, 8, 8, kind=SHORT), whole(259, LZMA), whole(262, RGB), whole(277, 3)]
        data = make_tiff((40, 30), strips, fields, rows=7)
        assert np.array_equal(tifffile.imread(io.BytesIO(data)), samples)
        assert np.array_equal(read_bytes(tmp_path, data).frames[0], samples)

    @pytest.mark.parametrize("damage", ["cut", "junk"])
    def test_damage_is_an_error(self, tmp_path: Path, damage: str) -> None:
        good = lzma.compress(RANDOM.bytes(4096))
        bad = good[:2000] if damage == "cut" else b"junk" + good[4:]
        fields = [whole(258, 8, kind=SHORT), whole(259, LZMA), whole(262, GREY)]
        with pytest.raises(PictureError, match="can't be read as TIFF"):
            read_bytes(tmp_path, make_tiff((64, 64), [bad], fields))

    def test_a_missing_package_names_its_extra(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(name: str) -> None:
            raise ModuleNotFoundError(name=name)

        monkeypatch.setattr("importlib.import_module", refuse)
        fields = [whole(258, 8, kind=SHORT), whole(259, ZSTD), whole(262, GREY)]
        with pytest.raises(ProviderError, match="extra 'tiff'"):
            read_bytes(tmp_path, make_tiff((4, 4), [b"x"], fields))

    @given(st.binary(min_size=1, max_size=200_000))
    def test_stored_streams_are_deflate(self, data: bytes) -> None:
        stream = codecs.store(data)
        assert len(stream) == codecs.stored_size(len(data))
        assert zlib.decompress(stream) == data

    @pytest.mark.parametrize("name", ["lzma", "zstd"])
    def test_samples_of_users(self, name: str) -> None:
        if name == "zstd":
            pytest.importorskip("backports.zstd")
        if not (CASES / f"{name}.tif").exists():
            pytest.skip("needs ../shared/cases beside the repository")
        plain = read_picture(CASES / "planar.tif").frames
        assert np.array_equal(read_picture(CASES / f"{name}.tif").frames, plain)


class TestFloats:
    @pytest.mark.parametrize("byteorder", ["<", ">"])
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_0_to_1_becomes_16_bits(
        self, tmp_path: Path, dtype: type, channels: int, byteorder: str
    ) -> None:
        samples = RANDOM.random((8, 9, channels)).astype(dtype)
        samples[0, 0], samples[0, 1] = 0, 1
        tifffile.imwrite(
            tmp_path / "a.tif",
            samples,
            photometric="rgb" if channels > 1 else "minisblack",
            extrasamples=["unassalpha"] if channels == 4 else [],
            byteorder=byteorder,
            compression="zlib" if channels == 1 else None,
        )
        picture = read_picture(tmp_path / "a.tif")
        assert picture.has_alpha == (channels == 4)
        exact = samples.astype(np.float64) * 65535
        assert np.abs(picture.frames[0] - exact).max() <= 0.5 + 65535 * 2**-24
        (loss,) = picture.losses
        assert loss.what == "bit depth"
        assert "rounded to 16 bits" in loss.why

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_few_outside_are_cut_off_and_said(self, tmp_path: Path, dtype: type) -> None:
        samples = np.full((64, 64), 0.5, dtype)
        samples[0, :4] = [-0.25, 3, np.nan, np.inf]
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="minisblack")
        picture = read_picture(tmp_path / "a.tif")
        assert picture.frames[0, 0, :4, 0].tolist() == [0, 65535, 0, 65535]
        assert "cut off at 0 or 1" in picture.losses[0].why

    @pytest.mark.parametrize("low", [-40.0, 0.0])
    def test_other_ranges_are_refused_with_theirs(self, tmp_path: Path, low: float) -> None:
        samples = np.linspace(low, 255, 4096, dtype=np.float32).reshape(64, 64)
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="minisblack")
        with pytest.raises(PictureError, match=f"go from {low:g} to 255.*scale them"):
            read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(("dtype", "half"), [(np.int8, 128), (np.int16, 32768)])
@pytest.mark.parametrize("channels", [1, 3])
def test_signed_samples(tmp_path: Path, dtype: type, half: int, channels: int) -> None:
    samples = RANDOM.integers(-half, half, (8, 9, channels)).astype(dtype)
    samples[0, 0], samples[0, 1] = -half, half - 1
    tifffile.imwrite(
        tmp_path / "a.tif", samples, photometric="rgb" if channels == 3 else "minisblack"
    )
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.frames[0], samples.astype(int) + half)
    assert [loss.what for loss in picture.losses] == ["sign"]


class TestLab:
    def lab(self) -> np.ndarray:
        """As Pillow has it, 8 bits each, a and b with a sign."""
        rgb = Image.fromarray(smooth(3, size=(40, 30))[0])
        srgb, lab = ImageCms.ImageCmsProfile(io.BytesIO(SRGB)), ImageCms.createProfile("LAB", 5003)
        return np.asarray(ImageCms.profileToProfile(rgb, srgb, lab, 1, "LAB"))

    def in_rgb(self, lab: np.ndarray) -> np.ndarray:
        """Little CMS' own opinion, computed pixel by pixel rather than by a table."""
        profiles = ImageCms.createProfile("LAB", 5003), ImageCms.ImageCmsProfile(io.BytesIO(SRGB))
        image = Image.frombytes("LAB", lab.shape[1::-1], lab.tobytes())
        flags = ImageCms.Flags.NOOPTIMIZE
        turn = ImageCms.buildTransform(*profiles, "LAB", "RGB", 1, flags)
        return np.asarray(turn.apply(image)).astype(float)

    def write(self, tmp_path: Path, samples: np.ndarray, photometric: int) -> Picture:
        bits = samples.dtype.itemsize * 8
        fields = [
            whole(258, bits, bits, bits, kind=SHORT),
            whole(262, photometric),
            whole(277, 3),
        ]
        size = samples.shape[1], samples.shape[0]
        return read_bytes(tmp_path, make_tiff(size, [samples.tobytes()], fields))

    @pytest.mark.parametrize("photometric", [8, 9])
    @pytest.mark.parametrize("deep", [False, True])
    def test_lab_becomes_srgb(self, tmp_path: Path, photometric: int, deep: bool) -> None:
        lab = self.lab()
        samples = lab ^ np.array([0, 128, 128], np.uint8) if photometric == 9 else lab.copy()
        if deep:
            samples = samples.astype(np.uint16) * 256
            if photometric == 8:  # white is 65535 there, and 65280 in ICCLab
                samples[..., 0] = lab[..., 0] * np.uint16(257)
        picture = self.write(tmp_path, samples, photometric)
        seen = picture.frames[0] / (257 if deep else 1)
        assert np.abs(seen - self.in_rgb(lab)).max() <= 1
        assert np.abs(seen - self.in_rgb(lab)).mean() <= 0.3
        assert [loss.what for loss in picture.losses] == ["colour"]
        assert picture.metadata.icc is not None

    @pytest.mark.parametrize("name", ["lab", "lab8", "lab16", "icclab8"])
    def test_samples_of_users(self, name: str) -> None:
        if not (CASES / f"{name}.tif").exists():
            pytest.skip("needs ../shared/cases beside the repository")
        assert [loss.what for loss in read_picture(CASES / f"{name}.tif").losses] == ["colour"]


class TestYCbCr:
    def test_uncompressed(self, tmp_path: Path) -> None:
        """libvips takes it for RGB; Pillow doesn't."""
        codes = np.asarray(Image.fromarray(smooth(3, size=(40, 30))[0]).convert("YCbCr"))
        fields = [
            whole(258, 8, 8, 8, kind=SHORT),
            whole(262, 6),
            whole(277, 3),
            whole(530, 1, 1, kind=SHORT),
        ]
        picture = read_bytes(tmp_path, make_tiff((40, 30), [codes.tobytes()], fields))
        expected = np.asarray(Image.fromarray(codes, "YCbCr").convert("RGB")).astype(int)
        assert np.abs(picture.frames[0] - expected).max() <= 1

    def test_studio_range(self, tmp_path: Path) -> None:
        """ReferenceBlackWhite as ITU-R BT.601 has it: 16 is black, 235 white."""
        codes = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
        levels = b"".join(
            n.to_bytes(4, "little") + b"\1\0\0\0" for n in (16, 235, 128, 240, 128, 240)
        )
        fields = [
            whole(258, 8, 8, 8, kind=SHORT),
            whole(262, 6),
            whole(277, 3),
            whole(530, 1, 1, kind=SHORT),
            (532, 5, 6, levels),
        ]
        picture = read_bytes(tmp_path, make_tiff((2, 1), [codes.tobytes()], fields))
        assert picture.frames[0].tolist() == [[[0] * 3, [255] * 3]]

    def test_subsampled_is_named(self, tmp_path: Path) -> None:
        fields = [whole(258, 8, 8, 8, kind=SHORT), whole(262, 6), whole(277, 3)]
        with pytest.raises(PictureError, match="YCbCr with subsampling"):
            read_bytes(tmp_path, make_tiff((4, 4), [bytes(24)], fields))

    def test_jpeg(self, tmp_path: Path) -> None:
        Image.fromarray(smooth(3, size=(64, 48))[0]).save(
            tmp_path / "a.tif", compression="jpeg", quality=95
        )
        with Image.open(tmp_path / "a.tif") as image:
            assert np.array_equal(read_picture(tmp_path / "a.tif").frames[0], np.asarray(image))


class TestWhatLibvipsReads:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("name", ["planes", "tiles", "white is zero", "bigtiff", "big-endian"])
    def test_ways_of_storing(self, tmp_path: Path, name: str, dtype: type) -> None:
        grey = name == "white is zero"
        samples = smooth(1 if grey else 3, dtype, size=(48, 32))[0]
        options: dict[str, dict[str, object]] = {
            "planes": {"planarconfig": "separate"},
            "tiles": {"tile": (16, 16)},
            "white is zero": {"photometric": "miniswhite"},
            "bigtiff": {"bigtiff": True},
            "big-endian": {"byteorder": ">"},
        }
        stored = np.moveaxis(samples, -1, 0) if name == "planes" else samples
        stored = samples[..., 0] if grey else stored
        tifffile.imwrite(tmp_path / "a.tif", stored, **({"photometric": "rgb"} | options[name]))
        expected = np.iinfo(dtype).max - samples if grey else samples
        assert np.array_equal(read_picture(tmp_path / "a.tif").frames[0], expected)

    def test_palettes_of_each_page(self, tmp_path: Path) -> None:
        indices = RANDOM.integers(0, 256, (16, 24), dtype=np.uint8)
        palettes = RANDOM.integers(0, 256, (2, 3, 256)).astype(np.uint16) * 257
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for palette in palettes:
                writer.write(indices, photometric="palette", colormap=palette, metadata=None)
        expected = np.stack([(palette // 257).T[indices] for palette in palettes])
        assert np.array_equal(read_picture(tmp_path / "a.tif").frames, expected)
