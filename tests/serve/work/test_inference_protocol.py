"""Messages of the Open Inference Protocol, against a second writer and reader of its text."""

import contextlib
import json
import re
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from subpixel.errors import MemoryLimitError, UsageError
from subpixel.serve.work.inference_protocol import (
    DATATYPES,
    InferenceRequest,
    OutputChoice,
    ProtocolTensor,
    decode_request,
    encode_response,
    unpack_body,
)

NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
TENSORS = st.builds(
    ProtocolTensor,
    NAMES,
    st.sampled_from(list(DATATYPES.values())).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
            elements=({"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else None),
        )
    ),
)

FORMS = {
    "B": "UINT8",
    "H": "UINT16",
    "I": "UINT32",
    "Q": "UINT64",
    "b": "INT8",
    "h": "INT16",
    "i": "INT32",
    "q": "INT64",
    "e": "FP16",
    "f": "FP32",
    "d": "FP64",
    "?": "BOOL",
}
"""The datatypes by struct's letters."""


def write_request(
    tensors: list[ProtocolTensor], binary: list[bool], extra: dict[str, Any]
) -> tuple[bytes, int]:
    """A message and the length of its JSON, by struct alone."""
    letters = {name: letter for letter, name in FORMS.items()}
    inputs, raw = [], b""
    for tensor, as_bytes in zip(tensors, binary, strict=True):
        values = tensor.array.ravel().tolist()
        row = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.array.shape)}
        if as_bytes:
            packed = struct.pack(f"<{len(values)}{letters[tensor.datatype]}", *values)
            row["parameters"] = {"binary_data_size": len(packed)}
            raw += packed
        else:
            row["data"] = tensor.array.tolist() if tensor.array.ndim else values
        inputs.append(row)
    text = json.dumps({"inputs": inputs, **extra}).encode()
    return text + raw, len(text)


def read_response(body: bytes, size: int | None) -> tuple[dict[str, Any], list[list[Any]]]:
    """The JSON, and each output's values, by struct alone."""
    letters = {name: letter for letter, name in FORMS.items()}
    head = json.loads(body if size is None else body[:size])
    rest, values = b"" if size is None else body[size:], []
    for output in head["outputs"]:
        count = output.get("parameters", {}).get("binary_data_size")
        if count is None:
            values.append(output["data"])
            continue
        values.append(
            [v for (v,) in struct.iter_unpack(f"<{letters[output['datatype']]}", rest[:count])]
        )
        rest = rest[count:]
    assert rest == b""
    return head, values


@pytest.mark.slow
@given(st.lists(TENSORS, min_size=1, max_size=4), st.data())
def test_request_comes_as_it_was_written(
    tensors: list[ProtocolTensor], data: st.DataObject
) -> None:
    binary = [data.draw(st.booleans()) for _ in tensors]
    number = data.draw(st.none() | NAMES)
    extra = {} if number is None else {"id": number}
    body, size = write_request(tensors, binary, extra)
    request = decode_request(body, size if any(binary) or data.draw(st.booleans()) else None)
    assert request.id == number
    for ours, theirs in zip(request.inputs, tensors, strict=True):
        assert (ours.name, ours.datatype) == (theirs.name, theirs.datatype)
        np.testing.assert_array_equal(ours.array, theirs.array, strict=True)


@given(st.lists(TENSORS, min_size=1, max_size=3, unique_by=lambda t: t.name), st.data())
def test_response_reads_as_it_was_meant(tensors: list[ProtocolTensor], data: st.DataObject) -> None:
    choices = tuple(OutputChoice(t.name, data.draw(st.booleans())) for t in tensors)
    named = data.draw(st.booleans())
    request = InferenceRequest("7", (), choices if named else (), data.draw(st.booleans()))
    message = encode_response("m", "1", request, tensors)
    head, values = read_response(message.body, message.json_size)
    assert (head["model_name"], head["model_version"], head["id"]) == ("m", "1", "7")
    for tensor, output, got in zip(tensors, head["outputs"], values, strict=True):
        assert output["shape"] == list(tensor.array.shape)
        assert got == tensor.array.ravel().tolist()
        assert ("data" in output) != request.wants_binary(tensor.name)


@given(st.binary(max_size=300), st.none() | st.integers(-2, 400))
def test_any_bytes_are_read_or_refused(body: bytes, size: int | None) -> None:
    with contextlib.suppress(UsageError):
        decode_request(body, size)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ("name", "datatype", "shape", "data", "parameters")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON_VALUES)), st.data())
def test_any_field_is_read_or_refused(wrong: dict[str, Any], data: st.DataObject) -> None:
    right = {"name": "a", "datatype": "UINT8", "shape": [2], "data": [1, 2]}
    body = {"inputs": [{**right, **wrong}]}
    for name in ("id", "outputs", "parameters"):
        if data.draw(st.booleans()):
            body[name] = data.draw(JSON_VALUES)
    with contextlib.suppress(UsageError):
        decode_request(json.dumps(body).encode(), None)


