"""Which directory of a TIFF file is the picture; tifffile writes the files."""

import lzma
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import SRGB, smooth
from subpixel.errors import LossError, PictureError
from subpixel.media.formats.tiff.directories import MAX_FIELDS, read_directories
from subpixel.media.image_file import read_picture, write_picture
from tiff_files import LONG, SHORT, make_tiff, pack_bits, whole

LARGE, SMALL = smooth(3, size=(48, 32))[0], smooth(3, size=(12, 8))[0]
OTHER = 255 - LARGE
CASES = Path(__file__).resolve().parents[5] / "shared" / "cases" / "pictures"


def _write_good(folder: Path, kind: str) -> bytes:
    file = folder / "good.tif"
    if kind == "pages":
        more = {"iccprofile": SRGB[:600], "description": "page", "subifds": 1}
        reduced = {"subfiletype": 1}
        write_pages(file, (LARGE, more), (SMALL, reduced), (OTHER, {}), (SMALL, reduced))
    elif kind == "float":
        tifffile.imwrite(file, LARGE.astype(np.float32) / 255, photometric="rgb")
    elif kind == "lab":
        tifffile.imwrite(file, LARGE, photometric="cielab")
    elif kind == "geo":
        places = [(33550, 12, 3, (1.0, 1.0, 0.0)), (33922, 12, 6, (0.0,) * 6)]
        exif = [(34665, 4, 1, 8), (315, 2, 0, "Ann of Green Gables")]
        write_pages(file, (LARGE, {"extratags": [(*tag, True) for tag in (*places, *exif)]}))
    return file.read_bytes()


def _pack_good(kind: str) -> bytes:
    bits = 12 if kind == "packed" else 8
    strip = pack_bits(LARGE.astype(int), bits)
    fields = [whole(258, bits, bits, bits, kind=SHORT), whole(262, 2), whole(277, 3)]
    if kind == "lzma":
        return make_tiff((48, 32), [lzma.compress(strip)], [*fields, whole(259, 34925)])
    return make_tiff((48, 32), [strip], fields)


_GOOD = {
    "pages": lambda folder: _write_good(folder, "pages"),
    "float": lambda folder: _write_good(folder, "float"),
    "lab": lambda folder: _write_good(folder, "lab"),
    "geo": lambda folder: _write_good(folder, "geo"),
    "lzma": lambda _: _pack_good("lzma"),
    "packed": lambda _: _pack_good("packed"),
}


def write_pages(file: Path, *pages: tuple[np.ndarray, dict[str, object]], **options: bool) -> Path:
    with tifffile.TiffWriter(file, **options) as writer:
        for samples, more in pages:
            writer.write(samples, **({"photometric": "rgb", "metadata": None} | more))
    return file


def losses_of(file: Path) -> list[str]:
    return [str(loss) for loss in read_picture(file).losses]


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("place", ["page", "subifd"])
def test_a_thumbnail_before_the_picture(
    tmp_path: Path, place: str, byteorder: str, bigtiff: bool
) -> None:
    thumbnail = (SMALL, {"subfiletype": 1, "subifds": 1 if place == "subifd" else 0})
    file = write_pages(
        tmp_path / "a.tif", thumbnail, (LARGE, {}), bigtiff=bigtiff, byteorder=byteorder
    )
    picture = read_picture(file)
    assert np.array_equal(picture.frames[0], LARGE)
    assert losses_of(file) == [
        "frames: a smaller copy of 12 x 8 pixels, 3 x 8 bits (page 1) is left out"
    ]
    with pytest.raises(LossError, match="smaller copy"):
        write_picture(picture, tmp_path / "out.tif", strict=True)


@pytest.mark.parametrize("name", ["thumb_first_page.tif", "thumb_first_rgb.tif"])
def test_samples_of_users(name: str) -> None:
    if not (CASES / name).exists():
        pytest.skip("needs ../shared/cases beside the repository")
    picture = read_picture(CASES / name)
    assert picture.frames.shape == (1, 256, 384, 3)
    assert [loss.what for loss in picture.losses] == ["frames"]


def test_thumbnails_between_pages_and_a_mask(tmp_path: Path) -> None:
    small, mask = {"subfiletype": 1}, {"subfiletype": 4, "photometric": "mask"}
    file = write_pages(
        tmp_path / "a.tif",
        (LARGE, {}),
        (SMALL, small),
        (LARGE[..., 0] > 99, mask),
        (OTHER, {}),
        (SMALL, small),
    )
    assert np.array_equal(read_picture(file).frames, np.stack([LARGE, OTHER]))
    assert losses_of(file) == [
        "frames: a smaller copy of 12 x 8 pixels, 3 x 8 bits (2 from page 2 on) is left out",
        "frames: a mask of 48 x 32 pixels, 1 x 1 bits (page 3) is left out",
    ]


