"""Mutators: a case is a function of its seed and number, and structures stay right but for it."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable

import onnx
import pytest
from PIL import Image
from tests.robustness.kinds import Case, find_kind
from tests.robustness.mutation.archives import mutate_archive, read_members
from tests.robustness.mutation.json_text import mutate_json
from tests.robustness.mutation.messages import join_message, mutate_message, parse_message
from tests.robustness.mutation.pieces import BOXES, GIF, JPEG, PNG, RIFF, Grammar, mutate_pieces
from tests.robustness.mutation.plain import MAX_BYTES, PLAIN, mutate_bytes
from tests.robustness.mutation.tiff import Layout, find_tiff, mutate_tiff, walk_directories
from tests.robustness.seeds.blocks import exif_seeds
from tests.robustness.seeds.networks import loop_file, network_seeds
from tests.robustness.seeds.pictures import insertion_seeds, picture_seeds
from tests.robustness.seeds.seed import Seed

GRAMMARS = {
    ".png": PNG,
    ".jpg": JPEG,
    ".webp": RIFF,
    ".avif": BOXES,
    ".heic": BOXES,
    ".gif": GIF,
}
PICTURES = picture_seeds()
STRUCTURED = [seed for seed in PICTURES if seed.suffix in GRAMMARS]


@pytest.mark.parametrize("name", ["pictures", "insertions", "networks", "exif", "metadata"])
def test_a_case_is_a_function_of_seed_and_number(name: str) -> None:
    kind = find_kind(name)
    cases = [Case(kind, 5, number).draw().data for number in range(20)]
    assert cases == [Case(kind, 5, number).draw().data for number in range(20)]
    assert cases != [Case(kind, 6, number).draw().data for number in range(20)]
    assert len(set(cases)) > 15


@pytest.mark.parametrize("seed", STRUCTURED, ids=lambda seed: seed.name)
def test_pieces_together_are_the_file(seed: Seed) -> None:
    grammar = GRAMMARS[seed.suffix]
    head, pieces, tail = grammar.split(seed.data)
    assert pieces
    assert grammar.rebuild(head, grammar.join(pieces) + tail) == seed.data


@pytest.mark.parametrize("seed", PICTURES, ids=lambda seed: seed.name)
def test_seeds_are_right(seed: Seed) -> None:
    if seed.suffix in (".jxl", ".heic", ".pam") or seed.name in ("float.tif", "big.tif"):
        return  # Pillow doesn't read them, or not by itself
    with Image.open(io.BytesIO(seed.data)) as image:
        image.load()


def test_a_mutated_png_has_right_lengths_and_checksums() -> None:
    data = next(seed.data for seed in PICTURES if seed.name == "full.png")
    changed = [mutate_pieces(random.Random(n), data, data, PNG) for n in range(200)]
    assert sum(file != data for file in changed) > 150
    for file in changed:
        _expect_right_chunks(file)


def _expect_right_chunks(file: bytes) -> None:
    at = 8
    while at < len(file):
        length, name = struct.unpack_from(">I4s", file, at)
        body = file[at + 4 : at + 8 + length]
        if at + 12 + length > len(file) and len(file) == MAX_BYTES:
            return
        assert struct.unpack_from(">I", file, at + 8 + length) == (zlib.crc32(body),), name
        at += 12 + length


def test_a_mutated_archive_is_one() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}q\0.")
        archive.writestr("a/data/0", bytes(64))
    data = stream.getvalue()
    changed = [mutate_archive(random.Random(n), data) for n in range(100)]
    assert sum(bool(read_members(file)) for file in changed) > 70
    assert len(set(changed)) > 60


@pytest.mark.parametrize("seed", network_seeds(), ids=lambda seed: seed.name)
def test_fields_together_are_the_message(seed: Seed) -> None:
    fields = parse_message(seed.data)
    assert fields
    assert join_message(fields) == seed.data


def test_most_mutated_networks_can_be_parsed() -> None:
    """Or no mutant would get beyond the parser of protobuf."""
    data = loop_file(3).SerializeToString()
    changed = [mutate_message(random.Random(n), data) for n in range(200)]
    assert sum(_is_message(file) for file in changed) > 120
    assert sum(file != data for file in changed) > 150


def _is_message(data: bytes) -> bool:
    try:
        onnx.load_from_string(data)
    except Exception:  # protobuf's own, of several kinds
        return False
    return True


@pytest.mark.parametrize("seed", exif_seeds(), ids=lambda seed: seed.name)
def test_every_directory_is_known(seed: Seed) -> None:
    order = "<" if seed.data[:1] == b"I" else ">"
    directories = walk_directories(seed.data, Layout(order, big=False))
    assert len(directories) == {"plain": 3, "nested": 3}.get(seed.name.removesuffix(".exif"), 4)


def test_some_mutated_directories_point_at_themselves() -> None:
    """The kind of bomb that once cost the cube of its size."""
    data = exif_seeds()[1].data
    first = struct.unpack_from("<I", data, 4)
    changed = [mutate_tiff(random.Random(n), data) for n in range(300)]
    assert any(file.count(struct.pack("<HHII", 34665, 4, 1, *first)) for file in changed)
    assert find_tiff(b"Exif\0\0" + data[:10]) == 6


@pytest.mark.parametrize("change", sorted(set(PLAIN), key=lambda c: c.__name__))
def test_plain_changes_take_any_file(change: Callable[..., bytes]) -> None:
    for number in range(50):
        dice = random.Random(number)
        data = dice.randbytes(dice.randrange(1, 40))
        assert isinstance(change(dice, data, b""), bytes)


def test_mutants_stay_small() -> None:
    data = bytes(100_000)
    for number in range(100):
        data = mutate_bytes(random.Random(number), data, data)
        assert len(data) <= MAX_BYTES


def test_mutated_json_is_strange() -> None:
    data = b'{"a": [1, 2, {"b": "c"}], "d": 3}'
    changed = {mutate_json(random.Random(n), data) for n in range(300)}
    assert len(changed) > 100
    assert any(b"[[[[[[" in text or b'{"a":{"a":' in text for text in changed)


def test_boxes_keep_their_nesting() -> None:
    data = next(seed.data for seed in PICTURES if seed.name == "full.avif")
    meta = next(piece for piece in _pieces(BOXES, data) if piece.name == b"meta")
    names = [child.name for child in meta.children]
    assert b"iprp" in names
    assert b"iloc" in names


def _pieces(grammar: Grammar, data: bytes):  # noqa: ANN202 - a table of the test
    return grammar.split(data)[1]


def test_insertions_are_seeds_too() -> None:
    assert len({seed.data for seed in insertion_seeds()}) > 150
