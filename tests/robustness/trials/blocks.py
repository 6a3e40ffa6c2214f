"""Metadata goes through each parser of it, and through what rewrites it for a larger picture."""

from pathlib import Path

from tests.robustness.case import Verdict
from tests.robustness.kinds import Budget, Trial
from tests.robustness.mutation.plain import Dice

from subpixel.errors import SubpixelError
from subpixel.media.metadata import colour_tags, exif, icc, iptc
from subpixel.media.metadata.xmp import xmp, xmp_extension

MAX_SEGMENT = 65500


def open_exif_trial() -> Trial:
    return _try_exif


def _try_exif(dice: Dice, file: Path, _budget: Budget) -> Verdict:
    try:
        parse_exif(file.read_bytes(), dice.randrange(1, 9))
    except (ValueError, SubpixelError) as error:
        return Verdict("refused", str(error))
    return Verdict("ok")


def parse_exif(block: bytes, orientation: int = 1) -> None:
    """Everything that is done with a block that lies in a picture."""
    fields = exif.fields_of(block)
    exif.orientation_in(block)
    exif.resolution_in(block)
    exif.has_maker_note(block)
    exif.fields_left_out(block)
    exif.count_further_directories(block)
    larger = exif.adjust_block(
        block, width=480, height=360, orientation=orientation, resolution=(11.8, 11.8)
    )
    exif.fields_of(larger or b"")
    for order in ("<", ">"):
        rest = exif.descriptive_fields(block, order)  # type: ignore[arg-type]
        exif.build_block(rest, order)  # type: ignore[arg-type]
    exif.is_geo_lost(block, 480, 360)
    for field in fields:
        exif.first_number(field, "<")


def open_block_trial() -> Trial:
    return _try_block


def _try_block(_dice: Dice, file: Path, _budget: Budget) -> Verdict:
    try:
        BLOCK_PARSERS[file.suffix](file.read_bytes())
    except (ValueError, SubpixelError) as error:
        return Verdict("refused", str(error))
    return Verdict("ok")


def parse_profile(profile: bytes) -> None:
    """What is done with an ICC profile."""
    icc.fits_colours(profile, grey=True)
    icc.reject_cmyk_profile(profile)
    icc.repair_length(profile)
    icc.find_tag(profile, b"cicp")
    colour_tags.coding_points_in(profile)
    colour_tags.hdr_in(profile)


def parse_xmp(packet: bytes) -> None:
    """What is done with an XMP packet."""
    xmp.parse_packet(packet)
    xmp.state_upright(packet)
    xmp_extension.read_pointer(packet)
    xmp_extension.drop_pointer(packet)
    if xmp_extension.can_split(packet, MAX_SEGMENT):
        xmp_extension.split_extension(packet, MAX_SEGMENT)


def parse_resources(block: bytes) -> None:
    """What is done with Photoshop's resources."""
    iptc.split_resources(block)
    iptc.join_segments([block, block])
    iptc.split_segments(block, MAX_SEGMENT)
    iptc.join_resources(block, block)


def parse_records(records: bytes) -> None:
    """What is done with IPTC records."""
    iptc.join_resources(None, records)


BLOCK_PARSERS = {
    ".icc": parse_profile,
    ".xmp": parse_xmp,
    ".irb": parse_resources,
    ".iptc": parse_records,
}
