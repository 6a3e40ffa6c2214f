"""Messages of the Open Inference Protocol, version 2: bytes to tensors and back.

A message is JSON; with the binary extension the tensors' data follow it as raw bytes, little-endian
and row-major, in the tensors' order, and ``Inference-Header-Content-Length`` says how long the JSON
is. https://github.com/kserve/open-inference-protocol
"""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import MemoryLimitError, UsageError
from subpixel.strict_json import JsonError, parse_json, show_value

DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
"""The protocol's names of what numpy has; BYTES and BF16 are missing."""

MAX_JSON = 4 << 20
"""Bytes of JSON that are read: numbers in it take many times the memory of raw bytes."""

MAX_JSON_VALUES = 1_000_000
"""Values that are written as JSON."""

MAX_DIMENSIONS, MAX_TENSORS = 8, 16

MAX_TENSOR_SIDE = (1 << 40) - 1
"""Of a tensor's shape, so that products stay small."""

MAX_TENSOR_NAME = 200

NO_CODING = "identity"
"""HTTP's name of a body as it is."""


@dataclass(frozen=True, eq=False)
class ProtocolTensor:
    """A named array."""

    name: str
    array: NDArray[Any]
    """Of a dtype in :data:`DATATYPES`; maybe not writable."""

    @property
    def datatype(self) -> str:
        """As the protocol calls it."""
        dtype = self.array.dtype.newbyteorder("<")
        return next(name for name, known in DATATYPES.items() if known == dtype)


@dataclass(frozen=True)
class OutputChoice:
    """A tensor that the answer is to have."""

    name: str
    binary: bool
    """Whether its data are raw bytes."""


@dataclass(frozen=True, eq=False)
class InferenceRequest:
    """What a client asks."""

    id: str | None
    inputs: tuple[ProtocolTensor, ...]
    outputs: tuple[OutputChoice, ...]
    """Empty: all that there are."""
    binary: bool
    """Whether outputs that ``outputs`` doesn't name are raw bytes."""

    def expect_outputs(self, there: Sequence[str]) -> None:
        """Raises :class:`UsageError` where another output is asked for than are ``there``, or one
        twice."""
        names = [choice.name for choice in self.outputs]
        for name in names:
            if name not in there:
                raise UsageError(
                    f"there is no output {show_value(name)}; there is {', '.join(there)}"
                )
        if len(set(names)) != len(names):
            raise UsageError("an output is asked for twice; name each once")

    def wants_binary(self, output: str) -> bool:
        """Whether the data of one of the outputs are to be raw bytes."""
        chosen = (choice.binary for choice in self.outputs if choice.name == output)
        return next(chosen, self.binary)


@dataclass(frozen=True)
class InferenceMessage:
    """A message's bytes."""

    body: bytes
    json_size: int | None
    """For ``Inference-Header-Content-Length``; None where all of it is JSON."""


def decode_request(
    body: bytes, json_size: int | None, datatypes: Sequence[str] = tuple(DATATYPES)
) -> InferenceRequest:
    """The request of these bytes, of which ``json_size`` (None: all) are JSON, with inputs of
    ``datatypes``.

    The tensors' arrays share the memory of ``body``. Raises :class:`UsageError` for anything but a
    request of the protocol.
    """
    size = len(body) if json_size is None else json_size
    if not 0 <= size <= len(body):
        raise UsageError(f"the header has {size} bytes, and the body {len(body)}")
    try:
        fields = _expect_fields(parse_json(body[:size], max_bytes=MAX_JSON), "the request")
    except JsonError as error:
        raise UsageError(f"the request can't be read: {error}") from error
    raw = _RawData(memoryview(body)[size:])
    inputs = tuple(_read_input(each, raw, datatypes) for each in _take_tensors(fields, "inputs"))
    if len(raw.rest):
        raise UsageError(f"{len(raw.rest)} bytes follow the last tensor")
    if not inputs:
        raise UsageError("the request has no inputs")
    outputs = tuple(map(_read_output, _take_tensors(fields, "outputs")))
    binary = _take_flag(_read_parameters(fields), "binary_data_output")
    name = fields.get("id")
    return InferenceRequest(
        None if name is None else _read_text(name, "id"), inputs, outputs, binary
    )


@dataclass
class _RawData:
    """The bytes behind the JSON that no tensor has taken yet."""

    rest: memoryview

    def take(self, size: int) -> memoryview:
        if size > len(self.rest):
            raise UsageError(
                f"a tensor has {size} bytes, and {len(self.rest)} are left of the body"
            )
        part, self.rest = self.rest[:size], self.rest[size:]
        return part


def _read_input(value: object, raw: _RawData, datatypes: Sequence[str]) -> ProtocolTensor:
    fields = _expect_fields(value, "an input")
    name = _read_text(fields.get("name"), "an input's name")
    datatype, shape = fields.get("datatype"), _read_lengths(fields.get("shape"), name)
    if not isinstance(datatype, str) or datatype not in datatypes:
        raise UsageError(
            f"the datatype of {name} is {show_value(datatype)}; it is one of {', '.join(datatypes)}"
        )
    dtype, size = DATATYPES[datatype], _read_parameters(fields).get("binary_data_size")
    if size is None:
        return ProtocolTensor(name, _read_values(fields.get("data"), dtype, shape, name))
    needed = math.prod(shape) * dtype.itemsize
    if type(size) is not int or size != needed:
        raise UsageError(f"{name} has {show_value(size)} bytes; its shape takes {needed}")
    array = np.frombuffer(raw.take(size), np.uint8 if datatype == "BOOL" else dtype)
    if datatype == "BOOL":
        array = array.astype(np.bool_)
    return ProtocolTensor(name, array.reshape(shape))


