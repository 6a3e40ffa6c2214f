"""The platforms' table: one network of each kind on every platform, and the page of what was seen.

Slow; a platform that can't be set up here is skipped with its reason.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import table
from places.jobs import Case, Expected, expect, list_cases
from places.page import write_page
from places.place import Place
from places.rows import Records, Row, Skip, make_row, read_records, write_records
from systems import environments

INTEGER, FLOAT = list_cases(["fast-int8-x3", "fast-x3"])[::-1]
CASES = [INTEGER, FLOAT]


def codes(case: Case) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, case.shape, np.uint8)


def row(platform: str, case: Case, change: int = 0) -> Row:
    wanted = codes(case) // 2
    changed = wanted.copy()
    changed[0, 0, 0] += change
    return make_row(platform, case, changed, Expected(wanted), "here")


def test_the_cases_are_one_of_each_kind() -> None:
    assert [case.integers for case in CASES] == [True, False]
    assert INTEGER.tensor.shape == (1, 101, 133, 3)
    assert FLOAT.tensor.shape == (1, 3, 37, 53)


@pytest.mark.slow
@pytest.mark.parametrize("place", table.PLACES, ids=lambda place: place.key)
def test_every_platform_gives_the_picture(place: Place, tmp_path: Path) -> None:
    if reason := place.lack():
        pytest.skip(reason)
    cases = [case for case in CASES if place.takes(case)]
    results = dict(place.run(cases, tmp_path))
    assert set(results) == set(cases)
    for case, result in results.items():
        wanted = expect(case, environments.CACHE / "expected").codes
        most = 0 if case.integers and place.exact else 1
        assert np.abs(result.astype(int) - wanted).max() <= most


def test_a_row_says_how_far_off_a_picture_is() -> None:
    assert row("python", INTEGER).equal
    wrong = row("python", INTEGER, 3)
    assert (wrong.equal, wrong.largest, wrong.differing) == (False, 3, 1)
    assert wrong.values == np.prod(INTEGER.shape)


def test_records_go_on_where_they_were(tmp_path: Path) -> None:
    file = tmp_path / "platforms.json"
    records = Records().with_skip(Skip("node", "no node")).with_row(row("python", INTEGER))
    write_records(file, records, table.KEYS)
    again = read_records(file)
    assert again == records
    assert again.has("python", INTEGER)
    assert not again.has("python", FLOAT)
    assert not again.has("node", INTEGER)
    other = replace(again.rows[0], file="another file")
    assert not again.with_row(other).has("python", INTEGER)
    assert len(again.with_row(other).rows) == 1


def test_what_was_seen_of_a_file_that_is_no_more_is_dropped() -> None:
    rows = [row("python", INTEGER), replace(row("python", FLOAT), file="another file")]
    assert Records(rows).of_files(list_cases()).rows == rows[:1]


def test_a_reason_gives_way_to_what_is_seen() -> None:
    records = Records().with_skip(Skip("node", "no node")).with_row(row("node", INTEGER))
    assert records.skips == []
    assert records.with_skip(Skip("node", "no node")).skips == []


def test_the_page_says_equal_wrong_and_missing() -> None:
    rows = [row("python", INTEGER), row("node", INTEGER, 1), row("node", FLOAT, 1)]
    page = write_page(table.PLACES, Records(rows, [Skip("windows", "no Wine")]))
    assert "| Python, this processor | 1 of 1 | 1 of 1 |" in page
    assert "| Node, onnxruntime-node | 0 of 1 | 0 of 1 |" in page
    share = 1e6 / np.prod(FLOAT.shape)
    assert f"| Node, onnxruntime-node | 1 ({share:.0f}) |" in page
    assert "| Windows (Wine), command line | no Wine |" in page
    assert "| subpixel serve | not run yet |" in page


def test_a_place_that_fails_is_recorded_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_cases: object, _folder: object) -> None:
        raise RuntimeError("it broke\nbadly")

    monkeypatch.setattr(table, "RECORDS", tmp_path / "platforms.json")
    place = Place("node", "Node", fail)  # type: ignore[arg-type]
    assert table.fill(place, CASES, Records()).skips == [Skip("node", "failed here: it broke")]
    lacking = replace(place, lack=lambda: "no node")
    assert table.fill(lacking, CASES, Records()).skips == [Skip("node", "no node")]


def test_docs_platforms_is_what_was_seen() -> None:
    """And every integer network of the same file has the reference's bits on every processor."""
    records = read_records(table.RECORDS)
    assert table.PAGE.read_text(encoding="utf-8") == write_page(table.PLACES, records)
    exact = {place.key for place in table.PLACES if place.exact}
    integers = [r for r in records.rows if "-int8-" in r.network and r.platform in exact]
    assert all(each.equal for each in integers)
    assert all(each.largest <= 1 for each in records.rows)
    files = {case.name: case.network.sha256 for case in list_cases()}
    assert {r.network for r in records.rows if files.get(r.network) != r.file} == set()
    assert json.loads(table.RECORDS.read_text(encoding="utf-8"))["rows"]
