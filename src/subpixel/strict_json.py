"""JSON from files that anybody may have written: parsed within limits, then read as a dataclass.

One mechanism for all JSON that subpixel reads from disk. It is our own: what is read are a few
dataclasses, and a compiled package on every platform would replace a hundred lines.
"""

import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from subpixel.errors import one_line

JsonForm = TypeVar("JsonForm")

MAX_JSON_BYTES = 4 << 20
"""Longer text is not read, unless a limit of its own is named."""

MAX_JSON_DEPTH = 32
"""Objects and lists within one another; nothing that subpixel reads has more than six."""

MAX_VALUE_SHOWN = 40
"""Characters of a value that a message repeats."""


class JsonError(ValueError):
    """Text is no JSON, or JSON of another form than is read; the message is one line."""


@dataclass(frozen=True)
class Within:
    """Bounds of a number, both included, as ``Annotated[int, Within(0, 255)]``."""

    min: float
    max: float


def parse_json(text: str | bytes, *, max_bytes: int = MAX_JSON_BYTES) -> object:
    """The value of JSON text, in UTF-8 where it is bytes.

    Raises :class:`JsonError` for what is no JSON, is longer than ``max_bytes`` or nested deeper
    than :data:`MAX_JSON_DEPTH`.
    """
    if len(text) > max_bytes:
        raise JsonError(f"it has {len(text)} bytes; at most {max_bytes} are read")
    try:
        value: object = json.loads(text if isinstance(text, str) else text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise JsonError(f"it is no JSON: {one_line(error, 100)}") from error
    _expect_shallow(value)
    return value


def read_value(value: object, form: type[JsonForm], name: str = "it") -> JsonForm:
    """A value out of JSON as ``form``: a dataclass, whose fields may be of numbers, texts, paths,
    literals, tuples, mappings and dataclasses.

    Numbers must be finite and within their :class:`Within`; a field without a default must be
    there, and no other. Raises :class:`JsonError` with the ``name`` of the first value that isn't
    so.
    """
    return cast(JsonForm, _read_form(value, form, name))


def show_value(value: object) -> str:
    """A value in at most :data:`MAX_VALUE_SHOWN` characters, for a message."""
    if isinstance(value, (dict, list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, str):
        return repr(value[:MAX_VALUE_SHOWN])[:MAX_VALUE_SHOWN]
    return one_line(ValueError(repr(value)), MAX_VALUE_SHOWN)


def _expect_shallow(value: object) -> None:
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise JsonError(f"it is nested deeper than {MAX_JSON_DEPTH}")


def _children(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return [*value.values()]
    return value if isinstance(value, list) else ()


def _read_form(value: object, form: object, name: str) -> object:
    origin = get_origin(form)
    if origin is Annotated:
        inner, bounds = get_args(form)
        return _read_number(value, inner, name, bounds)
    if origin in (Union, types.UnionType):
        return _read_optional(value, form, name)
    if origin is Literal:
        return _expect_form(value in get_args(form), value, name, f"one of {get_args(form)}")
    if origin is tuple:
        return _read_tuple(value, get_args(form), name)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _read_mapping(value, get_args(form)[1], name)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _read_tuple(value, (get_args(form)[0], ...), name)
    if is_dataclass(form) and isinstance(form, type):
        return _read_fields(value, form, name)
    return _read_plain(value, form, name)


def _read_plain(value: object, form: object, name: str) -> object:
    if form in (object, Any):
        return value
    if form in (int, float):
        return _read_number(value, form, name, Within(-math.inf, math.inf), finite=True)
    if form is bool:
        return _expect_form(isinstance(value, bool), value, name, "true or false")
    if form is str:
        return _expect_form(_is_text(value), value, name, "text")
    if form is Path:
        return Path(str(_expect_form(_is_path(value), value, name, "a path")))
    raise TypeError(f"{name}: {form} is no form that JSON is read as")


def _read_number(
    value: object, form: object, name: str, bounds: Within, *, finite: bool = False
) -> object:
    """A whole number counts as a float, but true and false as none."""
    if get_origin(form) in (Union, types.UnionType):
        if value is None:
            return None
        form = next(kind for kind in get_args(form) if kind is not types.NoneType)
    kinds = (int,) if form is int else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    within = is_number and bounds.min <= value <= bounds.max  # type: ignore[operator]
    wanted = "a whole number" if form is int else "a number"
    if not finite:
        wanted += f" from {bounds.min} to {bounds.max}"
    try:
        number = cast(float, _expect_form(within, value, name, wanted))
        result = number if form is int else float(number)
    except OverflowError as error:  # an integer beyond any float
        raise JsonError(f"{name} is {show_value(value)}; it must be {wanted}") from error
    _expect_form(not finite or math.isfinite(result), value, name, wanted)
    return result


def _read_optional(value: object, form: object, name: str) -> object:
    (inner,) = (kind for kind in get_args(form) if kind is not types.NoneType)
    return None if value is None else _read_form(value, inner, name)


def _read_tuple(value: object, forms: tuple[object, ...], name: str) -> tuple[object, ...]:
    items = _expect_form(isinstance(value, (list, tuple)), value, name, "a list")
    assert isinstance(items, (list, tuple))
    if forms[-1:] == (...,):
        forms = forms[:1] * len(items)
    _expect_form(len(items) == len(forms), value, name, f"a list of {len(forms)}")
    pairs = zip(items, forms, strict=True)
    return tuple(_read_form(item, form, f"{name}[{i}]") for i, (item, form) in enumerate(pairs))


def _read_mapping(value: object, form: object, name: str) -> Mapping[str, object]:
    items = _expect_members(value, name)
    return {key: _read_form(item, form, f"{name} {show_value(key)}") for key, item in items.items()}


def _read_fields(value: object, form: type, name: str) -> object:
    items, hints = _expect_members(value, name), _hints(form)
    known = {field.name: field for field in fields(form)}
    for key in items:
        _expect_form(key in known, key, f"a member of {name}", f"one of {', '.join(known)}")
    missing = [key for key, one in known.items() if key not in items and not _has_default(one)]
    if missing:
        raise JsonError(f"{name} lacks {', '.join(missing)}")
    return form(**{key: _read_form(item, hints[key], key) for key, item in items.items()})


def _has_default(field: Field[object]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


@cache
def _hints(form: type) -> Mapping[str, Any]:
    return get_type_hints(form, include_extras=True)


def _expect_members(value: object, name: str) -> Mapping[str, object]:
    _expect_form(isinstance(value, dict), value, name, "an object")
    return cast(Mapping[str, object], value)


def _expect_form(ok: bool, value: object, name: str, wanted: str) -> object:
    if not ok:
        raise JsonError(f"{name} is {show_value(value)}; it must be {wanted}")
    return value


def _is_text(value: object) -> bool:
    """JSON's escapes can make half a character. Those of U+DC80 to U+DCFF are bytes of file names
    that are no UTF-8."""
    return isinstance(value, str) and (value.isascii() or not any(map(_is_half, value)))


def _is_half(char: str) -> bool:
    return "\ud800" <= char < "\udc80" or "\udcff" < char <= "\udfff"


def _is_path(value: object) -> bool:
    return _is_text(value) and "\0" not in cast(str, value)
