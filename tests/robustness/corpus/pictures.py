"""Pictures that lie about their size, or are bombs as such; see :mod:`metadata_bombs` for what lies
beside the pixels."""

import struct
import zlib

import numpy as np
from tests.robustness.corpus.hostile_file import REFUSED, TAKEN, HostileFile, family
from tests.robustness.mutation.pieces import Piece, join_png, split_jpeg

from insertions import GIF, JPEG, WEBP, encode, gif_extension, riff, riff_chunk, segment

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def png(width: int, height: int, rows: bytes, *, bits: int = 8, colour: int = 0) -> bytes:
    """``rows`` with their filter bytes, which may be too few."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pieces = (Piece(b"IHDR", header), Piece(b"IDAT", zlib.compress(rows, 9)), Piece(b"IEND", b""))
    return PNG_HEAD + join_png(pieces)


def tall_png(height: int) -> bytes:
    """Thirty pixels wide."""
    return png(30, height, bytes(31 * height))


def wide_png(width: int) -> bytes:
    return png(width, 1, bytes(1 + width))


def truncated_png(side: int) -> bytes:
    """A header of ``side`` squared pixels, and data for a row."""
    return png(side, side, bytes(1 + side))


def tiff(*entries: tuple[int, int, int, int], data: bytes = b"", following: int = 0) -> bytes:
    """Little-endian, one directory behind ``data``; entries are tag, type, count, value."""
    at = 8 + len(data)
    table = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = b"II*\0" + struct.pack("<I", at) + data
    return head + struct.pack("<H", len(entries)) + table + struct.pack("<I", following)


def grey_entries(width: int, height: int, length: int, at: int = 8) -> tuple[tuple[int, ...], ...]:
    """Of a grey picture of one strip that begins at ``at``."""
    return (
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1)),
        *(
            (262, 3, 1, 1),
            (273, 4, 1, at),
            (277, 3, 1, 1),
            (278, 4, 1, height),
            (279, 4, 1, length),
        ),
    )


def circular_tiff(length: int) -> bytes:
    """A chain of directories whose last leads back to the first."""
    entries = grey_entries(4, 4, 16)
    size = 2 + 12 * len(entries) + 4
    pages = b""
    for page in range(length):
        following = 24 + size * ((page + 1) % length)
        table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        pages += struct.pack("<H", len(entries)) + table + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 24) + bytes(16) + pages


def long_tiff(length: int) -> bytes:
    """So many pages, all of the same strip."""
    return circular_tiff(length)[:-4] + bytes(4)


def big_tiff_entries(count: int) -> bytes:
    """A BigTIFF whose directory has ``count`` entries, more than a classic one can have."""
    wanted = [(*entry[:3], entry[3]) for entry in grey_entries(4, 4, 16, at=16)]
    filler = [(65000 + n % 500, 3, 1, 0) for n in range(count - len(wanted))]
    table = b"".join(struct.pack("<HHQQ", *entry) for entry in wanted + filler)
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 32) + bytes(16)
    return head + struct.pack("<Q", count) + table + bytes(8)


def counting_tiff(count: int) -> bytes:
    """The strips' offsets are said to be ``count`` numbers, at the file's beginning."""
    entries = [e for e in grey_entries(4, 4, 16) if e[0] not in (273, 279)]
    strips = ((273, 4, count, 8), (279, 4, count, 8))
    return tiff(*entries, *strips, data=bytes(64))


def deflated_tiff(side: int) -> bytes:
    """A strip of zeros, a thousandth of its size."""
    data = zlib.compress(bytes(side * side), 9)
    entries = [e if e[0] != 259 else (259, 3, 1, 8) for e in grey_entries(side, side, len(data))]
    return tiff(*entries, data=data)


def gif_frames(count: int) -> bytes:
    """Frames of one pixel on a large screen."""
    head = b"GIF89a" + struct.pack("<HHBBB", 600, 600, 0x80, 0, 0) + bytes(6)
    frame = b"\x21\xf9\4\4\1\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    return head + frame * count + b";"


def gif_screen(side: int) -> bytes:
    """One pixel on a screen of ``side`` squared."""
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    return head + b",\0\0\0\0\1\0\1\0\0\2\2\x44\1\0;"


def gif_comment(blocks: int) -> bytes:
    return GIF[:-1] + gif_extension(0xFE, *[b"x" * 255] * blocks) + b";"


def webp_frames(count: int) -> bytes:
    """Frames of one picture, many times."""
    place = bytes(6) + struct.pack("<I", 23)[:3] + struct.pack("<I", 15)[:3] + b"\1\0\0\0"
    head = riff_chunk(b"VP8X", b"\2\0\0\0" + place[6:12]) + riff_chunk(b"ANIM", bytes(6))
    return riff(head, *[riff_chunk(b"ANMF", place + WEBP[12:])] * count)


def webp_canvas(side: int) -> bytes:
    """A canvas that its picture doesn't fill."""
    sides = struct.pack("<I", side - 1)[:3] * 2
    return riff(riff_chunk(b"VP8X", bytes(4) + sides), WEBP[12:])


