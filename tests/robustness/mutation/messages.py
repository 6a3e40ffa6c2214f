"""Changes to protobuf messages, field by field, lengths right throughout: ONNX networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.robustness.mutation.plain import MAX_BYTES, Dice, draw_extreme, mutate_bytes

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MAX_DEPTH = 8
TEXTS = (
    b"",
    b"Loop",
    b"If",
    b"Scan",
    b"Resize",
    b"Conv",
    b"Cast",
    b"ConstantOfShape",
    b"Expand",
    b"Tile",
)
TEXTS += (
    b"input",
    b"output",
    b"ai.onnx.ml",
    b"\x1b[2J\x1b]0;x\x07",
    b"\xff\xfe",
    b"../../etc/passwd",
)
TEXTS += (
    b"subpixel.scale",
    b"subpixel.fixed_size",
    b"1000000000",
    b"[[[[1]]]]",
    b"9" * 5000,
    b"NaN",
    b"null",
)


@dataclass(frozen=True)
class MessageField:
    """A field as the wire has it: a number, or bytes which may be a message themselves."""

    number: int
    kind: int
    value: int | bytes
    children: tuple["MessageField", ...] = ()


Fields = tuple[MessageField, ...]


def mutate_message(dice: Dice, data: bytes, other: bytes = b"") -> bytes:
    """One change to a field at any depth; what is no message is changed as bytes."""
    fields = parse_message(data)
    if not fields:
        return mutate_bytes(dice, data, other)
    return join_message(_change_fields(dice, fields))[:MAX_BYTES]


def parse_message(data: bytes, depth: int = MAX_DEPTH) -> Fields | None:
    """None where the bytes are no message."""
    fields, at = [], 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 12 or at > len(data):
            return None
        if kind == VARINT:
            value, at = _read_varint(data, at)
            fields.append(MessageField(number, kind, value))
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
            fields.append(MessageField(number, kind, data[at : at + size]))
            at += size
        elif kind == LENGTH:
            length, at = _read_varint(data, at)
            content = data[at : at + length]
            inner = parse_message(content, depth - 1) if depth and 1 < length < 1 << 16 else None
            fields.append(MessageField(number, kind, content, inner or ()))
            at += length
        else:
            return None
        if at > len(data):
            return None
    return tuple(fields)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Past the end where it is cut off."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            return 0, len(data) + 1
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            break
    return value, at


def join_message(fields: Sequence[MessageField]) -> bytes:
    return b"".join(map(_join_field, fields))


def _join_field(field: MessageField) -> bytes:
    key = write_varint(field.number << 3 | field.kind)
    if isinstance(field.value, int):
        return key + write_varint(field.value)
    content = join_message(field.children) if field.children else field.value
    return key + (write_varint(len(content)) if field.kind == LENGTH else b"") + content


def write_varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*parts, value))


def _change_fields(dice: Dice, fields: Fields) -> Fields:
    at = _draw_place(dice, fields)
    field, before, behind = fields[at], fields[:at], fields[at + 1 :]
    if field.children and dice.random() < 0.85:
        inner = _change_fields(dice, field.children)
        return (*before, replace(field, children=inner), *behind)
    match dice.randrange(8):
        case 0:
            return before + behind
        case 1:
            return before + (field,) * dice.choice((2, 3, 50)) + behind
        case 2:
            return (*before, replace(field, number=dice.randrange(1, 32)), *behind)
        case 3:
            return (*before, dice.choice(fields), *behind)
        case _:
            return (*before, _change_value(dice, field), *behind)


def _draw_place(dice: Dice, fields: Fields) -> int:
    """Weights fill a file, and are the least telling part of it."""
    sizes = [
        0.2 if isinstance(f.value, bytes) and len(f.value) > 1000 and not f.children else 1
        for f in fields
    ]
    return dice.choices(range(len(fields)), sizes)[0]


def _change_value(dice: Dice, field: MessageField) -> MessageField:
    if isinstance(field.value, int):
        near = field.value + dice.choice((-1, 1, 2, 16))
        return replace(field, value=dice.choice((draw_extreme(dice, 8), near, near)))
    if field.kind != LENGTH:
        return replace(field, value=dice.randbytes(len(field.value)))
    text = dice.choice(TEXTS) if dice.random() < 0.5 else mutate_bytes(dice, field.value)
    return replace(field, value=text, children=())
