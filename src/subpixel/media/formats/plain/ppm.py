"""PPM, with PGM (grey) and PBM (black and white). Source: netpbm's manual pages."""

from subpixel.media.formats.format import EncodeTask, Format, FormatWriter
from subpixel.media.formats.plain.netpbm import (
    NETPBM_CAPACITY,
    NETPBM_READER,
    build_comments,
    save_netpbm,
    upright_size,
)
from subpixel.media.libvips import FileTarget, VipsImage

_BEHIND_NUMBER = b" \t\n\v\f\r#"
_GREY_SUFFIXES = (".pgm", ".pbm")


def _save_ppm(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    suffix = target.file.suffix.lower()
    if suffix in _GREY_SUFFIXES and image.bands > 1:
        raise ValueError(f"a {suffix} holds grey, and the picture has colours; name it .ppm")
    if suffix == ".pbm":
        raise ValueError("a .pbm holds black and white alone; name it .pgm")
    width, height = upright_size(task)
    kind, white = b"P6" if image.bands == 3 else b"P5", 255 if image.format == "uchar" else 65535
    head = kind + b"\n" + build_comments(task.header.metadata)
    save_netpbm(image, task, target, head + b"%d %d\n%d\n" % (width, height, white))


def _recognize(head: bytes) -> bool:
    return len(head) > 2 and head[:1] == b"P" and head[1] in b"123456" and head[2] in _BEHIND_NUMBER


PPM = Format(
    name="PPM",
    suffixes=(".ppm", ".pgm", ".pbm", ".pnm"),
    recognize=_recognize,
    capacity=NETPBM_CAPACITY,
    reader=NETPBM_READER,
    writer=FormatWriter(save=_save_ppm, options=frozenset({"lossless"})),
)
