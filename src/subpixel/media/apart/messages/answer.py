"""What a decoder says of a file, as a message: plain data, of which nothing is believed.

JSON that refers to blocks of bytes behind it. Each value is checked as it is read: its type, its
bounds, its length.
"""

import json
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeVar, get_args

import numpy as np

from subpixel.media.compression.read import UNKNOWN_COMPRESSION, Compression
from subpixel.media.picture import ExtraChannel, GainMap, Header, Loss, Metadata
from subpixel.strict_json import parse_json

MAX_ANSWER_TEXT = 1 << 23
"""Most bytes of an answer's JSON."""

MAX_ANSWER_BLOCKS = 1 << 27
"""Most bytes of metadata behind it."""

MAX_ANSWER_SIDE = 100_000_000
MAX_ANSWER_CHANNELS = 1 << 16
MAX_WORDS = 4096
"""Most characters of a loss or an error."""

_MOST = 1 << 63

_SAMPLE_DTYPES: dict[str, np.dtype[Any]] = {
    "uint8": np.dtype(np.uint8),
    "uint16": np.dtype(np.uint16),
}
_EXTRA_NAMES: dict[str, ExtraChannel] = {name: name for name in get_args(ExtraChannel)}

_PART_SIZES = struct.Struct("<II")
SIZES_BYTES = _PART_SIZES.size
"""What comes before an answer: the sizes of its two parts."""

AnswerValue = TypeVar("AnswerValue")


class AnswerError(ValueError):
    """An answer that no sound decoder gives."""


@dataclass(frozen=True)
class OpenAnswer:
    """A file that was opened."""

    header: Header
    memory: int
    """As of :class:`~subpixel.media.reading.PictureFile`."""
    compression: Compression


@dataclass(frozen=True)
class FailureAnswer:
    """A file that can't be read."""

    kind: str
    """The name of an exception: see :mod:`~subpixel.media.apart.messages.failures`."""
    message: str


@dataclass
class _BlockTable:
    """The blocks of an answer that is being written, equal ones once."""

    blocks: list[bytes] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)

    def put(self, block: bytes | None) -> int | None:
        if block is None:
            return None
        if block not in self.places:
            self.places[block] = len(self.blocks)
            self.blocks.append(block)
        return self.places[block]


def pack_answer(answer: OpenAnswer | FailureAnswer) -> bytes:
    """For the decoder: ``answer`` as a message. Raises :class:`ValueError` for more metadata than
    is taken."""
    table = _BlockTable()
    if isinstance(answer, FailureAnswer):
        value: dict[str, Any] = {"kind": answer.kind, "message": answer.message[:MAX_WORDS]}
    else:
        value = _answer_to_json(answer, table)
    value["blocks"] = list(map(len, table.blocks))
    text, blocks = json.dumps(value).encode(), b"".join(table.blocks)
    size = len(text) + len(blocks)
    if len(text) > MAX_ANSWER_TEXT or len(blocks) > MAX_ANSWER_BLOCKS:
        raise ValueError(f"its metadata takes {size:,} bytes, which are too many")
    return _PART_SIZES.pack(len(text), len(blocks)) + text + blocks


def _answer_to_json(answer: OpenAnswer, table: _BlockTable) -> dict[str, Any]:
    header, compression = answer.header, answer.compression
    return {
        "shape": list(header.shape),
        "dtype": header.dtype.name,
        "bit_depth": header.bit_depth,
        "extras": None if header.extras is None else list(header.extras),
        "losses": [[loss.what, loss.why[:MAX_WORDS]] for loss in header.losses],
        "metadata": _metadata_to_json(header.metadata, table),
        "memory": answer.memory,
        "jpeg_quality": compression.jpeg_quality,
        "webp_quantizer": compression.webp_quantizer,
        "av1_quantizer": compression.av1_quantizer,
    }


