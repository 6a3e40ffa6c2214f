"""PAM: what PPM and PGM are, and alpha. Source: netpbm's manual pages."""

from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.formats.plain.netpbm import (
    build_comments,
    decode_netpbm,
    describe_netpbm,
    list_netpbm_parts,
    load_netpbm,
    save_netpbm,
    upright_size,
)
from subpixel.media.libvips import FileTarget, VipsImage, get_number

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
    capacity=Capacity(
        depth=16,
        alpha="full",
        grey=True,
        animation="none",
        icc=False,
        exif=False,
        xmp=False,
        text="comments",
        resolution=False,
    ),
    reader=FormatReader(
        load=load_netpbm,
        describe=describe_netpbm,
        decode=decode_netpbm,
        parts=list_netpbm_parts,
        bit_depth=lambda image: get_number(image, "bits-per-sample", 16),
    ),
    writer=FormatWriter(save=_save_pam, options=frozenset({"lossless"})),
)
