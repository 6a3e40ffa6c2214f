"""One budget for all that a file says beside its pixels; resolutions that can't be; damage that
looks like a lack of memory."""

import io
import logging
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from insertions import with_chunks
from subpixel.errors import PictureError
from subpixel.media import reading
from subpixel.media.formats.account import limit_metadata
from subpixel.media.formats.png.chunks import build_chunk
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.metadata import exif
from subpixel.media.metadata.budget import MAX_METADATA, Budget
from subpixel.media.picture import GainMap, Metadata, Picture
from subpixel.system.machine_memory import can_allocate

LARGE = MAX_METADATA * 3 // 4
XMP_HEAD = b"XML:com.adobe.xmp\0\0\0\0\0"


def size_of(meta: Metadata) -> int:
    blocks = [meta.icc, meta.exif, meta.xmp, meta.iptc, meta.gain_map and meta.gain_map.data]
    texts = [text for pair in meta.text for text in pair]
    return sum(len(value) for value in [*blocks, *texts] if value)


class TestLimit:
    def test_what_has_room_stays(self) -> None:
        meta = Metadata(icc=b"a", exif=b"b", xmp=b"c", iptc=b"d", text=(("k", "v"),))
        assert limit_metadata(meta, Budget()) == (meta, ())

    @pytest.mark.parametrize("name", ["exif", "xmp", "iptc"])
    def test_the_rest_is_named(self, name: str) -> None:
        meta = Metadata(icc=bytes(LARGE), **{name: bytes(LARGE)})
        limited, losses = limit_metadata(meta, Budget())
        assert limited == Metadata(icc=meta.icc)
        assert [loss.what for loss in losses] == [name]

    def test_texts_and_a_gain_map(self) -> None:
        texts = tuple((f"key {i}", "x" * (MAX_METADATA // 3)) for i in range(5))
        limited, losses = limit_metadata(
            Metadata(text=texts, gain_map=GainMap(bytes(LARGE), 8, 8)), Budget()
        )
        assert (limited.text, limited.gain_map) == (texts[:2], None)
        assert [loss.what for loss in losses] == ["text", "gain map"]

    def test_what_pages_share_counts_once(self) -> None:
        profile = bytes(LARGE)
        pages = tuple(Metadata(icc=profile) for _ in range(5))
        meta = Metadata(icc=profile, pages=pages)
        assert limit_metadata(meta, Budget()) == (meta, ())
        other = Metadata(icc=profile, pages=(*pages, Metadata(icc=bytes(LARGE - 1))))
        limited, losses = limit_metadata(other, Budget())
        assert limited.pages[-1].icc is None
        assert [loss.what for loss in losses] == ["icc"]


class TestFiles:
    def test_a_png_of_several_large_blocks(self, tmp_path: Path) -> None:
        chunks = [
            build_chunk(b"iTXt", XMP_HEAD + bytes(b"x" * LARGE)),
            build_chunk(b"eXIf", b"II*\0" + bytes(LARGE)),
        ]
        (tmp_path / "a.png").write_bytes(with_chunks(*chunks))
        header = open_picture(tmp_path / "a.png").header
        assert size_of(header.metadata) <= MAX_METADATA
        assert "exif" in {loss.what for loss in header.losses}

    def test_a_webp_of_several_large_blocks(self, tmp_path: Path) -> None:
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "webp", lossless=True, xmp=b"x" * LARGE)
        data = file.getvalue() + b"EXIF" + struct.pack("<I", LARGE) + bytes(LARGE)
        data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
        (tmp_path / "a.webp").write_bytes(data)
        header = open_picture(tmp_path / "a.webp").header
        assert size_of(header.metadata) <= MAX_METADATA
        assert {"exif", "xmp"} & {loss.what for loss in header.losses}

    def test_a_tiff_whose_pages_share_their_xmp(self, tmp_path: Path) -> None:
        """Each page says it is its own: it is held once, and counts once."""
        xmp, pages = b"x" * (1 << 20), 60
        with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
            for page in range(pages):
                own = (
                    [(700, 7, len(xmp), xmp, False)]
                    if page == 0
                    else [(700, 7, 8, b"y" * 8, False)]
                )
                tiff.write(np.zeros((8, 8), np.uint8), metadata=None, extratags=own)
        data = bytearray((tmp_path / "a.tif").read_bytes())
        place = struct.pack("<II", len(xmp), data.index(xmp))
        at = data.find(struct.pack("<HHI", 700, 7, 8))
        while at >= 0:
            data[at + 4 : at + 12] = place
            at = data.find(struct.pack("<HHI", 700, 7, 8), at)
        (tmp_path / "a.tif").write_bytes(data)
        picture = open_picture(tmp_path / "a.tif")
        metas = picture.header.metadata.pages
        assert len(metas) == pages
        assert {id(page.xmp) for page in metas} == {id(metas[0].xmp)}
        assert metas[0].xmp == xmp
        assert picture.header.losses == ()

    def test_pages_of_many_descriptions(self, tmp_path: Path) -> None:
        """Beyond the budget they are left out, by name."""
        text, pages = b"x" * (1 << 20), 40
        with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
            for page in range(pages):
                own = [(700, 7, len(text), text[:-1] + bytes([page]), False)]
                tiff.write(np.zeros((8, 8), np.uint8), metadata=None, extratags=own)
        header = open_picture(tmp_path / "a.tif").header
        assert sum(page.xmp is None for page in header.metadata.pages) == pages - 31
        assert [loss.what for loss in header.losses] == ["xmp"]

    def test_metadata_counts_as_memory(self, tmp_path: Path) -> None:
        small = Picture(np.zeros((1, 8, 8, 3), np.uint8))
        write_picture(small, tmp_path / "a.png")
        before = open_picture(tmp_path / "a.png").memory
        (tmp_path / "b.png").write_bytes(
            with_chunks(build_chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(1 << 24))))
        )
        assert open_picture(tmp_path / "b.png").memory >= before + (1 << 24)


