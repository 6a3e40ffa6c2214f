"""How a gain map is applied: ISO 21496-1's metadata, and the same in XMP.

Sources: ISO 21496-1, annex C (the bytes); Adobe, Gain Map 1.0 (XMP's namespace ``hdrgm``).
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

_VERSIONS = struct.Struct(">HHB")
_HEADROOMS = struct.Struct(">4I")
_CHANNEL = struct.Struct(">iIiIIIiIiI")
_MULTICHANNEL, _BASE_COLOURS = 0x80, 0x40


@dataclass(frozen=True)
class ChannelGain:
    """Of one channel of a map, or of all three."""

    min: Fraction
    """The binary logarithm of the gain where the map is black."""
    max: Fraction
    """The same where it is white."""
    gamma: Fraction
    base_offset: Fraction
    """What is added to a linear sample of the picture before it is multiplied."""
    alternate_offset: Fraction
    """What is subtracted after it."""


@dataclass(frozen=True)
class MapGains:
    """ISO 21496-1's metadata, understood as far as reading them needs."""

    data: bytes
    """As they stand in a file."""
    uses_base_colours: bool
    """Whether the map is applied in the primaries of the picture, or else of the brighter one."""
    base_headroom: Fraction
    """The binary logarithm of the brightest that the picture shows, by white."""
    alternate_headroom: Fraction
    channels: tuple[ChannelGain, ...]
    """One or three."""

    @property
    def is_multichannel(self) -> bool:
        return len(self.channels) > 1


def parse_gains(data: bytes) -> MapGains:
    """What ``data`` says; raises :class:`ValueError` for another version, what is cut off, and
    numbers that mean nothing."""
    try:
        least, _, flags = _VERSIONS.unpack_from(data)
        if least or flags & ~(_MULTICHANNEL | _BASE_COLOURS):
            raise ValueError("how it is applied is said in a newer version of ISO 21496-1")
        count = 3 if flags & _MULTICHANNEL else 1
        base, base_by, alternate, alternate_by = _HEADROOMS.unpack_from(data, _VERSIONS.size)
        at = _VERSIONS.size + _HEADROOMS.size
        channels = [_CHANNEL.unpack_from(data, at + i * _CHANNEL.size) for i in range(count)]
        return MapGains(
            data[: at + count * _CHANNEL.size],
            bool(flags & _BASE_COLOURS),
            Fraction(base, base_by),
            Fraction(alternate, alternate_by),
            tuple(map(_build_channel, channels)),
        )
    except struct.error as error:
        raise ValueError("what says how it is applied is cut off") from error
    except ZeroDivisionError as error:
        raise ValueError("what says how it is applied divides by 0") from error


def _build_channel(numbers: Sequence[int]) -> ChannelGain:
    low, high, gamma, base, alternate = (
        Fraction(number, by) for number, by in zip(numbers[::2], numbers[1::2], strict=True)
    )
    if low > high or gamma <= 0:
        raise ValueError("what says how it is applied has numbers that mean nothing")
    return ChannelGain(low, high, gamma, base, alternate)


def state_in_xmp(gains: MapGains) -> bytes | None:
    """The XMP of a map of these gains; None where XMP can't say them: it knows the primaries of the
    picture alone, and here only pictures that the map makes brighter."""
    if not gains.uses_base_colours or gains.base_headroom >= gains.alternate_headroom:
        return None
    texts = {
        name: [_format_number(getter(channel)) for channel in gains.channels]
        for name, getter in _XMP_NAMES.items()
    }
    plain = "".join(f' hdrgm:{n}="{values[0]}"' for n, values in texts.items() if len(values) == 1)
    lists = "".join(_build_list(n, values) for n, values in texts.items() if len(values) > 1)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
        ' hdrgm:Version="1.0" hdrgm:BaseRenditionIsHDR="False"'
        f' hdrgm:HDRCapacityMin="{_format_number(gains.base_headroom)}"'
        f' hdrgm:HDRCapacityMax="{_format_number(gains.alternate_headroom)}"{plain}>{lists}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def _build_list(name: str, values: Sequence[str]) -> str:
    entries = "".join(f"<rdf:li>{value}</rdf:li>" for value in values)
    return f"<hdrgm:{name}><rdf:Seq>{entries}</rdf:Seq></hdrgm:{name}>"


_XMP_NAMES: Mapping[str, Callable[[ChannelGain], Fraction]] = {
    "GainMapMin": lambda channel: channel.min,
    "GainMapMax": lambda channel: channel.max,
    "Gamma": lambda channel: channel.gamma,
    "OffsetSDR": lambda channel: channel.base_offset,
    "OffsetHDR": lambda channel: channel.alternate_offset,
}
"""XMP's names; one value is an attribute, as not every reader knows elements, three are a list."""


def _format_number(value: Fraction) -> str:
    return f"{float(value):.9g}"
