"""Samples that libvips doesn't give as grey or RGB of 8 or 16 bits: 9 to 15 bits, signed and
floating-point numbers, Lab. libvips is asked for what it can give, and computes the rest.

Sources: TIFF 6.0, sections 16 (SampleFormat) and 23 (CIE L*a*b*); Adobe Photoshop TIFF Technical
Notes (ICC L*a*b*).
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyvips

from subpixel.media.formats.tiff.directories import Directory
from subpixel.media.formats.tiff.pages import (
    BITS,
    CIE_LAB,
    COMPRESSION,
    EXTRA_SAMPLES,
    ICC_LAB,
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    PHOTOMETRIC,
    RGB,
    SAMPLE_FORMAT,
    SAMPLES,
    SEPARATED,
    WIDTH,
    YCBCR,
    PageKind,
)
from subpixel.media.libvips import VipsImage
from subpixel.media.picture import ExtraChannel, Loss

SIGNED, FLOAT = 2, 3
UNSPECIFIED, ASSOCIATED = 0, 1
_PLANAR, _PREDICTOR, _TILES = 284, 317, 324
_BYTE_CODECS = (1, 5, 8, 32946, 32773, 34925, 50000)
"""Compressions of bytes, whatever they stand for: none, LZW, Deflate, PackBits, LZMA, Zstandard."""

_PACKED_COLOURS = (MIN_IS_WHITE, MIN_IS_BLACK, RGB, SEPARATED)
_FLOAT_COLOURS = (MIN_IS_BLACK, RGB)
_LAB = (CIE_LAB, ICC_LAB)

MAX_EXTRAS = 64
"""Most channels beside the colours: each goes through the network by itself."""

MAX_WIDTH = 1 << 28
"""Most pixels in a row: more than libvips takes."""

Changes = Mapping[int, Sequence[int]]
"""Fields of whole numbers, by tag, that a directory gets in place of its own; none: it loses it."""


def _leave(image: VipsImage) -> VipsImage:
    return image


@dataclass(frozen=True)
class SampleRecipe:
    """How a page's samples are had: the fields that libvips reads instead of the page's, and what
    becomes of the image that it gives."""

    changes: Changes
    convert: Callable[[VipsImage], VipsImage]
    numbers: Callable[[VipsImage], VipsImage] = _leave
    """The image's own numbers, before they are converted."""


def plan_samples(directory: Directory, kind: PageKind) -> SampleRecipe:
    """Raises :class:`ValueError` for samples that can't be read, saying which would be."""
    _expect_known(kind)
    if _is_packed(kind):
        _expect_bytes(directory, kind)
        return SampleRecipe(_byte_changes(kind), lambda image: _unpack_bits(image, kind))
    if kind.sample_format == FLOAT and kind.bits == (64,):
        return _plan_doubles(directory, kind)
    changes: dict[int, Sequence[int]] = {}
    if len(kind.extras) > 1 and ASSOCIATED in kind.extras:  # libvips would divide by the last one
        changes[EXTRA_SAMPLES] = [UNSPECIFIED] * len(kind.extras)
    if kind.photometric in _LAB:
        changes |= {PHOTOMETRIC: [RGB], SAMPLE_FORMAT: []}
        return SampleRecipe(changes, lambda image: _convert_lab(image, kind))
    if kind.photometric == YCBCR and directory.number(COMPRESSION, 1) not in _JPEG:
        matrix = _read_luma_matrix(directory, kind)
        return SampleRecipe({PHOTOMETRIC: [RGB]}, lambda image: _convert_luma(image, matrix))
    if kind.sample_format == SIGNED:
        return SampleRecipe(changes, _shift_signed)
    if kind.sample_format == FLOAT:
        return SampleRecipe(changes, _round_floats)
    return SampleRecipe(changes, _leave)


