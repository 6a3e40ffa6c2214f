"""XMP packets, changed by patching: what isn't understood stays as it is."""

import re

_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[1-8]")


def state_upright(xmp: bytes) -> bytes:
    """The packet of a picture whose pixels were turned upright."""
    return _ORIENTATION.sub(rb"\g<1>1", xmp)
