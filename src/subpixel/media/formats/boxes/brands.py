"""What a file of boxes says that it is: its brands (ISO/IEC 14496-12, 23008-12)."""

HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
"""Pictures, and sequences of pictures, that are coded as HEVC."""


def list_brands(head: bytes) -> list[bytes]:
    """The brands in a file's first bytes, the major one first; none where it has no boxes."""
    if head[4:8] != b"ftyp":
        return []
    head = head[: int.from_bytes(head[:4])]
    places = (8, *range(16, len(head) - 3, 4))
    return [head[at : at + 4] for at in places]
