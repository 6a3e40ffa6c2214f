"""What the fields of a picture's directory are: how its pixels are stored, or what it is.

Sources: TIFF 6.0 with its technical notes, Exif 3.0, GeoTIFF 1.1 (OGC 19-008r4), the registry of
private tags (Library of Congress), the GDAL TIFF driver's documentation.
"""

from collections.abc import Mapping

STORAGE = frozenset(
    {
        *range(254, 260), 262, *range(263, 267), 273, *range(277, 282), 284, 288, 289, 292, 293,
        317, 320, 321, *range(322, 329), 330, 332, 333, 334, 336, 338, 339, 340, 341, 346, 347,
        *range(512, 522), *range(529, 533), 559,
    }
)  # fmt: skip
"""How pixels are stored (sizes, strips, tiles, compression, palette, subsampling, inks): of no
meaning beside other pixels. SubIFDs (330) are directories and looked at by themselves."""

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
XMP, IPTC, PHOTOSHOP, PROFILE = 700, 33723, 34377, 34675
SEPARATE = frozenset({ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT})
BLOCKS = frozenset({XMP, IPTC, PHOTOSHOP, PROFILE})
"""What a picture has apart from the block of fields: see ``Metadata``."""

DESCRIPTION = 270

COLOUR = frozenset({301, 318, 319})
"""TransferFunction, WhitePoint, PrimaryChromaticities: of the colours as stored."""

PIXEL_SCALE, TIE_POINTS, TRANSFORMATION = 33550, 33922, 34264
GEO_KEYS, GEO_DOUBLES, GEO_TEXTS = 34735, 34736, 34737
GEO_PLACES = frozenset({PIXEL_SCALE, TIE_POINTS, TRANSFORMATION})
"""Where pixels lie on the ground: numbers that depend on the size of the pixels."""

GEO = GEO_PLACES | {GEO_KEYS, GEO_DOUBLES, GEO_TEXTS}

LOST: Mapping[int, tuple[str, str]] = {
    290: ("colour", "GrayResponseUnit: a response curve is not applied"),
    291: ("colour", "GrayResponseCurve: a response curve is not applied"),
    343: ("paths", "ClipPath"),
    344: ("paths", "XClipPathUnits"),
    345: ("paths", "YClipPathUnits"),
    32932: ("annotations", "Wang's Annotations, whose places are in old pixels"),
    33628: ("description", "UIC1tag, MetaMorph's, of the old size"),
    33629: ("description", "UIC2tag, MetaMorph's, of the old size"),
    33630: ("description", "UIC3tag, MetaMorph's, of the old size"),
    33631: ("description", "UIC4tag, MetaMorph's, of the old size"),
    34118: ("calibration", "CZ_SEM, Zeiss', with the size of the old pixels"),
    34361: ("description", "MM_Header, FluoView's, of the old size"),
    34362: ("description", "MM_Stamp, FluoView's, of the old size"),
    34412: ("description", "CZ_LSMINFO, Zeiss', of the old size"),
    34680: ("calibration", "FEI_SFEG, FEI's, with the size of the old pixels"),
    34682: ("calibration", "FEI_HELIOS, FEI's, with the size of the old pixels"),
    50255: ("annotations", "Annotations, whose places are in old pixels"),
    50784: ("layers", "Alias Layer Metadata, of the old size"),
    51123: ("description", "MicroManagerMetadata, of the old size"),
    33918: ("georeference", "INGRPacketDataTag"),
    33919: ("georeference", "INGRFlagRegisters"),
    33920: ("georeference", "IrasBTransformationMatrix, which holds for the old pixels"),
    37724: ("layers", "ImageSourceData: layers of the old size"),
    50838: ("description", "IJMetadataByteCounts, ImageJ's, of the old size"),
    50839: ("description", "IJMetadata, ImageJ's, of the old size"),
    50844: ("georeference", "RPCCoefficient, which holds for the old pixels"),
}
"""Fields that are understood and can't hold of other pixels: the loss's name, and what it is."""

KNOWN = frozenset(
    {
        269, 270, 271, 272, 285, 286, 287, 297, 301, 305, 306, 315, 316, 318, 319, 337, 18246,
        18249, 33432, 34665, 34853, 42112, 42113, 50341, *GEO, *range(40091, 40096),
    }
)  # fmt: skip
"""Fields that describe a picture in any size."""

NAMES: Mapping[int, str] = {
    269: "DocumentName",
    270: "ImageDescription",
    285: "PageName",
    297: "PageNumber",
    33550: "ModelPixelScale",
    33922: "ModelTiepoint",
    34264: "ModelTransformation",
}

_POINTER_KINDS = frozenset({4, 9, 13, 16, 17, 18})
"""LONG, SLONG, IFD, LONG8, SLONG8, IFD8: what an offset into a file may be."""


def travels(tag: int, kind: int) -> bool:
    """Whether a field of a picture's first directory can go into another file as it is.

    All can that describe the picture, and unknown ones whose values stand for themselves. One of
    whole 32-bit numbers may be an offset, or a size in pixels.
    """
    if tag in STORAGE or tag in SEPARATE or tag in BLOCKS or tag in LOST:
        return False
    return tag in KNOWN or kind not in _POINTER_KINDS


def explain_loss(tag: int, size: int) -> tuple[str, str]:
    """For a field that doesn't travel: a loss's name and reason."""
    if tag in LOST:
        what, why = LOST[tag]
        return what, f"{why} is left out"
    return "unknown data", f"a field {tag} of {size:,} bytes is left out"
