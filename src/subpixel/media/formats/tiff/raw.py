"""Camera raw files, most of which are TIFF files with a small picture and a sensor's values.

Told by what they say of themselves: a first page with a preview looks like any other TIFF.
Sources: Adobe DNG 1.7.1; the file heads as dcraw's and ExifTool's documentation list them.
"""

from subpixel.media.formats.tiff.directories import TiffFile

_HEADS = {
    b"IIRO": "an Olympus raw file (ORF)",
    b"IIRS": "an Olympus raw file (ORF)",
    b"MMOR": "an Olympus raw file (ORF)",
    b"IIU\0": "a Panasonic raw file (RW2)",
    b"FUJIFILMCCD-RAW": "a Fujifilm raw file (RAF)",
    b"FOVb": "a Sigma raw file (X3F)",
    b"\0MRM": "a Minolta raw file (MRW)",
}
_CR2_AT, _CR2 = 8, b"CR\2\0"
_CR3_AT, _CR3 = 4, b"ftypcrx "
_PHOTOMETRIC, _MAKE, _DNG_VERSION = 262, 271, 50706
_MAKE_BYTES = 64
_SENSOR = (32803, 34892)
"""A colour filter array, and values of a sensor that are only interpolated."""

_MAKERS = {
    "NIKON": "a Nikon raw file (NEF)",
    "SONY": "a Sony raw file (ARW)",
    "PENTAX": "a Pentax raw file (PEF)",
    "RICOH": "a Pentax raw file (PEF)",
    "CANON": "a Canon raw file (CR2)",
    "SAMSUNG": "a Samsung raw file (SRW)",
    "HASSELBLAD": "a Hasselblad raw file (3FR)",
    "EPSON": "an Epson raw file (ERF)",
    "KODAK": "a Kodak raw file (DCR)",
    "PHASE ONE": "a Phase One raw file (IIQ)",
}


def is_raw_head(head: bytes) -> bool:
    """Whether a file begins as a raw format does that is no TIFF by its number."""
    return _name_foreign_head(head) is not None


def name_raw_head(head: bytes) -> str | None:
    """What a file is, for people, that begins as a camera raw format does; None for others."""
    if head[_CR2_AT : _CR2_AT + 4] == _CR2:
        return _MAKERS["CANON"]
    return _name_foreign_head(head)


def _name_foreign_head(head: bytes) -> str | None:
    if head[_CR3_AT : _CR3_AT + len(_CR3)] == _CR3:
        return "a Canon raw file (CR3)"
    return next((kind for start, kind in _HEADS.items() if head.startswith(start)), None)


def name_raw(tiff: TiffFile) -> str | None:
    """What a file with a sensor's values is, for people; None for other files."""
    first = next(tiff.walk(), None)
    if first is None:
        return None
    if first.value(_DNG_VERSION, 1) is not None:
        return "a camera raw file (DNG)"
    if any(directory.number(_PHOTOMETRIC, 0) in _SENSOR for directory in tiff.walk()):
        maker = (first.value(_MAKE, _MAKE_BYTES) or b"").decode("latin-1").upper()
        kinds = [kind for name, kind in _MAKERS.items() if maker.startswith(name)]
        return kinds[0] if kinds else "a camera raw file"
    return None


def explain_raw(kind: str) -> str:
    """What to do with a raw file where no package is installed that develops it."""
    return (
        f"it is {kind}: the values of a sensor, not a picture; develop it first (darktable, "
        "RawTherapee, the camera's own program), save a 16-bit TIFF, and upscale that; or let "
        "subpixel do it, with its extra 'raw': pip install 'subpixel[raw]'"
    )
