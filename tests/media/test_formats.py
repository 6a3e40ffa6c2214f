"""Losses by format; the table in docs/formats.md is the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samples import PHOTOSHOP, SRGB, XMP, exif_block, smooth
from subpixel.errors import LossError, PictureError
from subpixel.media.formats.registry import FORMATS, format_of, sniff
from subpixel.media.losses import losses_in, refuse_losses
from subpixel.media.metadata.colour_tags import CodingPoints, describe_coding_points
from subpixel.media.picture import GainMap, Loss, Metadata, Picture

PLAIN = Picture(smooth(3))
PQ = describe_coding_points(CodingPoints(9, 16), grey=False)
TABLE = Path(__file__).parents[2] / "docs" / "formats.md"

BLOCKS = {
    "icc": SRGB,
    "exif": exif_block(),
    "xmp": XMP,
    "iptc": PHOTOSHOP,
    "text": (("Title", "a title"),),
    "resolution": (3.0, 3.0),
    "aspect": (2, 1),
}


def documented() -> dict[str, dict[str, str]]:
    """The first table of docs/formats.md: by row, then by format."""
    text = TABLE.read_text(encoding="utf-8")
    lines = text[text.index("\n|") + 1 :].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    names = rows[0][1:]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows[2:]}


def lost(picture: Picture, suffix: str) -> set[str]:
    return {loss.what for loss in losses_in(picture, suffix)}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_documented_table(form) -> None:  # noqa: ANN001
    says = {row: cells[form.name] for row, cells in documented().items()}
    suffix = form.suffixes[0]
    for what, value in BLOCKS.items():
        picture = replace(PLAIN, metadata=replace(Metadata(), **{what: value}))
        assert (what in lost(picture, suffix)) == (says[what] in ("no", "comments")), what
    bright = replace(PLAIN, metadata=Metadata(gain_map=GainMap(b"", 16, 12)))
    assert ("gain map" in lost(bright, suffix)) == (says["gain map"] == "no")
    hdr = replace(PLAIN, metadata=Metadata(icc=PQ))
    assert ("hdr" in lost(hdr, suffix)) == (says["hdr"] == "no")
    comment = replace(PLAIN, metadata=Metadata(text=(("Comment", "a comment"),)))
    assert ("text" in lost(comment, suffix)) == (says["text"] == "no")
    deep = {bits: Picture(smooth(3, np.uint16), bit_depth=bits) for bits in (10, 12, 16)} | {
        8: PLAIN
    }
    held = max(bits for bits, picture in deep.items() if "bit depth" not in lost(picture, suffix))
    assert str(held) == says["bits per sample"]
    soft, hard = smooth(4), smooth(4)
    hard[..., -1] = np.where(hard[..., -1] > 99, 255, 0)
    losing = tuple("alpha" in lost(Picture(frames), suffix) for frames in (hard, soft))
    transparency = {(True, True): "no", (False, True): "on or off", (False, False): "yes"}
    assert transparency[losing] == says["transparency"]
    timed = Picture(np.concatenate([smooth(3)] * 2), Metadata(delays_ms=(50, 50)))
    frames = lost(timed, suffix) & {"frames", "timing"}
    assert {"frames": "first", "timing": "pages"}.get("".join(frames), "timed") == says["frames"]


def test_a_bigtiff_takes_neither_exif_nor_iptc() -> None:
    frames = np.broadcast_to(np.zeros(1, np.uint8), (1, 33_000, 33_000, 3))
    huge = Picture(frames, Metadata(exif=exif_block(), iptc=PHOTOSHOP))
    assert lost(huge, ".tif") == {"exif", "iptc"}
    assert lost(huge, ".png") == {"iptc"}


def test_a_plain_picture_loses_nothing_anywhere() -> None:
    for form in FORMATS:
        for suffix in form.suffixes:
            assert losses_in(PLAIN, suffix) == losses_in(PLAIN, suffix.upper()) == ()


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.", ".png"])
def test_unknown_suffixes(name: str) -> None:
    with pytest.raises(PictureError, match="names no picture format"):
        format_of(Path(name))


def test_what_reading_lost_counts_under_strict() -> None:
    picture = replace(PLAIN, losses=(Loss("colour", "CMYK turned into sRGB"),))
    with pytest.raises(LossError, match=r"a\.png would lose colour: CMYK"):
        refuse_losses(picture, Path("a.png"))
    refuse_losses(PLAIN, Path("a.png"))


@pytest.mark.parametrize("head", [b"", b"GIF", b"RIFF\0\0\0\0WAVE", b"%PDF-1.7", b"<svg/>"])
def test_what_is_no_picture(head: bytes) -> None:
    assert sniff(head) is None