def _plan_doubles(directory: Directory, kind: PageKind) -> SampleRecipe:
    """libvips has numbers of 64 bits, and doesn't read them."""
    _expect_bytes(directory, kind)

    def read(image: VipsImage) -> VipsImage:
        height = image.get_page_height()
        pixels = image.bandfold(factor=8 * kind.samples).copy(format="double", bands=kind.samples)
        if (directory.order == "<") != (sys.byteorder == "little"):
            pixels = pixels.byteswap()
        name = "scrgb" if kind.photometric == RGB else "b-w"
        return _restore_pages(pixels.copy(interpretation=name), height)

    return SampleRecipe(_byte_changes(kind), lambda image: _round_floats(read(image)), read)


def name_extras(kind: PageKind) -> tuple[ExtraChannel, ...]:
    """What the channels beside the colours are. Transparency is what the file calls so; several
    channels go their own ways."""
    if kind.extras in ((ASSOCIATED,), (2,)):
        return ("alpha",)
    return tuple("alpha" if extra == 2 else "data" for extra in kind.extras)


def name_sample_losses(kind: PageKind) -> Iterator[Loss]:
    """What of the samples can't be kept."""
    if kind.photometric in _LAB:
        yield Loss("colour", "Lab turned into sRGB; colours beyond it are cut off")
    if kind.sample_format == SIGNED and kind.photometric not in _LAB:
        half = 1 << (kind.bits[0] - 1)
        yield Loss("sign", f"signed samples become unsigned: {half:,} is added to each")
    if len(kind.extras) > 1 and ASSOCIATED in kind.extras:
        yield Loss("alpha", "colours that are multiplied by one of several channels stay so")


def name_float_losses(open_image: Callable[[], VipsImage], kind: PageKind) -> tuple[Loss, ...]:
    """What rounding floating-point samples loses; decodes the whole image, twice where there are
    samples outside 0 to 1.

    Raises :class:`ValueError` where over 1 % of them are no numbers of 0 to 1.
    """
    stats = open_image().stats()
    low, high = stats.getpoint(0, 0)[0], stats.getpoint(1, 0)[0]
    outside = 0.0 if 0 <= low <= high <= 1 else _share_outside(open_image())
    if outside > _MOST_OUTSIDE:
        raise ValueError(
            f"its floating-point samples go from {low:g} to {high:g}, {outside:.0%} of them "
            "outside 0 (black) to 1 (white); scale them to that, or save them with 16 bits"
        )
    why = f"{kind.bits[0]}-bit floating-point samples are rounded to 16 bits"
    if outside:
        why += f"; {outside:.2g} of them, from {low:g} to {high:g}, are cut off at 0 or 1"
    return (Loss("bit depth", why),)


_MOST_OUTSIDE = 0.01


def _share_outside(image: VipsImage) -> float:
    inside = ((image >= 0) & (image <= 1)).avg()  # false for what is no number
    return 1 - float(inside) / 255


def _expect_known(kind: PageKind) -> None:
    bits = kind.bits[0]
    if len(kind.extras) > MAX_EXTRAS:
        raise ValueError(
            f"it has {kind.samples} channels; beside the colours {MAX_EXTRAS} are read"
        )
    if kind.width > MAX_WIDTH or not bits:
        raise ValueError(f"it claims {kind.width:,} pixels of {bits} bits in a row")
    if kind.photometric == 10:
        raise ValueError("its colours are ITU Lab, a fax's; save it as RGB")
    if len(kind.bits) > 1:
        each = ", ".join(map(str, kind.bits))
        raise ValueError(f"its channels have {each} bits; save it with 8 or 16 for each")
    if kind.sample_format > FLOAT and kind.sample_format != 4:
        raise ValueError("its samples are complex numbers; save it with 8 or 16 bits per sample")
    if kind.sample_format == FLOAT and bits not in (16, 32, 64):
        raise ValueError(f"its samples are {bits}-bit floats; save it with 16 or 32 bits")
    if kind.sample_format != FLOAT and bits > 16:
        raise ValueError(
            f"its samples are {bits}-bit whole numbers (uint{bits}); no picture has so many: save "
            "it with 8 or 16 bits per sample"
        )
    if kind.photometric in _LAB and (bits not in (8, 16) or kind.samples < 3):
        raise ValueError(f"its colours are Lab of {bits} bits; save it as RGB")