def _read_lengths(value: object, name: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        raise UsageError(
            f"the shape of {name} is {show_value(value)}; it is a list of up to {MAX_DIMENSIONS} "
            "whole numbers"
        )
    for side in value:
        if type(side) is not int or not 0 <= side <= MAX_TENSOR_SIDE:
            raise UsageError(
                f"the shape of {name} has {show_value(side)}; its sides are whole numbers from 0 "
                f"to {MAX_TENSOR_SIDE:,}: those of the data, as they are"
            )
    return tuple(value)


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "b": (bool,),
    "f": (int, float),
    **dict.fromkeys("iu", (int,)),
}
"""What JSON's values may be, by numpy's kind."""


def _read_values(
    value: object, dtype: np.dtype[Any], shape: tuple[int, ...], name: str
) -> NDArray[Any]:
    """Values in JSON, nested as the shape says or in one list."""
    fault = UsageError(f"the data of {name} are no list of values of its shape and datatype")
    if not isinstance(value, list):
        raise fault
    try:
        nested = np.array(value, object)
    except ValueError as error:
        raise fault from error
    _expect_nesting(nested.shape, shape, name)
    if not all(type(each) in _JSON_TYPES[dtype.kind] for each in nested.flat):
        raise fault
    try:
        return np.array(nested.ravel().tolist(), dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise fault from error


def _expect_nesting(nesting: tuple[int, ...], shape: tuple[int, ...], name: str) -> None:
    """Lists are flat, or nested as ``shape`` says: else their values would be at other places."""
    known = shape[: len(nesting)] if 0 in nesting else shape  # an empty list holds no other
    if len(nesting) > 1 and nesting != known:
        raise UsageError(
            f"the data of {name} are nested as {list(nesting)}, and its shape is {list(shape)}; "
            "nest them so, or send one flat list"
        )


def _read_output(value: object) -> OutputChoice:
    fields = _expect_fields(value, "an output")
    name = _read_text(fields.get("name"), "an output's name")
    return OutputChoice(name, _take_flag(_read_parameters(fields), "binary_data"))


def unpack_body(body: bytes, coding: str | None, max_bytes: int) -> bytes:
    """A body without its ``Content-Encoding``: gzip, deflate or none, in any case. Raises
    :class:`UsageError` for another and for damage, :class:`MemoryLimitError` for more than
    ``max_bytes``."""
    coding = (coding or NO_CODING).strip().lower()
    if coding == NO_CODING:
        return body
    if coding not in ("gzip", "deflate"):
        raise UsageError(f"Content-Encoding is {show_value(coding)}; it is gzip, deflate or none")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | (16 if coding == "gzip" else 0))
    try:
        plain = unpacker.decompress(body, max_bytes)
    except zlib.error as error:
        raise UsageError(f"the body is no {coding}") from error
    if not unpacker.eof:
        if len(plain) == max_bytes:
            raise MemoryLimitError(f"the body unpacks to more than {max_bytes:,} bytes")
        raise UsageError(f"the {coding} of the body ends early")
    return plain


def encode_response(
    model: str, version: str, request: InferenceRequest, outputs: Sequence[ProtocolTensor]
) -> InferenceMessage:
    """The answer to ``request``, with the ``outputs`` that it asks for. Raises :class:`UsageError`
    for one that isn't there, and for one that is too large for JSON."""
    request.expect_outputs([tensor.name for tensor in outputs])
    head: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": []}
    if request.id is not None:
        head["id"] = request.id
    raw: list[bytes] = []
    for tensor in outputs:
        fields: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.array.shape),
        }
        if request.wants_binary(tensor.name):
            raw.append(tensor.array.astype(DATATYPES[tensor.datatype], copy=False).tobytes())
            fields["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            fields["data"] = _list_numbers(tensor)
        head["outputs"].append(fields)
    text = json.dumps(head, allow_nan=False).encode()
    return InferenceMessage(text + b"".join(raw), len(text) if raw else None)


def _list_numbers(tensor: ProtocolTensor) -> list[Any]:
    array = tensor.array
    if array.size > MAX_JSON_VALUES:
        raise UsageError(
            f"{tensor.name} has {array.size:,} values, and JSON takes {MAX_JSON_VALUES:,}: ask for "
            "raw bytes (binary_data)"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UsageError(
            f"{tensor.name} has values that JSON lacks: ask for raw bytes (binary_data)"
        )
    values: list[Any] = array.ravel().tolist()
    return values


def _expect_fields(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{name} is {show_value(value)}; it is an object")
    return value


def _take_tensors(fields: Mapping[str, Any], name: str) -> list[Any]:
    items = fields.get(name, [])
    if not isinstance(items, list) or len(items) > MAX_TENSORS:
        raise UsageError(f"{name} are {show_value(items)}; they are a list of up to {MAX_TENSORS}")
    return items


def _read_parameters(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return _expect_fields(fields.get("parameters", {}), "parameters")


def _take_flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"{name} is {show_value(value)}; it is true or false")
    return value


def _read_text(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TENSOR_NAME:
        raise UsageError(
            f"{name} is {show_value(value)}; it is a text of up to {MAX_TENSOR_NAME} characters"
        )
    return value