@pytest.mark.parametrize(
    ("datatype", "shape", "values"),
    [
        ("UINT8", [2], [1, 256]),
        ("UINT8", [2], [1, -1]),
        ("UINT8", [2], [1, 1.5]),
        ("UINT8", [2], [1, True]),
        ("FP32", [2], [0.5, True]),
        ("UINT8", [2], [1, "2"]),
        ("UINT8", [2], [1, None]),
        ("UINT8", [3], [1, 2]),
        ("UINT8", [2, 2], [[1, 2], [3]]),
        ("INT64", [1], [1 << 63]),
        ("BOOL", [1], [1]),
        ("BYTES", [1], ["a"]),
        ("BF16", [1], [1]),
        ("FP32", [-1], [1]),
        ("FP32", [1] * 9, [1]),
        ("FP32", [1 << 41, 0], []),
    ],
)
def test_values_that_dont_fit_are_refused(
    datatype: str, shape: list[int], values: list[Any]
) -> None:
    row = {"name": "a", "datatype": datatype, "shape": shape, "data": values}
    with pytest.raises(UsageError):
        decode_request(json.dumps({"inputs": [row]}).encode(), None)


@pytest.mark.parametrize(
    ("shape", "nesting"),
    [([4, 5, 3], [3, 4, 5]), ([60], [4, 5, 3]), ([4, 5, 3], [4, 15]), ([4, 15], [4, 5, 3])],
)
def test_nesting_that_contradicts_the_shape_is_refused(
    shape: list[int], nesting: list[int]
) -> None:
    array = np.arange(60, dtype=np.uint8)
    row = {"name": "a", "datatype": "UINT8", "shape": shape}
    for data in (array.tolist(), array.reshape(shape).tolist()):
        body = json.dumps({"inputs": [{**row, "data": data}]}).encode()
        (tensor,) = decode_request(body, None).inputs
        np.testing.assert_array_equal(tensor.array, array.reshape(shape))
    row["data"] = array.reshape(nesting).tolist()
    with pytest.raises(UsageError, match="or send one flat list"):
        decode_request(json.dumps({"inputs": [row]}).encode(), None)


@pytest.mark.parametrize("side", [-1, 1 << 40, True, 2.0, "2", None])
def test_wrong_side_is_named(side: object) -> None:
    row = {"name": "a", "datatype": "UINT8", "shape": [1, side], "data": [1]}
    with pytest.raises(UsageError, match=rf"the shape of a has {re.escape(repr(side))};"):
        decode_request(json.dumps({"inputs": [row]}).encode(), None)


def test_datatypes_are_those_that_are_taken() -> None:
    row = {"name": "a", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    with pytest.raises(UsageError, match=r"it is one of UINT8, FP32$"):
        decode_request(json.dumps({"inputs": [row]}).encode(), None, ("UINT8", "FP32"))


@pytest.mark.parametrize("size", [3, 5, -4, 4.0, "4", True, 1 << 70])
def test_raw_sizes_must_fit(size: object) -> None:
    row = {"name": "a", "datatype": "UINT8", "shape": [4], "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [row]}).encode()
    with pytest.raises(UsageError):
        decode_request(text + b"1234", len(text))


def test_raw_bytes_must_be_there_and_no_more() -> None:
    body, size = write_request([ProtocolTensor("a", np.arange(4, dtype=np.uint8))], [True], {})
    for other in (body[:-1], body + b"1"):
        with pytest.raises(UsageError):
            decode_request(other, size)


def test_unknown_output_is_refused() -> None:
    request = InferenceRequest(None, (), (OutputChoice("x", True),), False)
    there = [ProtocolTensor("y", np.zeros(1, np.uint8))]
    with pytest.raises(UsageError, match="there is y"):
        encode_response("m", "1", request, there)
    for other, words in (("x", "no output 'x'; there is y"), ("y", "twice")):
        both = (OutputChoice("y", True), OutputChoice(other, False))
        with pytest.raises(UsageError, match=words):
            encode_response("m", "1", replace(request, outputs=both), there)


def test_what_json_lacks_is_refused() -> None:
    request = InferenceRequest(None, (), (), False)
    for array in (np.array([np.inf], np.float32), np.zeros(1_000_001, np.uint8)):
        with pytest.raises(UsageError, match="binary_data"):
            encode_response("m", "1", request, [ProtocolTensor("y", array)])


@given(st.binary(max_size=200))
def test_packed_bodies(body: bytes) -> None:
    gzip = zlib.compressobj(wbits=31)
    assert unpack_body(gzip.compress(body) + gzip.flush(), "gzip", 1000) == body
    assert unpack_body(zlib.compress(body), "deflate", 1000) == body
    assert unpack_body(zlib.compress(body), " Deflate", 1000) == body
    for none in (None, "", "Identity"):
        assert unpack_body(body, none, 1000) == body


def test_packed_bombs_and_damage_are_refused() -> None:
    bomb = zlib.compress(bytes(10_000_000))
    with pytest.raises(MemoryLimitError):
        unpack_body(bomb, "deflate", 1000)
    for body, coding in ((bomb[:-9], "deflate"), (bomb, "gzip"), (bomb, "br"), (b"", "gzip")):
        with pytest.raises(UsageError):
            unpack_body(body, coding, 20_000_000)
