"""PAM: what PPM and PGM are, and alpha. Source: netpbm's manual pages."""

from dataclasses import replace

from subpixel.media.formats.format import EncodeTask, Format, FormatWriter
from subpixel.media.formats.plain.netpbm import (
    NETPBM_CAPACITY,
    NETPBM_READER,
    build_comments,
    save_netpbm,
    upright_size,
)
from subpixel.media.libvips import FileTarget, VipsImage

_TYPES = (b"GRAYSCALE", b"GRAYSCALE_ALPHA", b"RGB", b"RGB_ALPHA")


def _save_pam(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    width, height = upright_size(task)
    fields = (width, height, image.bands, 255 if image.format == "uchar" else 65535)
    head = b"P7\n" + build_comments(task.header.metadata)
    head += b"WIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\n" % fields
    head += b"TUPLTYPE %s\nENDHDR\n" % _TYPES[image.bands - 1]
    save_netpbm(image, task, target, head)


PAM = Format(
    name="PAM",
    suffixes=(".pam",),
    recognize=lambda head: head[:3] == b"P7\n",
    capacity=replace(NETPBM_CAPACITY, alpha="full"),
    reader=NETPBM_READER,
    writer=FormatWriter(save=_save_pam, options=frozenset({"lossless"})),
)