def _is_packed(kind: PageKind) -> bool:
    """Whether samples are no whole bytes, nor grey or indices of such bits as libvips knows."""
    bits = kind.bits[0]
    return (
        kind.sample_format != FLOAT
        and bits not in (8, 16, 32, 64)
        and not (kind.samples == 1 and bits in (1, 2, 4))
    )


def _expect_bytes(directory: Directory, kind: PageKind) -> None:
    plain = (
        kind.sample_format in (1, FLOAT)
        and kind.photometric in (_PACKED_COLOURS if kind.sample_format == 1 else _FLOAT_COLOURS)
        and directory.number(COMPRESSION, 1) in _BYTE_CODECS
        and directory.number(_PREDICTOR, 1) == 1
        and (directory.number(_PLANAR, 1) == 1 or kind.samples == 1)
        and directory.field(_TILES) is None
    )
    if not plain:
        raise ValueError(
            f"its samples of {kind.bits[0]} bits are stored in a way that isn't read here (tiles, "
            "planes or their own compression); save it with 8 or 16 bits per sample"
        )


def _byte_changes(kind: PageKind) -> Changes:
    """The rows as bytes: grey, as wide as a row has bytes."""
    row = -(-kind.width * kind.samples * kind.bits[0] // 8)
    return {
        WIDTH: [row],
        BITS: [8],
        PHOTOMETRIC: [MIN_IS_BLACK],
        SAMPLES: [1],
        EXTRA_SAMPLES: [],
        SAMPLE_FORMAT: [],
        _PLANAR: [1],
    }


def _unpack_bits(image: VipsImage, kind: PageKind) -> VipsImage:
    """Rows of bytes as samples of 16 bits, or of 8 where there are fewer than 8."""
    bits, height = kind.bits[0], image.get_page_height()
    group = math.lcm(bits, 8)
    across = -(-image.width * 8 // group)
    padded = image.embed(0, 0, across * group // 8, image.height)
    columns = padded.bandfold(factor=group // 8).cast("uint")
    samples = [_take_bits(columns, first, bits) for first in range(0, group, bits)]
    joined = samples[0].bandjoin(samples[1:]) if samples[1:] else samples[0]
    flat = joined.bandunfold().crop(0, 0, kind.width * kind.samples, image.height)
    most, deep = (1 << bits) - 1, bits > 8
    # in double precision: a float's last bit decides between two values of 16 bits
    scaled = (
        (flat.cast("double") * ((65535 if deep else 255) / most))
        .rint()
        .cast("ushort" if deep else "uchar")
    )
    pixels = scaled.bandfold(factor=kind.samples)
    if kind.photometric == MIN_IS_WHITE:
        pixels = _invert_first(pixels)
    names = {MIN_IS_BLACK: ("b-w", "grey16"), RGB: ("srgb", "rgb16"), SEPARATED: ("cmyk", "cmyk")}
    name = names.get(kind.photometric, names[MIN_IS_BLACK])[deep]
    return _restore_pages(pixels.copy(interpretation=name), height)


def _take_bits(columns: VipsImage, first: int, bits: int) -> VipsImage:
    """The sample whose highest bit is number ``first`` of a group of bytes, the channels."""
    start, stop = first // 8, (first + bits - 1) // 8 + 1
    whole = columns[start]
    for byte in range(start + 1, stop):
        whole = (whole << 8) | columns[byte]
    return (whole >> (8 * stop - first - bits)) & ((1 << bits) - 1)


def _invert_first(image: VipsImage) -> VipsImage:
    inverted = image[0].invert()
    return inverted.bandjoin(image[1 : image.bands]) if image.bands > 1 else inverted


def _shift_signed(image: VipsImage) -> VipsImage:
    """The lowest number becomes black, the highest white."""
    deep = image.format == "short"
    moved = (image + (32768 if deep else 128)).cast("ushort" if deep else "uchar")
    return _name_colours(moved, deep=deep, grey=image.interpretation in ("b-w", "grey16"))


def _round_floats(image: VipsImage) -> VipsImage:
    """0 … 1 as 16 bits; what is no number as 0."""
    numbers = (image == image).ifthenelse(image, 0)
    grey = image.interpretation in ("b-w", "grey16")
    return _name_colours((numbers * 65535).rint().cast("ushort"), deep=True, grey=grey)


def _name_colours(image: VipsImage, *, deep: bool, grey: bool) -> VipsImage:
    return image.copy(interpretation=("b-w", "grey16")[deep] if grey else ("srgb", "rgb16")[deep])


_JPEG = (6, 7)
"""Compressions whose decoder gives RGB by itself."""

_SUBSAMPLING, _COEFFICIENTS, _REFERENCE = 530, 529, 532
_BT601 = (0.299, 0.587, 0.114)
_FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)

LumaMatrix = tuple[list[list[float]], list[float]]
"""Weights of Y, Cb and Cr for R, G and B, and what is added."""


def _read_luma_matrix(directory: Directory, kind: PageKind) -> LumaMatrix:
    """TIFF 6.0, section 21; raises :class:`ValueError` for what isn't read here."""
    if directory.numbers(_SUBSAMPLING) != (1, 1) or kind.bits != (8,) or kind.samples != 3:
        raise ValueError(
            "its colours are YCbCr with subsampling, and not compressed as JPEG; save it as RGB"
        )
    red, green, blue = directory.ratios(_COEFFICIENTS) or _BT601
    reference = directory.ratios(_REFERENCE) or _FULL_RANGE
    if len(reference) != 6 or not all(reference[i + 1] - reference[i] for i in (0, 2, 4)):
        raise ValueError("its YCbCr reference levels make no sense; save it as RGB")
    gains = [top / (reference[i + 1] - reference[i]) for i, top in ((0, 255), (2, 127), (4, 127))]
    from_blue, from_red = 2 - 2 * blue, 2 - 2 * red
    weights = [
        [1.0, 0.0, from_red],
        [1.0, -from_blue * blue / green, -from_red * red / green],
        [1.0, from_blue, 0.0],
    ]
    matrix = [[w * gain for w, gain in zip(row, gains, strict=True)] for row in weights]
    shift = [-sum(w * reference[2 * i] for i, w in enumerate(row)) for row in matrix]
    return matrix, shift


def _convert_luma(image: VipsImage, luma: LumaMatrix) -> VipsImage:
    matrix, shift = luma
    height = image.get_page_height()
    rgb = (image.recomb(pyvips.Image.new_from_array(matrix)) + shift).rint().cast("uchar")
    return _restore_pages(rgb.copy(interpretation="srgb"), height)


def _convert_lab(image: VipsImage, kind: PageKind) -> VipsImage:
    """Lab, whose white is D50, as sRGB of as many bits."""
    deep, height = kind.bits[0] == 16, image.get_page_height()
    planes = image.extract_band(0, n=3).cast("float")
    code = 256.0 if deep else 1.0
    if kind.photometric == ICC_LAB:
        lab = planes * _lab_steps(0xFF00 if deep else 255, code) - [0, 128, 128]
    else:
        signed = (planes >= 128 * code).ifthenelse(planes - 256 * code, planes)
        both = planes[0].bandjoin([signed[1], signed[2]])
        lab = both * _lab_steps(65535 if deep else 255, code)
    lab = lab.copy(interpretation="lab")
    lab.remove("icc-profile-data")
    rgb = lab.icc_export(output_profile="srgb", intent="relative", depth=16 if deep else 8)
    if image.bands > 3:
        rgb = rgb.bandjoin(image.extract_band(3, n=image.bands - 3))
    return _restore_pages(rgb, height)


def _lab_steps(white: int, code: float) -> list[float]:
    return [100 / white, 1 / code, 1 / code]


def _restore_pages(image: VipsImage, height: int) -> VipsImage:
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", height)
    return image
