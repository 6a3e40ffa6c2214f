"""An answer is checked value by value: a decoder that was taken over can't say what it likes."""

import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subpixel.errors import MemoryLimitError, PictureError
from subpixel.media.apart.messages.answer import (
    MAX_ANSWER_BLOCKS,
    MAX_ANSWER_TEXT,
    SIZES_BYTES,
    AnswerError,
    FailureAnswer,
    OpenAnswer,
    pack_answer,
    unpack_answer,
    unpack_sizes,
)
from subpixel.media.apart.messages.failures import to_exception, to_failure
from subpixel.media.compression.read import Compression
from subpixel.media.picture import GainMap, Header, Loss, Metadata

META = Metadata(
    icc=b"profile",
    exif=b"Exif",
    xmp=b"",
    iptc=b"profile",
    orientation=6,
    resolution=(11.811, 0.1),
    text=(("Comment", "grüße\n"), ("a", "")),
    delays_ms=(100, Fraction(1000, 30)),
    loop=3,
    gain_map=GainMap(b"map", 64, 48, (0.0, 0.25, 1.0, 1.0)),
    aspect=(1, 2),
)
HEADER = Header(
    (3, 40, 50, 5),
    np.dtype(np.uint16),
    replace(META, pages=(META, replace(META, icc=None, gain_map=None))),
    12,
    (Loss("icc", "why"),),
    ("data", "alpha"),
)
ANSWER = OpenAnswer(HEADER, 12345, Compression(92, 3.5, 7))
ROOM = 3 * 40 * 50


def unpack(message: bytes, max_pixels: int = ROOM) -> OpenAnswer | FailureAnswer:
    text, blocks = unpack_sizes(message[:SIZES_BYTES])
    assert len(message) == SIZES_BYTES + text + blocks
    start = SIZES_BYTES + text
    return unpack_answer(message[SIZES_BYTES:start], message[start:], max_pixels)


def parts(answer: OpenAnswer = ANSWER) -> tuple[dict[str, Any], bytes]:
    """An answer's JSON and its blocks."""
    message = pack_answer(answer)
    start = SIZES_BYTES + unpack_sizes(message[:SIZES_BYTES])[0]
    return json.loads(message[SIZES_BYTES:start]), message[start:]


def test_all_fields_come_back() -> None:
    assert unpack(pack_answer(ANSWER)) == ANSWER
    plain = OpenAnswer(Header((1, 1, 1, 1), np.dtype(np.uint8)), 0, Compression())
    assert unpack(pack_answer(plain)) == plain


def test_equal_blocks_are_sent_once() -> None:
    blocks = parts()[1]
    assert blocks.count(b"profile") == 1


CHANGES: list[tuple[tuple[str | int, ...], object]] = [
    (("shape",), [3, 40, 50]),
    (("shape", 0), 0),
    (("shape", 1), 41),
    (("shape", 1), 10**30),
    (("shape", 1), -40),
    (("shape", 1), 40.0),
    (("shape", 1), True),
    (("shape", 3), 1 << 20),
    (("shape", 3), 9),
    (("dtype",), "float32"),
    (("dtype",), "object"),
    (("dtype",), ["uint8"]),
    (("bit_depth",), 8),
    (("bit_depth",), 17),
    (("extras",), ["gamma", "data"]),
    (("extras",), "alpha"),
    (("losses",), [["icc"]]),
    (("losses",), [[1, "why"]]),
    (("losses",), [["icc", "x" * 5000]]),
    (("memory",), -1),
    (("memory",), 1e300),
    (("memory",), None),
    (("jpeg_quality",), 101),
    (("webp_quantizer",), float("nan")),
    (("webp_quantizer",), 128),
    (("av1_quantizer",), 0),
    (("av1_quantizer",), 256),
    (("av1_quantizer",), 1.5),
    (("blocks", 0), 1),
    (("blocks", 0), -1),
    (("blocks",), None),
    (("metadata",), []),
    (("metadata", "icc"), 99),
    (("metadata", "icc"), -1),
    (("metadata", "icc"), "profile"),
    (("metadata", "orientation"), 9),
    (("metadata", "resolution"), [1.0]),
    (("metadata", "resolution"), [float("inf"), 1.0]),
    (("metadata", "text"), [[0, None]]),
    (("metadata", "text"), {"a": "b"}),
    (("metadata", "delays_ms"), [[1, 0]]),
    (("metadata", "delays_ms"), ["100"]),
    (("metadata", "loop"), -1),
    (("metadata", "gain_map"), [None, 64, 48, [0, 0, 1, 1]]),
    (("metadata", "gain_map"), [0, 0, 48, [0, 0, 1, 1]]),
    (("metadata", "gain_map"), [0, 64, 48, [1, 0, 1, 1]]),
    (("metadata", "aspect"), [0, 1]),
    (("metadata", "pages"), [[]]),
]