def test_the_largest_page_and_those_like_it(tmp_path: Path) -> None:
    deep = (LARGE.astype(np.uint16) * 257, {})
    grey = (LARGE[..., 0], {"photometric": "minisblack"})
    file = write_pages(tmp_path / "a.tif", (SMALL, {}), (LARGE, {}), deep, grey, (OTHER, {}))
    assert np.array_equal(read_picture(file).frames, np.stack([LARGE, OTHER]))
    assert [line.partition(" pixels")[0] for line in losses_of(file)] == [
        "frames: a picture of 12 x 8",
        "frames: a picture of 48 x 32",
        "frames: a picture of 48 x 32",
    ]


def test_a_thumbnail_alone_is_the_picture(tmp_path: Path) -> None:
    file = write_pages(tmp_path / "a.tif", (SMALL, {"subfiletype": 1}))
    assert np.array_equal(read_picture(file).frames[0], SMALL)
    assert losses_of(file) == []


def test_pages_that_are_stored_in_different_ways(tmp_path: Path) -> None:
    """libvips loads pages at once only where strips and tiles are alike."""
    ways = [{}, {"tile": (16, 16)}, {"compression": "zlib"}, {"rowsperstrip": 5}]
    file = write_pages(tmp_path / "a.tif", *((LARGE, way) for way in ways), (SMALL, {}))
    picture = read_picture(file)
    assert np.array_equal(picture.frames, np.stack([LARGE] * 4))
    assert [loss.what for loss in picture.losses] == ["frames"]


def test_a_pyramid_is_named_in_a_few_lines(tmp_path: Path) -> None:
    reduced = {"subfiletype": 1}
    levels = [(LARGE[: 32 - k, : 48 - k].copy(), reduced) for k in range(1, 20)]
    file = write_pages(tmp_path / "a.tif", (LARGE, {"subifds": len(levels)}), *levels)
    lines = losses_of(file)
    assert len(lines) == 9
    assert lines[-1] == "frames: pages of 11 further kinds are left out"


def test_the_pages_of_users() -> None:
    if not (CASES / "pages_mixed.tif").exists():
        pytest.skip("needs ../shared/cases beside the repository")
    picture = read_picture(CASES / "pages_mixed.tif")
    assert picture.frames.shape == (1, 64, 96, 3)
    assert [loss.what for loss in picture.losses] == ["frames", "frames"]


class TestCameraRaw:
    """Without the extra that develops them."""

    @pytest.fixture(autouse=True)
    def lack_rawpy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("subpixel.media.formats.tiff.tiff.can_develop", lambda: False)

    @pytest.mark.parametrize(
        ("maker", "name"),
        [("NIKON CORPORATION", "NEF"), ("SONY", "ARW"), ("PENTAX", "PEF"), ("Acme", "camera raw")],
    )
    def test_a_sensors_values_in_a_subifd(self, tmp_path: Path, maker: str, name: str) -> None:
        make = [(271, 2, 0, maker, True)]
        sensor = {"photometric": 32803, "extratags": [(33421, 3, 2, (2, 2), True)]}
        file = write_pages(
            tmp_path / "a.tif",
            (SMALL, {"subfiletype": 1, "subifds": 1, "extratags": make}),
            (LARGE[..., 0].astype(np.uint16), sensor),
        )
        with pytest.raises(PictureError, match=rf"{name}.*not a picture; develop it first"):
            read_picture(file)

    def test_a_dng(self, tmp_path: Path) -> None:
        version = [(50706, 1, 4, b"\1\6\0\0", True)]
        file = write_pages(tmp_path / "a.dng", (SMALL, {"extratags": version}))
        with pytest.raises(PictureError, match=r"\(DNG\)"):
            read_picture(file)

    @pytest.mark.parametrize(
        ("head", "name"),
        [
            (b"IIRO\x08\0\0\0", "ORF"),
            (b"IIRS\x08\0\0\0", "ORF"),
            (b"MMOR\0\0\0\x08", "ORF"),
            (b"IIU\0\x08\0\0\0", "RW2"),
            (b"II*\0\x10\0\0\0CR\2\0", "CR2"),
            (b"FUJIFILMCCD-RAW 0201", "RAF"),
            (b"\0\0\0\x18ftypcrx \0\0\0\1", "CR3"),
            (b"FOVb\0\0\2\0", "X3F"),
            (b"\0MRM\0\0\0\0", "MRW"),
        ],
    )
    def test_by_the_first_bytes(self, tmp_path: Path, head: bytes, name: str) -> None:
        (tmp_path / "a.tif").write_bytes(head + bytes(100))
        with pytest.raises(PictureError, match=name):
            read_picture(tmp_path / "a.tif")

    @pytest.mark.parametrize("suffix", ["dng", "nef", "tif"])
    def test_samples_of_users(self, suffix: str) -> None:
        if not (CASES / f"raw_like.{suffix}").exists():
            pytest.skip("needs ../shared/cases beside the repository")
        with pytest.raises(PictureError, match="camera raw"):
            read_picture(CASES / f"raw_like.{suffix}")


