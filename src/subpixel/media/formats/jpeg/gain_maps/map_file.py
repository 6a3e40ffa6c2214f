"""A gain map's pixels, and what says how they are applied, as the JPEG that stands behind another.

Sources: ISO 21496-1, annex D; Google, Ultra HDR Image Format 1.1; the JPEGs of Apple's phones.
"""

from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from subpixel.media.formats.jpeg.gain_maps.gains import MapGains, state_in_xmp
from subpixel.media.formats.jpeg.parts import ICC_LABEL, XMP_LABEL
from subpixel.media.formats.jpeg.segments import APP1, APP2, MAX_SEGMENT, build_segment
from subpixel.media.formats.jpeg.ultra_hdr import APPLE_MAP, ISO_LABEL, insert_segments
from subpixel.media.metadata.xmp.xmp import add_description

_APPLE_PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/">'
    b"<HDRGainMap:HDRGainMapVersion>65536</HDRGainMap:HDRGainMapVersion></rdf:Description>"
    b"</rdf:RDF></x:xmpmeta>"
)
"""Of a map that comes without: the first version, whose gain the maker's note of EXIF says."""

_APPLE_TYPE = (
    b'<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about=""'
    b' xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/"><apdi:AuxiliaryImageType>'
    + APPLE_MAP
    + b"</apdi:AuxiliaryImageType></rdf:Description>"
)


def build_iso_map(samples: NDArray[Any], gains: MapGains, profile: bytes | None) -> bytes:
    """``(H, W, C)`` of uint8, one channel or three, as a JPEG with ISO 21496-1's metadata, the XMP
    that says the same, if any does, and the ``profile`` whose primaries it is applied in."""
    packet = state_in_xmp(gains)
    segments = b"" if packet is None else build_segment(APP1, XMP_LABEL + packet)
    segments += build_segment(APP2, ISO_LABEL + gains.data)
    if profile is not None:
        content = ICC_LABEL + b"\1\1" + profile
        if len(content) > MAX_SEGMENT:
            raise ValueError(f"the profile that it is applied in has {len(profile):,} bytes")
        segments += build_segment(APP2, content)
    return insert_segments(_encode_samples(samples), segments)


def build_apple_map(samples: NDArray[Any], xmp: bytes | None) -> bytes:
    """``(H, W, C)`` of uint8 as a JPEG with the map's own XMP, which says that it is one."""
    packet = _APPLE_PACKET if xmp is None else xmp
    if APPLE_MAP not in packet:
        packet = add_description(packet, _APPLE_TYPE)
    content = XMP_LABEL + packet
    if APPLE_MAP not in packet or len(content) > MAX_SEGMENT:
        raise ValueError("the XMP that describes it is damaged, or too long for a JPEG")
    return insert_segments(_encode_samples(samples), build_segment(APP1, content))


def _encode_samples(samples: NDArray[Any]) -> bytes:
    image = pyvips.Image.new_from_array(np.ascontiguousarray(samples))
    name = "b-w" if samples.shape[2] == 1 else "srgb"
    image = image.copy(interpretation=name)
    data: bytes = image.jpegsave_buffer(Q=100, keep="none", subsample_mode="off")
    return data