@pytest.mark.parametrize(("place", "value"), CHANGES, ids=lambda value: str(value)[:30])
def test_what_can_not_be_is_refused(place: tuple[str | int, ...], value: object) -> None:
    answer, blocks = parts()
    inner: Any = answer
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises((AnswerError, PictureError)):
        unpack_answer(json.dumps(answer).encode(), blocks, ROOM)


@pytest.mark.parametrize(
    "name", sorted(set(parts()[0]) - {"extras", "jpeg_quality", "webp_quantizer", "av1_quantizer"})
)
def test_what_is_missing_is_refused(name: str) -> None:
    answer, blocks = parts()
    del answer[name]
    with pytest.raises(AnswerError):
        unpack_answer(json.dumps(answer).encode(), blocks, ROOM)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"[" * 100_000, b"9" * 5000, b"\xff", b'{"blocks": []}'], ids=len
)
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(AnswerError):
        unpack_answer(text, b"", ROOM)


def test_sizes_have_bounds() -> None:
    with pytest.raises(AnswerError):
        unpack_sizes(struct.pack("<II", MAX_ANSWER_TEXT + 1, 0))
    with pytest.raises(AnswerError):
        unpack_sizes(struct.pack("<II", 0, MAX_ANSWER_BLOCKS + 1))
    large = OpenAnswer(
        replace(HEADER, metadata=Metadata(icc=bytes(MAX_ANSWER_BLOCKS + 1))), 0, Compression()
    )
    with pytest.raises(ValueError, match="metadata takes"):
        pack_answer(large)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
VALUES = st.fixed_dictionaries({}, optional=dict.fromkeys(parts()[0], JSON))
META_VALUES = st.fixed_dictionaries({}, optional=dict.fromkeys(parts()[0]["metadata"], JSON))


@pytest.mark.slow
@given(
    changes=VALUES,
    meta=st.fixed_dictionaries({}, optional=dict.fromkeys(parts()[0]["metadata"], JSON)),
)
@settings(deadline=None, max_examples=60)
def test_any_json_is_a_picture_or_refused(
    changes: Mapping[str, object], meta: Mapping[str, object]
) -> None:
    answer, blocks = parts()
    answer["metadata"] |= meta
    answer |= changes
    try:
        result = unpack_answer(json.dumps(answer).encode(), blocks, ROOM)
    except (AnswerError, PictureError):
        return
    assert isinstance(result, OpenAnswer)
    count, height, width, _ = result.header.shape
    assert count is not None
    assert count * height * width <= ROOM


def test_errors_come_back_as_what_they_were() -> None:
    file = Path("a.png")
    for error in (PictureError("a.png: no"), MemoryError("decoding PNG"), KeyError("x")):
        answer = unpack(pack_answer(to_failure(error, file)))
        assert isinstance(answer, FailureAnswer)
        back = to_exception(answer, file)
        expected = MemoryLimitError if isinstance(error, MemoryError) else PictureError
        assert (type(back), "a.png" in str(back)) == (expected, True)
    strange = to_exception(FailureAnswer("SystemExit", "boo"), file)
    assert (type(strange), str(strange)) == (PictureError, "a.png: boo")
