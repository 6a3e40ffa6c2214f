"""JSON on stdout, whose long arrays go through a file: the same text as of values in memory."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from subpixel.cli import output
from subpixel.cli.output import ValueSpool, print_json, print_json_fields


@dataclass(frozen=True)
class Item:
    path: Path
    number: float
    parts: tuple[str, ...] = ()


ITEMS = (
    Item(Path("a\n\x7f\u2028é.png"), 1.5, ("x", "{\n}")),
    Item(Path("b"), math.nan),
    Item(Path("c"), 0.25, ("\x1c",)),
)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("spool_bytes", [1, 1 << 20])
def test_a_spool_is_printed_as_an_array_in_memory_is(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    spool_bytes: int,
) -> None:
    monkeypatch.setattr(output, "SPOOL_BYTES", spool_bytes)
    facts = {"model": {"name": "fast", "empty": []}, "none": None, "after": ("y",)}
    print_json({"first": facts, "files": ITEMS[:count], "last": 3})
    expected = capsys.readouterr().out
    with ValueSpool() as spool:
        for item in ITEMS[:count]:
            spool.append(item)
        print_json_fields({"first": facts, "files": spool, "last": 3})
    text = capsys.readouterr().out
    assert text == expected
    assert len(json.loads(text)["files"]) == count


def test_a_spool_may_come_last(capsys: pytest.CaptureFixture[str]) -> None:
    with ValueSpool() as spool:
        spool.append(1)
        print_json_fields({"files": spool})
    assert json.loads(capsys.readouterr().out) == {"files": [1]}
