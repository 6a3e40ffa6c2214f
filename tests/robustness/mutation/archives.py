"""Changes to checkpoints: members of zip archives, pickles, headers of safetensors and NPY."""

import io
import zipfile
from collections.abc import Sequence

from tests.robustness.mutation.json_text import mutate_json
from tests.robustness.mutation.plain import MAX_BYTES, Dice, draw_extreme, mutate_bytes

Members = list[tuple[str, bytes]]

OPCODES = b"(.0129FNJKLMRSTUVXabcdeghjlopqrstu}\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95"
"""Of pickles: what a byte of one may become."""

CALLS = (
    b"cposix\nsystem\n",
    b"cbuiltins\neval\n",
    b"ctorch\nload\n",
    b"cos\ngetcwd\n(tR",
    b"c__main__\nx\n",
)


def mutate_archive(dice: Dice, data: bytes, other: bytes = b"") -> bytes:
    """One change to a zip's member, its name or how it is stored."""
    members = read_members(data)
    if not members or dice.random() < 0.2:
        return mutate_bytes(dice, data, other)
    at = dice.randrange(len(members))
    name, content = members[at]
    match dice.randrange(8):
        case 0:
            del members[at]
        case 1:
            members.append((name, content))
        case 2:
            members[at] = (
                dice.choice(("../" + name, "", "code/x.py", "constants.pkl", name[:-1])),
                content,
            )
        case 3:
            members[at] = (name, bytes(dice.choice((0, 1, 1 << 16))))
        case _:
            members[at] = (name, _change_member(dice, name, content))
    method = zipfile.ZIP_DEFLATED if dice.random() < 0.1 else zipfile.ZIP_STORED
    return write_members(members, method)[:MAX_BYTES]


def read_members(data: bytes) -> Members:
    """None where it is no archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    except Exception:  # the reader raises almost anything for damaged data
        return []


def write_members(members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    stream, names = io.BytesIO(), set[str]()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            if name not in names or name.endswith("pkl"):
                entry = zipfile.ZipInfo(name)
                entry.compress_type = method
                _write_quietly(archive, entry, content)
            names.add(name)
    return stream.getvalue()


def _write_quietly(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, content: bytes) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there twice is meant
        archive.writestr(entry, content)


def _change_member(dice: Dice, name: str, content: bytes) -> bytes:
    if name.endswith(".pkl"):
        return mutate_pickle(dice, content)
    if name.endswith(".npy"):
        return mutate_npy(dice, content)
    return mutate_bytes(dice, content)


def mutate_pickle(dice: Dice, data: bytes, _other: bytes = b"") -> bytes:
    """Another opcode, another number, a call put in, or bytes changed."""
    if not data:
        return mutate_bytes(dice, data)
    at = dice.randrange(len(data))
    match dice.randrange(6):
        case 0:
            return data[:at] + bytes((dice.choice(OPCODES),)) + data[at + 1 :]
        case 1:
            return data[:2] + dice.choice(CALLS) + data[2:]
        case 2:
            number = b"J" + draw_extreme(dice, 4).to_bytes(4, "little")
            return data[:at] + number + data[at + 5 :]
        case 3:
            return (
                data[:at] + bytes((dice.choice(OPCODES),)) * dice.choice((1, 9, 3000)) + data[at:]
            )
        case _:
            return mutate_bytes(dice, data)


def mutate_npy(dice: Dice, data: bytes) -> bytes:
    """Another shape or dtype in the header, or bytes changed."""
    shapes = (b"(1000000000,)", b"(-1, 3)", b"()", b"(0,)", b"(3, 3, 3, 99999)")
    kinds = (b"'|O'", b"'<f8'", b"'>f4'", b"'<U900'", b"'|V9'", b"[('a', '<f4')]")
    start, end = data.find(b"("), data.find(b")") + 1
    if dice.random() < 0.4 and 0 < start < end:
        return data[:start] + dice.choice(shapes) + data[end:]
    return (
        data.replace(b"'<f4'", dice.choice(kinds))
        if dice.random() < 0.4
        else mutate_bytes(dice, data)
    )


def mutate_safetensors(dice: Dice, data: bytes, other: bytes = b"") -> bytes:
    """One change to the JSON header, whose length is then right, or to the bytes."""
    length = int.from_bytes(data[:8], "little")
    if dice.random() < 0.3 or not 0 < length < len(data):
        return mutate_bytes(dice, data, other)
    header = mutate_json(dice, data[8 : 8 + length])
    size = draw_extreme(dice, 8) if dice.random() < 0.1 else len(header)
    return (size.to_bytes(8, "little") + header + data[8 + length :])[:MAX_BYTES]
