"""Records come back whole or not at all, whatever was cut off, appended or mixed in."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.jobs.journal.records import (
    FailureRecord,
    JobRecord,
    JournalRecord,
    UnitRecord,
    decode_records,
    encode_record,
    whole_lines,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
NAMES = st.binary(max_size=30).map(lambda data: data.decode("utf-8", "surrogateescape"))
"""Names of files may be any bytes."""
NUMBERS = st.integers(0, 2**63)
FILES = st.builds(
    FileFacts, NUMBERS, NUMBERS, st.text("0123456789abcdef", min_size=64, max_size=64)
)
FACTS = st.builds(JobFacts, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=4))
RECORDS: st.SearchStrategy[JournalRecord] = st.one_of(
    st.builds(JobRecord, FACTS, NUMBERS, NUMBERS, st.booleans(), NUMBERS, TEXTS, NUMBERS),
    st.builds(UnitRecord, TEXTS, NAMES, FILES, st.none() | FILES, st.none() | FILES, NUMBERS),
    st.builds(FailureRecord, TEXTS, NAMES, TEXTS, NUMBERS),
)


@settings(max_examples=40)
@given(st.lists(RECORDS, max_size=5))
def test_records_come_back(records: list[JournalRecord]) -> None:
    data = b"".join(map(encode_record, records))
    assert list(decode_records(data)) == records
    assert data.count(b"\n") == len(records), "a record is a line"


@settings(max_examples=40)
@given(st.lists(RECORDS, min_size=1, max_size=4), st.data())
def test_cut_anywhere(records: list[JournalRecord], data: st.DataObject) -> None:
    lines = [encode_record(record) for record in records]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, lines[: number + 1])) for number in range(len(lines))]
    rest = whole[:cut]
    complete = sum(end <= cut for end in ends)
    assert list(decode_records(rest[: whole_lines(rest)])) == records[:complete]


@settings(max_examples=40)
@given(st.lists(RECORDS, min_size=1, max_size=3), RECORDS, st.binary(max_size=200), st.data())
def test_a_writer_goes_on_behind_what_a_kill_left(
    records: list[JournalRecord], last: JournalRecord, garbage: bytes, data: st.DataObject
) -> None:
    """A torn line, zeros of a file that was extended and not written, anything: the next writer
    begins with a newline."""
    torn = encode_record(last)
    torn = torn[: data.draw(st.integers(0, len(torn) - 2))]
    whole = b"".join(map(encode_record, records))
    behind = b"".join(map(encode_record, records))
    assert list(decode_records(whole + torn + garbage + b"\n" + behind)) == records * 2


@settings(max_examples=40)
@given(RECORDS, st.data())
def test_a_changed_byte_is_noticed(record: JournalRecord, data: st.DataObject) -> None:
    line = bytearray(encode_record(record)[:-1])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    assert record not in list(decode_records(bytes(line)))
    assert len(list(decode_records(bytes(line)))) == 0


@settings(max_examples=40)
@given(st.binary(max_size=300))
def test_garbage_is_no_record(garbage: bytes) -> None:
    assert list(decode_records(garbage)) == []


@pytest.mark.parametrize("text", ["null", "[]", '{"unit":{}}', '{"later":{"key":"a"}}', "[" * 99])
def test_what_is_whole_and_of_another_form_is_left_out(text: str) -> None:
    """As a later version may write."""
    from subpixel.jobs.journal.records import _checksum

    line = _checksum(text.encode()) + b" " + text.encode() + b"\n"
    assert list(decode_records(line)) == []


def test_a_digest_follows_from_all_facts() -> None:
    facts = JobFacts("pictures", {"scale": "2", "model": "fast"})
    same = JobFacts("pictures", {"model": "fast", "scale": "2"})
    others = [JobFacts("film", facts.parts), JobFacts("pictures", {"scale": "2"})]
    assert facts.digest == same.digest
    assert len({facts.digest, *(other.digest for other in others)}) == 3
    assert json.loads(json.dumps(facts.digest)) == facts.digest
    assert others[1].describe_differences(facts) == "model was fast, is none"