def many_scans(count: int) -> bytes:
    """A progressive JPEG of 4096 squared pixels whose scans repeat each other."""
    blocks = bytes((0, 0, 0, 1, 0, 0x3F))
    frame = segment(0xC2, struct.pack(">BHHB", 8, 4096, 4096, 1) + bytes((1, 0x11, 0)))
    tables = segment(0xDB, b"\0" + b"\1" * 64)
    codes = segment(0xC4, b"\0" + b"\1" + bytes(15) + b"\0")
    codes += segment(0xC4, b"\x10" + b"\1" + bytes(15) + b"\0")
    scan = segment(0xDA, bytes((1, 1, 0, 0, 0, 0))) + blocks[:1]
    return b"\xff\xd8" + tables + frame + codes + scan * count + b"\xff\xd9"


def jpeg_sized(width: int, height: int) -> bytes:
    """An ordinary file whose header states another size."""
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


def many_segments(count: int) -> bytes:
    return JPEG[:2] + segment(0xEC, b"") * count + JPEG[2:]


def endless_scan() -> bytes:
    """Restart markers without end behind the first scan."""
    tail = split_jpeg(JPEG)[2]
    return JPEG[: -len(tail)] + b"\xff\xd0\xff\xd7" * 100_000 + b"\xff\xd9"


def bmp(width: int, height: int, *, colours: int = 0, offset: int = 54) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 48, 0, 0, offset) + info + bytes(48)


def chunks_png(count: int) -> bytes:
    """Empty chunks of a kind that nobody knows."""
    plain = encode("PNG")
    return plain[:33] + join_png([Piece(b"abCd", b"")]) * count + plain[33:]


def animated_png(frames: int) -> bytes:
    """An animation that says it has ``frames`` frames, and has one."""
    plain = encode("PNG")
    control = Piece(b"acTL", struct.pack(">II", frames, 0))
    frame = Piece(b"fcTL", struct.pack(">IIIIIHHBB", 0, 24, 16, 0, 0, 1, 10, 0, 0))
    return plain[:33] + join_png([control, frame]) + plain[33:]


def frames_outside() -> bytes:
    """A frame of an animation that reaches beyond the picture."""
    plain = encode("PNG")
    control = Piece(b"acTL", struct.pack(">II", 2, 0))
    first = Piece(b"fcTL", struct.pack(">IIIIIHHBB", 0, 24, 16, 0, 0, 1, 10, 0, 0))
    second = Piece(b"fcTL", struct.pack(">IIIIIHHBB", 1, 1 << 30, 1 << 30, 9, 9, 1, 10, 0, 0))
    data = Piece(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes(99)))
    end = plain.index(b"IEND") - 4
    return (
        plain[:33]
        + join_png([control, first])
        + plain[33:end]
        + join_png([second, data])
        + plain[end:]
    )


def resolution_png() -> bytes:
    """Pixels per metre, as many as the field holds."""
    plain = encode("PNG")
    return (
        plain[:33]
        + join_png([Piece(b"pHYs", struct.pack(">IIB", 4_000_000_000, 4_000_000_000, 1))])
        + plain[33:]
    )


def noise_png(side: int) -> bytes:
    """Ordinary: for a picture that must go on working beside the others."""
    pixels = np.random.default_rng(side).integers(0, 256, (side, 1 + side), np.uint8)
    pixels[:, 0] = 0
    return png(side, side, pixels.tobytes())


