"""JSON from anywhere becomes what is read, exactly, or one error of one line."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.strict_json import MAX_JSON_DEPTH, JsonError, Within, parse_json, read_value


@dataclass(frozen=True)
class _Leaf:
    side: Annotated[int | None, Within(0, 255)]
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class _Tree:
    name: str
    share: float
    is_tall: bool
    file: Path
    leaves: tuple[_Leaf, ...]
    size: tuple[int, int] | None = None
    notes: Mapping[str, str] | None = None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
GOOD = _Tree("larch", 0.5, True, Path("/wood"), (_Leaf(7), _Leaf(None, "b")), (3, 4), {"a": "b"})
TREES = st.builds(
    _Tree,
    st.text(st.characters(exclude_categories=["Cs"])),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.just(Path("/wood")),
    st.lists(st.builds(_Leaf, st.none() | st.integers(0, 255), st.sampled_from("ab"))).map(tuple),
    st.none() | st.tuples(st.integers(), st.integers()),
)


def _read(text: str | bytes) -> _Tree:
    return read_value(parse_json(text), _Tree)


@given(TREES)
def test_what_was_written_is_read(tree: _Tree) -> None:
    assert _read(json.dumps(asdict(tree), default=str)) == tree


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_one_error_of_one_line(data: bytes) -> None:
    with pytest.raises(JsonError) as caught:
        _read(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def _places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    return [
        place
        for key, item in items
        for place in ([(*path, key)] + (_places(item, (*path, key)) if _nests(item) else []))
    ]


def _nests(value: object) -> bool:
    return isinstance(value, (dict, list))


@given(st.data(), JSON)
def test_a_value_put_in_anywhere_is_refused_or_is_there_afterwards(
    data: st.DataObject, value: object
) -> None:
    content = json.loads(json.dumps(asdict(GOOD), default=str))
    path = data.draw(st.sampled_from(_places(content)))
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with suppress(JsonError):
        tree = read_value(content, _Tree)
        back = json.loads(json.dumps(asdict(tree), default=str))
        rounded = path in (("share",), ("file",))  # to a float; without "." and "//"
        assert rounded or back == content
        assert math.isfinite(tree.share)
        assert all(leaf.side is None or 0 <= leaf.side <= 255 for leaf in tree.leaves)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1),
        "9" * 5000,
        b"\xff\xfe",
        '"' + "a" * 5_000_000 + '"',
    ],
    ids=["open", "lists", "objects", "depth", "digits", "utf-8", "long"],
)
def test_bombs_are_errors(text: str | bytes) -> None:
    with pytest.raises(JsonError):
        parse_json(text)


def test_depth_up_to_the_limit_is_read() -> None:
    assert parse_json("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH)


@pytest.mark.parametrize("share", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "true"])
def test_numbers_must_be_finite(share: str) -> None:
    text = json.dumps(asdict(GOOD), default=str).replace("0.5", share)
    with pytest.raises(JsonError, match="share"):
        _read(text)


@pytest.mark.parametrize("name", ["a\\u0000b", "\\ud800", "\\udfff"])
def test_a_path_is_one_that_a_file_system_can_have(name: str) -> None:
    text = json.dumps(asdict(GOOD), default=str).replace("/wood", name)
    with pytest.raises(JsonError, match="file"):
        _read(text)
    assert _read(text.replace(name, "\\udcff")).file == Path("\udcff")