def _metadata_to_json(meta: Metadata, table: _BlockTable) -> dict[str, Any]:
    return {
        "icc": table.put(meta.icc),
        "exif": table.put(meta.exif),
        "xmp": table.put(meta.xmp),
        "iptc": table.put(meta.iptc),
        "orientation": meta.orientation,
        "resolution": None if meta.resolution is None else list(map(float, meta.resolution)),
        "text": [[table.put(part.encode()) for part in pair] for pair in meta.text],
        "delays_ms": [_delay_to_json(delay) for delay in meta.delays_ms],
        "loop": meta.loop,
        "gain_map": None if meta.gain_map is None else _map_to_json(meta.gain_map, table),
        "aspect": None if meta.aspect is None else list(meta.aspect),
        "pages": [_metadata_to_json(page, table) for page in meta.pages],
    }


def _delay_to_json(delay: int | Fraction) -> int | list[int]:
    return [delay.numerator, delay.denominator] if isinstance(delay, Fraction) else delay


def _map_to_json(gain_map: GainMap, table: _BlockTable) -> list[Any]:
    sides = [gain_map.width, gain_map.height]
    return [table.put(gain_map.data), *sides, list(map(float, gain_map.region))]


def unpack_sizes(start: bytes) -> tuple[int, int]:
    """The sizes of the two parts that follow; raises :class:`AnswerError` for too large ones."""
    text, blocks = _PART_SIZES.unpack(start)
    if text > MAX_ANSWER_TEXT or blocks > MAX_ANSWER_BLOCKS:
        raise AnswerError(f"it is {text + blocks:,} bytes long")
    return text, blocks


def unpack_answer(text: bytes, blocks: bytes, max_pixels: int) -> OpenAnswer | FailureAnswer:
    """The answer of those two parts, every value checked; raises :class:`AnswerError`."""
    try:
        value = _take_object(parse_json(text, max_bytes=MAX_ANSWER_TEXT))
        sizes = _take_each(value, "blocks", _whole(0, MAX_ANSWER_BLOCKS))
        if "kind" in value:
            return FailureAnswer(_words(value.get("kind")), _words(value.get("message")))
        return _from_json(value, _split_blocks(blocks, sizes), max_pixels)
    except ValueError as error:
        raise AnswerError(str(error)[:200]) from error


def _split_blocks(blocks: bytes, sizes: Sequence[int]) -> list[bytes]:
    if sum(sizes) != len(blocks):
        raise AnswerError("its blocks have other sizes than it says")
    ends = np.cumsum([0, *sizes]).tolist()
    return [blocks[start:end] for start, end in pairwise(ends)]


def _from_json(value: dict[str, Any], blocks: list[bytes], max_pixels: int) -> OpenAnswer:
    shape = _take_each(value, "shape", _whole(1, MAX_ANSWER_SIDE))
    if len(shape) != 4 or math.prod(shape[:3]) > max_pixels or shape[3] > MAX_ANSWER_CHANNELS:
        raise AnswerError(f"its shape is {shape}")
    dtype = _one_of(_SAMPLE_DTYPES)(value.get("dtype"))
    depth = _whole(8, 16)(value.get("bit_depth"))
    if (depth == 8) != (dtype == np.uint8):
        raise AnswerError(f"its {dtype} samples have {depth} bits")
    extras = None
    if value.get("extras") is not None:
        extras = tuple(_take_each(value, "extras", _one_of(_EXTRA_NAMES)))
    header = Header(
        (shape[0], shape[1], shape[2], shape[3]),
        dtype,
        _take_metadata(value.get("metadata"), blocks, pages=True),
        depth,
        tuple(_take_each(value, "losses", _read_loss)),
        extras,
    )
    return OpenAnswer(header, _whole(0, _MOST)(value.get("memory")), _take_compression(value))


def _take_compression(value: dict[str, Any]) -> Compression:
    quality = _optional(_whole(1, 100))(value.get("jpeg_quality"))
    quantizer = _optional(_real)(value.get("webp_quantizer"))
    if quantizer is not None and not 0 <= quantizer <= 127:
        raise AnswerError(f"its quantiser is {quantizer}")
    base = _optional(_whole(1, 255))(value.get("av1_quantizer"))
    read = Compression(quality, quantizer, base)
    return UNKNOWN_COMPRESSION if read == UNKNOWN_COMPRESSION else read