PICTURES: tuple[HostileFile, ...] = (
    HostileFile("plain.png", "nothing is wrong", lambda: noise_png(20), TAKEN),
    *family("tall-{}.png", "planning lists its bands", tall_png, (300_000, 8_388_649)),
    *family("wide-{}.png", "planning lists its tiles", wide_png, (300_000, 9_000_000)),
    *family("truncated-{}.png", "a header without data", truncated_png, (300, 22_000), REFUSED),
    HostileFile("huge.png", "2³¹ squared pixels", lambda: png(2**31 - 1, 2**31 - 1, b""), REFUSED),
    HostileFile(
        "deep.png",
        "22,000² pixels of a bit",
        lambda: png(22_000, 22_000, bytes(2751 * 22_000), bits=1),
    ),
    *family("chunks-{}.png", "very many chunks", chunks_png, (50_000,)),
    *family("frames-{}.png", "frames that aren't there", animated_png, (2, 2**31 - 1)),
    HostileFile("outside.png", "a frame beyond the picture", frames_outside),
    HostileFile("resolution.png", "a resolution that no number type holds", resolution_png, TAKEN),
    *family("circle-{}.tif", "directories in a circle", circular_tiff, (1, 2, 3)),
    *family("pages-{}.tif", "very many pages", long_tiff, (100, 1_000)),
    *family("entries-{}.tif", "more entries than 16 bits count", big_tiff_entries, (70_000,)),
    *family(
        "strips-{}.tif", "strips that aren't there", counting_tiff, (2**20, 2**31 - 1, 2**32 - 1)
    ),
    *family("deflated-{}.tif", "a strip that inflates a thousandfold", deflated_tiff, (4_000,)),
    *family("frames-{}.gif", "frames of one pixel, each the whole screen", gif_frames, (60,)),
    *family("screen-{}.gif", "a screen of gigabytes", gif_screen, (30_000, 65_535)),
    *family("comment-{}.gif", "a comment of megabytes", gif_comment, (40_000,)),
    *family("frames-{}.webp", "very many frames", webp_frames, (1_000,)),
    *family("canvas-{}.webp", "a canvas that its picture doesn't fill", webp_canvas, (16_383,)),
    *family("scans-{}.jpg", "every scan costs all pixels", many_scans, (2_000,)),
    HostileFile("wide.jpg", "65,500 pixels across, data for 24", lambda: jpeg_sized(65_500, 16)),
    HostileFile(
        "large.jpg", "4 gigapixels, data for 384", lambda: jpeg_sized(65_500, 65_500), REFUSED
    ),
    *family("segments-{}.jpg", "very many segments", many_segments, (60_000,)),
    HostileFile("restarts.jpg", "restart markers without end", endless_scan),
    HostileFile("negative.bmp", "a height of -2³¹", lambda: bmp(4, -(2**31)), REFUSED),
    HostileFile("wide.bmp", "a width of 2³¹ - 1", lambda: bmp(2**31 - 1, 1), REFUSED),
    HostileFile("palette.bmp", "2³¹ colours", lambda: bmp(4, 4, colours=2**31)),
    HostileFile("far.bmp", "pixels beyond the end", lambda: bmp(4, 4, offset=2**31), REFUSED),
    HostileFile(
        "digits.ppm", "a width of 5,000 digits", lambda: b"P6 " + b"9" * 5000 + b" 1 255\n", REFUSED
    ),
    HostileFile(
        "comment.ppm",
        "a comment of a megabyte",
        lambda: b"P6\n#" + b"x" * 10**6 + b"\n1 1 255\nabc",
    ),
    HostileFile(
        "endless.pam", "a header without an end", lambda: b"P7\n" + b"WIDTH 1\n" * 100_000, REFUSED
    ),
    HostileFile(
        "depth.pam",
        "10⁹ channels",
        lambda: b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1000000000\nMAXVAL 255\nENDHDR\n",
        REFUSED,
    ),
    HostileFile("empty.png", "no byte", lambda: b"", REFUSED),
    HostileFile("zeros.jpg", "only zeros", lambda: bytes(100_000), REFUSED),
)