class TestResolution:
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp", ".avif"])
    def test_a_density_that_can_not_be(self, tmp_path: Path, suffix: str) -> None:
        density = struct.pack(">IIB", 4_000_000_000, 4_294_967_295, 1)
        (tmp_path / "a.png").write_bytes(with_chunks(build_chunk(b"pHYs", density)))
        picture = read_picture(tmp_path / "a.png")
        assert picture.metadata.resolution is None
        assert [loss.what for loss in picture.losses] == ["resolution"]
        write_picture(picture, tmp_path / f"b{suffix}")
        assert read_picture(tmp_path / f"b{suffix}").frames.shape == picture.frames.shape

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
    @pytest.mark.parametrize("resolution", [(999_999.123, 1_000_000.0), (1e-7, 1e-7)])
    def test_the_edges_of_what_is_believed(
        self, tmp_path: Path, suffix: str, resolution: tuple[float, float]
    ) -> None:
        picture = Picture(np.zeros((1, 8, 8, 3), np.uint8), Metadata(resolution=resolution))
        write_picture(picture, tmp_path / f"a{suffix}")
        with Image.open(tmp_path / f"a{suffix}") as image:
            assert image.size == (8, 8)

    @pytest.mark.parametrize("number", [1e-3, 2.834645, 999_999.123, 1e6])
    def test_exif_says_it_nearly(self, number: float) -> None:
        fields = exif.resolution_fields((number, number), "<")
        across, down = exif.resolution_of(fields, "<") or (0, 0)
        assert across == down == pytest.approx(number, rel=2e-3 if number < 1 else 1e-6)

    def test_exif_is_cut_off_where_it_ends(self) -> None:
        fields = exif.resolution_fields((1e300, 0.0), "<")
        assert [len(field.value) for field in fields] == [8, 8, 2]


def claim_many(tmp_path: Path) -> Path:
    """A TIFF whose Compression has a thousand million numbers: libtiff wants two bytes for each."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint8), metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    match = re.search(struct.pack("<HH", 259, 3), data)
    assert match is not None
    struct.pack_into("<I", data, match.start() + 4, 0x3FFF0000)
    (tmp_path / "a.tif").write_bytes(data)
    return tmp_path / "a.tif"


class TestMemory:
    def test_a_damaged_file_is_no_lack_of_memory(self, tmp_path: Path) -> None:
        with pytest.raises(PictureError, match=r"a\.tif.*damaged, and asks for more memory"):
            read_picture(claim_many(tmp_path))

    @pytest.mark.parametrize("words", ["Out of memory reading tag", "Memory allocation error: x"])
    def test_words_alone_do_not_tell(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
    ) -> None:
        """The same words are damage where the memory is there, and a shortage where it isn't."""
        file = tmp_path / "a.png"
        write_picture(Picture(np.zeros((1, 8, 8, 3), np.uint8)), file)

        def refuse(*_arguments: object) -> None:
            raise ValueError(words)

        monkeypatch.setattr(reading, "_open_tolerantly", refuse)
        with pytest.raises(PictureError, match=r"a\.png.*damaged, and asks for more memory"):
            open_picture(file)
        monkeypatch.setattr(reading, "can_allocate", lambda size: False)
        with pytest.raises(MemoryError, match=r"a\.png"):
            open_picture(file)

    def test_what_can_be_allocated(self) -> None:
        assert can_allocate(1 << 16)
        assert not can_allocate(1 << 62)
        assert not can_allocate(1 << 80)

    @pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
    def test_a_limit_of_address_space(self) -> None:
        code = (
            "import resource; from subpixel.system.machine_memory import can_allocate;"
            "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
            "print(can_allocate(1 << 20), can_allocate(1 << 30))"
        )
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert run.stdout.split() == ["True", "False"]


def test_what_libpng_logs_of_a_damaged_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its warning quotes the file's bytes, which are no UTF-8."""
    profile = struct.pack(">I4xI4s4s4s", 132, 0x02000000, b"mntr", b"RGB ", b"XYZ ").ljust(
        36, b"\0"
    )
    profile = (profile + b"acsp").ljust(128, b"\0") + struct.pack(">I", 9)
    chunk = build_chunk(b"iCCP", b"\xff\xfecc\0\0" + zlib.compress(profile))
    (tmp_path / "a.png").write_bytes(with_chunks(chunk))
    with caplog.at_level(logging.WARNING, logger="pyvips"):
        open_picture(tmp_path / "a.png")
    assert capfd.readouterr().err == ""
    assert any("iCCP" in record.message for record in caplog.records)