class TestHostile:
    def test_each_directory_is_seen_once(self) -> None:
        """A chain that closes, and SubIFDs that are their own parents."""
        fields = [whole(258, 8, kind=SHORT), whole(330, 8, 16, 8)]
        data = bytearray(make_tiff((2, 2), [bytes(4)], fields))
        (first,) = struct.unpack_from("<I", data, 4)
        entries = struct.unpack_from("<H", data, first)[0]
        struct.pack_into("<I", data, first + 2 + 12 * entries, first)
        sub_ifds = bytes(data).index(struct.pack("<III", 8, 16, 8))
        struct.pack_into("<III", data, sub_ifds, first, first, first)
        tiff = read_directories(bytes(data))
        assert [directory.offset for directory in tiff.walk()] == [first]

    def test_directories_that_lie_upon_each_other_end(self) -> None:
        """Each of a hundred claims all that follows as its fields: over the limit in all."""
        count, size = 5000, 70_000
        data = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(size))
        offsets = [8 + 20 * i for i in range(100)]
        for here, following in zip(offsets, [*offsets[1:], 0], strict=True):
            struct.pack_into("<H", data, here, count)
            struct.pack_into("<I", data, here + 2 + 12 * count, following)
        with pytest.raises(ValueError, match=f"more than {MAX_FIELDS:,} fields"):
            read_directories(bytes(data))

    def test_a_bigtiff_with_a_monstrous_count(self) -> None:
        data = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, 1 << 60) + bytes(100)
        assert read_directories(data).pages == ()

    @given(st.binary(min_size=12, max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        for head in (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"):
            list(read_directories(head + data).walk())

    def test_a_strip_that_unpacks_to_too_much(self, tmp_path: Path) -> None:
        bomb = lzma.compress(bytes(1 << 24))
        fields = [whole(258, 8, kind=SHORT), whole(259, 34925), whole(262, 1)]
        (tmp_path / "a.tif").write_bytes(make_tiff((16, 16), [bomb], fields))
        assert not read_picture(tmp_path / "a.tif").frames.any()  # the first 256 bytes of it

    @pytest.mark.parametrize(
        ("tag", "numbers"),
        [(256, 1 << 31), (257, 1 << 31), (277, 60_000), (258, 0), (278, 1), (258, 12)],
    )
    def test_lying_numbers_are_an_error(self, tmp_path: Path, tag: int, numbers: int) -> None:
        """At once: no list is made as long as they say."""
        fields = {258: 8, 259: 34925, 262: 2, 277: 3} | {tag: numbers}
        entries = [whole(t, n, kind=SHORT if n < 65536 else LONG) for t, n in fields.items()]
        data = make_tiff((16, 16), [lzma.compress(bytes(768))], [e for e in entries if e[0] < 500])
        for own in (256, 257, 278):
            if own == tag:  # make_tiff has its own before ours
                at = data.index(struct.pack("<HHI", own, LONG, 1))
                data = data[: at + 8] + struct.pack("<I", numbers) + data[at + 12 :]
        (tmp_path / "a.tif").write_bytes(data)
        with pytest.raises(PictureError):
            read_picture(tmp_path / "a.tif", max_pixels=1 << 40)

    @pytest.mark.slow
    @settings(max_examples=150, deadline=None)
    @given(
        kind=st.sampled_from(["pages", "lzma", "packed", "lab", "float", "geo"]),
        at=st.floats(0, 0.999),
        junk=st.binary(min_size=1, max_size=6),
    )
    def test_damage_anywhere(
        self, tmp_path_factory: pytest.TempPathFactory, kind: str, at: float, junk: bytes
    ) -> None:
        folder = tmp_path_factory.mktemp("damaged")
        data = bytearray(_GOOD[kind](folder))
        start = int(at * len(data))
        data[start : start + len(junk)] = junk
        file = folder / "damaged.tif"
        file.write_bytes(data)
        message = ""
        try:
            picture = read_picture(file, max_pixels=1_000_000)
            write_picture(picture, folder / "out.tif")
        except PictureError as error:
            message = str(error)
        assert "\n" not in message

    @pytest.mark.parametrize("name", ["bigtiff-count", "tiff-circ", "tiff-circ3"])
    def test_files_of_others(self, name: str) -> None:
        file = CASES.parent / "hostile" / f"{name}.tif"
        if not file.exists():
            pytest.skip("needs ../shared/cases beside the repository")
        assert read_picture(file).frames.shape[1:] == (4, 4, 1)


def test_a_list_of_strips_that_does_not_fit(tmp_path: Path) -> None:
    fields = [(258, SHORT, 1, b"\x08\0"), (259, LONG, 1, struct.pack("<I", 34925))]
    (tmp_path / "a.tif").write_bytes(make_tiff((16, 16), [b"x", b"y"], fields))
    with pytest.raises(PictureError, match="list of strips"):
        read_picture(tmp_path / "a.tif")