def _take_metadata(value: object, blocks: list[bytes], *, pages: bool) -> Metadata:
    """``pages``: whether it may have some; a page has none."""
    fields = _take_object(value)
    block = _optional(lambda number: blocks[_whole(0, len(blocks) - 1)(number)])

    def text(part: object) -> str:
        content = block(part)
        if content is None:
            raise AnswerError("a text is missing")
        return content.decode()

    def page(part: object) -> Metadata:
        return _take_metadata(part, blocks, pages=False)

    def gain_map(part: object) -> GainMap:
        return _read_map(part, block)

    own_pages = _take_each(fields, "pages", page) if pages else []
    return Metadata(
        icc=block(fields.get("icc")),
        exif=block(fields.get("exif")),
        xmp=block(fields.get("xmp")),
        iptc=block(fields.get("iptc")),
        orientation=_whole(1, 8)(fields.get("orientation")),
        resolution=_optional(_pair(_real))(fields.get("resolution")),
        text=tuple(_take_each(fields, "text", _pair(text))),
        delays_ms=tuple(_take_each(fields, "delays_ms", _read_delay)),
        loop=_whole(0, _MOST)(fields.get("loop")),
        gain_map=_optional(gain_map)(fields.get("gain_map")),
        aspect=_optional(_pair(_whole(1, _MOST)))(fields.get("aspect")),
        pages=tuple(own_pages),
    )


def _read_map(value: object, block: Callable[[object], bytes | None]) -> GainMap:
    data, width, height, region = _take_exactly(value, 4)
    content = block(data)
    if content is None:
        raise AnswerError("a gain map is missing")
    left, top, right, bottom = map(_real, _take_exactly(region, 4))
    if not (left < right and top < bottom):
        raise AnswerError(f"its gain map shows {region}")
    side = _whole(1, MAX_ANSWER_SIDE)
    return GainMap(content, side(width), side(height), (left, top, right, bottom))


def _read_delay(value: object) -> int | Fraction:
    if isinstance(value, list):
        numerator, denominator = _take_exactly(value, 2)
        return Fraction(_whole(0, _MOST)(numerator), _whole(1, _MOST)(denominator))
    return _whole(-_MOST, _MOST)(value)


def _read_loss(value: object) -> Loss:
    what, why = _take_exactly(value, 2)
    return Loss(_words(what), _words(why))


def _take_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AnswerError(f"an object is {type(value).__name__}")
    return value


def _take_exactly(value: object, length: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != length:
        raise AnswerError(f"a list of {length} is {str(value)[:40]}")
    return value


def _take_each(
    value: dict[str, Any], name: str, read: Callable[[object], AnswerValue]
) -> list[AnswerValue]:
    items = value.get(name)
    if not isinstance(items, list):
        raise AnswerError(f"its {name} are {type(items).__name__}")
    return [read(item) for item in items]


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise AnswerError(f"a number of {low} to {high} is {str(value)[:40]}")
        return value

    return read


def _real(value: object) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise AnswerError(f"a number is {str(value)[:40]}")
    return float(value)  # type: ignore[arg-type]


def _words(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_WORDS:
        raise AnswerError(f"words are {str(value)[:40]}")
    return value.encode("utf-8", "backslashreplace").decode()  # no lone surrogates


def _one_of(names: dict[str, AnswerValue]) -> Callable[[object], AnswerValue]:
    def read(value: object) -> AnswerValue:
        if not isinstance(value, str) or value not in names:
            raise AnswerError(f"one of {', '.join(names)} is {str(value)[:40]}")
        return names[value]

    return read


def _optional(read: Callable[[object], AnswerValue]) -> Callable[[object], AnswerValue | None]:
    return lambda value: None if value is None else read(value)


def _pair(
    read: Callable[[object], AnswerValue],
) -> Callable[[object], tuple[AnswerValue, AnswerValue]]:
    def both(value: object) -> tuple[AnswerValue, AnswerValue]:
        first, second = _take_exactly(value, 2)
        return read(first), read(second)

    return both
