"""A JPEG's ICC profile, in segments that say of how many they are which.

libvips goes by their numbers. Those of some writers count from 0, or are all the same; then their
order in the file is right. Source: ICC.1:2022, annex B.4.
"""

from collections.abc import Iterable

from subpixel.media.libvips import VipsImage, get_blob, set_blob
from subpixel.media.metadata.icc import is_whole, repair_length
from subpixel.media.picture import Loss


def set_whole_profile(
    image: VipsImage, parts: Iterable[bytes]
) -> tuple[VipsImage, tuple[Loss, ...]]:
    """The image with the profile of ``parts``: what stands behind their label in its segments.

    A profile of which too little is there is a loss.
    """
    pieces = list(parts)
    profile = get_blob(image, "icc-profile-data")
    if not pieces or (profile is not None and is_whole(profile)):
        return image, ()
    in_order = b"".join(piece[2:] for piece in pieces)
    by_number = b"".join(piece[2:] for piece in sorted(pieces, key=lambda piece: piece[:1]))
    image = image.copy()
    for candidate in map(repair_length, (by_number, in_order)):
        if is_whole(candidate):
            set_blob(image, "icc-profile-data", candidate)
            return image, ()
    image.remove("icc-profile-data")
    return image, (Loss("icc", "the profile is damaged or a part of it is missing; left out"),)
