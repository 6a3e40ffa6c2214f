"""ICC profiles: what their header and their tags say. Source: ICC.1:2022, 7.2 and 7.3."""

import struct
from collections.abc import Iterator

_HEADER = 128
_TABLE_ENTRY = 12
_PADDED_VERSION = 4
_ONE = (1 << 16).to_bytes(4)
"""The number 1 as s15Fixed16Number."""


def fits_colours(profile: bytes, *, grey: bool) -> bool:
    """Whether a profile is whole and for grey, or else RGB, samples."""
    return is_whole(profile) and colour_space_of(profile) == (b"GRAY" if grey else b"RGB ")


def is_whole(profile: bytes) -> bool:
    """Whether it is a profile, as long as it says."""
    return profile[36:40] == b"acsp" and int.from_bytes(profile[:4]) == len(profile)


def colour_space_of(profile: bytes) -> bytes:
    """The signature of the samples' colour space, four characters: ``b"RGB "``, ``b"CMYK"``."""
    return profile[16:20]


def reject_cmyk_profile(profile: bytes | None) -> str | None:
    """Why a profile can't be that of CMYK samples, for people; None where it can."""
    if profile is None:
        return "it has none of its own"
    if not is_whole(profile):
        return "its own is damaged"
    space = colour_space_of(profile)
    if space == b"CMYK":
        return None
    return f"its own is for {space.decode('ascii', 'replace').strip()} samples"


def repair_length(profile: bytes) -> bytes:
    """The profile with a length field that is true, where all of its tags are there.

    Padding behind the length that the field states stays away; a field that is too small or too
    large is corrected; from version 4 on the length becomes a multiple of 4, as it must be. What
    is damaged, or no profile, comes back as it is.
    """
    length = _choose_length(profile)
    if length is None:
        return profile
    padding = -length % 4 if profile[8] >= _PADDED_VERSION else 0
    if length + padding == len(profile) == int.from_bytes(profile[:4]):
        return profile
    return (length + padding).to_bytes(4) + profile[4:length] + bytes(padding)


def _choose_length(profile: bytes) -> int | None:
    """How many of the bytes are the profile; None where some of it is missing."""
    field, size = int.from_bytes(profile[:4]), len(profile)
    ends = [start + length for _, start, length in _list_tags(profile)]
    if profile[36:40] != b"acsp" or max(ends, default=size + 1) > size:
        return size if is_whole(profile) else None
    return field if max(ends) <= field <= size else size


def find_tag(profile: bytes, name: bytes) -> bytes | None:
    """The data of the tag of that signature (four characters); None where there is none."""
    for tag, start, size in _list_tags(profile):
        if tag == name and start + size <= len(profile):
            return profile[start : start + size]
    return None


def is_linear(profile: bytes) -> bool:
    """Whether samples are proportional to light: the first curve is a straight line."""
    curve = find_tag(profile, b"kTRC") or find_tag(profile, b"rTRC") or b""
    if curve[:4] == b"para":
        return curve[12:16] == _ONE
    return curve[:4] == b"curv" and int.from_bytes(curve[8:12]) == 0


def _list_tags(profile: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Signature, offset and size of each tag; none where the table itself is cut off."""
    count = int.from_bytes(profile[_HEADER : _HEADER + 4])
    start = _HEADER + 4
    end = start + count * _TABLE_ENTRY
    if end <= len(profile):
        yield from struct.iter_unpack(">4sII", profile[start:end])
