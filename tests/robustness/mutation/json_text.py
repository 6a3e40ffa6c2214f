"""Changes to JSON: what stands where something else was expected."""

import json

from tests.robustness.mutation.plain import MAX_BYTES, Dice, mutate_bytes

STRANGE = (None, True, -1, 0, 1 << 31, 1 << 70, -(1 << 63), 1.5, 1e308, float("nan"), float("inf"))
STRANGE += (
    "",
    "x" * 5000,
    "../../../etc/passwd",
    "\x1b[2J",
    "\ud800",
    "/dev/zero",
    [],
    {},
    [[]],
    [1, 2],
)
DEEP = "@deep@"
NESTING = 100_000


def mutate_json(dice: Dice, data: bytes, other: bytes = b"") -> bytes:
    """One change to a value, a key or a length; what is no JSON is changed as bytes."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(dice, data, other)
    if dice.random() < 0.2:
        return mutate_bytes(dice, data, other)
    text = json.dumps(change_value(dice, value))
    deep = dice.choice(("[" * NESTING + "]" * NESTING, '{"a":' * NESTING, "9" * 5000))
    return text.replace(f'"{DEEP}"', deep).encode("utf-8", "surrogatepass")[:MAX_BYTES]


def change_value(dice: Dice, value: object) -> object:
    """``value`` with one change somewhere in it."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        return _change_mapping(dice, value)
    if isinstance(value, list) and value and dice.random() < 0.8:
        return _change_list(dice, value)
    return DEEP if dice.random() < 0.05 else dice.choice(STRANGE)


def _change_mapping(dice: Dice, value: dict[str, object]) -> dict[str, object]:
    key = dice.choice(list(value))
    rest = {k: v for k, v in value.items() if k != key}
    match dice.randrange(8):
        case 0:
            return rest
        case 1:
            return rest | {dice.choice(("", "x" * 300, "\x1b[31m", "__proto__")): value[key]}
        case _:
            return value | {key: change_value(dice, value[key])}


def _change_list(dice: Dice, value: list[object]) -> list[object]:
    at = dice.randrange(len(value))
    match dice.randrange(6):
        case 0:
            return value[:at] + value[at + 1 :]
        case 1:
            return value[:at] + [value[at]] * dice.choice((2, 1000)) + value[at:]
        case _:
            return [*value[:at], change_value(dice, value[at]), *value[at + 1 :]]
