"""Pictures of every format that is read: depths, frames, profiles, EXIF, XMP, IPTC."""

import importlib.util
import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from tests.robustness.mutation.pieces import Piece, join_png, split_png
from tests.robustness.seeds.seed import Seed

from insertions import INSERTIONS
from samples import PHOTOSHOP, SRGB, XMP, exif_block, smooth
from tiff_files import SHORT, make_tiff, whole

SIZE = (26, 19)


def picture_seeds() -> tuple[Seed, ...]:
    """The same on every machine with the same versions of Pillow and tifffile."""
    makers = (_jpegs, _pngs, _webps, _tiffs, _coded, _gifs, _plain)
    return tuple(Seed(name, data) for maker in makers for name, data in maker())


Files = Iterator[tuple[str, bytes]]


def _pixels(channels: int = 3, dtype: type = np.uint8) -> NDArray[np.generic]:
    pixels: NDArray[np.generic] = smooth(channels, dtype, SIZE)[0]
    return pixels[..., 0] if channels == 1 else pixels


def _image(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(_pixels(3)).convert(mode)


def _save(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _jpegs() -> Files:
    exif = b"Exif\0\0" + exif_block()
    yield "plain.jpg", _save(_image(), "JPEG", quality=90)
    yield "grey.jpg", _save(_image("L"), "JPEG", quality=90, progressive=True)
    yield "cmyk.jpg", _save(_image("CMYK"), "JPEG", quality=90)
    full = _save(_image(), "JPEG", quality=80, exif=exif, icc_profile=SRGB, comment=b"a comment")
    at = 2 + 2 + int.from_bytes(full[4:6], "big")
    photoshop = b"\xff\xed" + struct.pack(">H", len(PHOTOSHOP) + 2) + PHOTOSHOP
    packet = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    xmp = b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet
    yield "full.jpg", full[:at] + photoshop + xmp + full[at:]
    little = b"Exif\0\0" + exif_block("<")
    yield "restart.jpg", _save(_image(), "JPEG", exif=little, restart_marker_blocks=2)
    yield "trailer.jpg", full + b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x10mdat12345678"


def _pngs() -> Files:
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
        yield f"{mode.lower()}.png", _save(_image(mode), "PNG")
    yield "deep.png", _save(Image.fromarray(_pixels(1, np.uint16)), "PNG")
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a title")
    text.add_text("Comment", "a comment" * 30, zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    options = {"pnginfo": text, "exif": exif_block(), "icc_profile": SRGB, "dpi": (300, 300)}
    full = _save(_image(), "PNG", **options)
    yield "full.png", full
    yield "interlaced.png", _interlaced()
    frames = [_image().rotate(90 * n) for n in range(3)]
    yield "frames.png", _save(frames[0], "PNG", save_all=True, append_images=frames[1:])
    head, pieces, _ = split_png(full)
    colours = (Piece(b"gAMA", struct.pack(">I", 45455)), Piece(b"cICP", bytes((9, 16, 0, 1))))
    chroma = Piece(
        b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    )
    plain = tuple(p for p in pieces if p.name != b"iCCP")
    yield "colours.png", head + join_png((*plain[:1], *colours, chroma, *plain[1:]))


def _interlaced() -> bytes:
    """Adam7, whose passes Pillow doesn't write."""
    width, height = 8, 8
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    pixels = smooth(3, np.uint8, (width, height))[0]
    rows = b"".join(
        b"\0" + row.tobytes() for x, y, dx, dy in passes for row in pixels[y::dy, x::dx]
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    chunks = (Piece(b"IHDR", header), Piece(b"IDAT", zlib.compress(rows)), Piece(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + join_png(chunks)


def _webps() -> Files:
    options = {"exif": exif_block(), "xmp": XMP, "icc_profile": SRGB}
    yield "lossy.webp", _save(_image(), "WEBP", quality=80)
    yield "full.webp", _save(_image("RGBA"), "WEBP", lossless=True, **options)
    alpha = Image.fromarray(_pixels(4))
    yield "alpha.webp", _save(alpha, "WEBP", quality=70, **options)
    frames = [_image().rotate(90 * n) for n in range(3)]
    yield (
        "frames.webp",
        _save(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=70),
    )


def _tiffs() -> Files:
    def made(pixels: NDArray[np.generic], **options: object) -> bytes:
        stream = io.BytesIO()
        tifffile.imwrite(stream, pixels, metadata=None, datetime=False, **options)
        return stream.getvalue()

    yield "plain.tif", made(_pixels(3), photometric="rgb", resolution=(300, 300))
    yield "deep.tif", made(_pixels(4, np.uint16), photometric="rgb", extrasamples=["unassalpha"])
    yield "tiles.tif", made(_pixels(1), photometric="minisblack", tile=(16, 16), compression="zlib")
    yield "lzw.tif", _save(_image(), "TIFF", compression="tiff_lzw")
    yield (
        "planar.tif",
        made(np.moveaxis(_pixels(3), -1, 0), photometric="rgb", planarconfig="separate"),
    )
    yield "big.tif", made(_pixels(3), photometric="rgb", bigtiff=True, byteorder=">")
    pages = np.stack([_pixels(3)] * 3)
    yield "pages.tif", made(pages, photometric="rgb", iccprofile=SRGB)
    yield "float.tif", made(_pixels(1).astype(np.float32), photometric="minisblack")
    image = _image()
    yield "exif.tif", _save(image, "TIFF", exif=exif_block(), icc_profile=SRGB)
    yield "fax.tif", _save(_image("1"), "TIFF", compression="group4")
    jpeg = {"compression": "jpeg"}
    yield "jpeg.tif", _save(image, "TIFF", **jpeg)
    rows = _pixels(1).tobytes()
    fields = [whole(258, 8, kind=SHORT), whole(262, 1, kind=SHORT), whole(259, 1, kind=SHORT)]
    yield "hand.tif", make_tiff(SIZE, [rows], fields)


def _coded() -> Files:
    """What encoders of video code: AVIF, HEIC; and JPEG XL."""
    options = {"exif": exif_block(), "icc_profile": SRGB}
    yield "plain.avif", _save(_image(), "AVIF", quality=60, speed=10)
    yield (
        "full.avif",
        _save(Image.fromarray(_pixels(4)), "AVIF", quality=60, speed=10, xmp=XMP, **options),
    )
    frames = [_image().rotate(90 * n) for n in range(2)]
    more = {"save_all": True, "append_images": frames[1:], "duration": 90}
    yield "frames.avif", _save(frames[0], "AVIF", quality=50, speed=10, **more)
    if importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
        yield "plain.heic", _save(_image(), "HEIF", quality=60, **options)
    if importlib.util.find_spec("pillow_jxl"):
        import pillow_jxl  # noqa: F401 - registers itself

        yield "plain.jxl", _save(_image(), "JXL", lossless=True)
        yield "full.jxl", _save(_image("RGBA"), "JXL", quality=80, exif=exif_block())


def _gifs() -> Files:
    yield "plain.gif", _save(_image("P"), "GIF", comment=b"a comment")
    frames = [_image("P").rotate(90 * n) for n in range(3)]
    more = {"save_all": True, "append_images": frames[1:], "duration": [40, 50, 60], "loop": 2}
    yield "frames.gif", _save(frames[0], "GIF", disposal=2, transparency=3, **more)


def _plain() -> Files:
    yield "rgb.bmp", _save(_image(), "BMP")
    yield "palette.bmp", _save(_image("P"), "BMP")
    yield "grey.pgm", _save(_image("L"), "PPM")
    yield "rgb.ppm", _save(_image(), "PPM").replace(b"\n", b"\n# a comment\n", 1)
    yield "text.ppm", b"P3 3 2 255 " + b"1 2 3 " * 6
    yield "bits.pbm", _save(_image("1"), "PPM")
    head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 65535\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % SIZE
    yield "alpha.pam", head + _pixels(4, np.uint16).astype(">u2").tobytes()


def insertion_seeds() -> tuple[Seed, ...]:
    """Files with one unusual part each."""
    return tuple(Seed(f"{i.name}{i.suffix}", i.data) for i in INSERTIONS)
