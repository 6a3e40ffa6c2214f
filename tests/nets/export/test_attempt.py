from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import ExportError
from subpixel.nets.export.attempt import list_attempts
from subpixel.spec import ModelSpec

ANY = ModelSpec("any", 2, "rgb", "rgb")


def test_the_order_is_from_free_to_fixed() -> None:
    assert [str(attempt) for attempt in list_attempts(ANY, None, 18)] == [
        "dynamo from 2×51×67, int() kept symbolic",
        "dynamo from 1×51×67",
        "dynamo from 1×51×67, int() kept symbolic, batch of 1",
        "dynamo from 1×51×67, batch of 1",
        "dynamo from 1×64×96, batch of 1",
        "trace from 1×51×67",
        "dynamo from 1×56×72, padded to multiples of 8, batch of 1",
        "dynamo from 1×56×72, padded to multiples of 8 (edge), batch of 1",
        "dynamo from 1×56×72, padded to multiples of 8 (zeros), batch of 1",
        "dynamo from 1×80×112, padded to multiples of 16, batch of 1",
        "dynamo from 1×80×112, padded to multiples of 16 (edge), batch of 1",
        "dynamo from 1×80×112, padded to multiples of 16 (zeros), batch of 1",
        "trace from 1×56×72, padded to multiples of 8, batch of 1",
        "trace from 1×56×72, padded to multiples of 8 (edge), batch of 1",
        "trace from 1×56×72, padded to multiples of 8 (zeros), batch of 1",
        "trace from 1×80×112, padded to multiples of 16, batch of 1",
        "trace from 1×80×112, padded to multiples of 16 (edge), batch of 1",
        "trace from 1×80×112, padded to multiples of 16 (zeros), batch of 1",
        "dynamo from 1×128×128, batch of 1, for that size alone",
        "trace from 1×128×128, batch of 1, for that size alone",
    ]


def test_an_exporter_that_is_asked_for_is_the_only_one() -> None:
    for exporter in ("dynamo", "trace", "script"):
        assert {way.exporter for way in list_attempts(ANY, exporter, 18)} == {exporter}
    assert {way.exporter for way in list_attempts(ANY, None, 10)} == {"trace"}


def test_an_opset_out_of_reach_is_said() -> None:
    with pytest.raises(ExportError, match="opset 10 is out of reach of dynamo"):
        list_attempts(ANY, "dynamo", 10)


@given(multiple=st.integers(1, 64), minimum=st.integers(1, 128), square=st.booleans())
def test_every_example_is_of_a_size_that_the_network_takes(
    multiple: int, minimum: int, square: bool
) -> None:
    spec = ModelSpec(
        "some", 2, "rgb", "rgb", size_multiple=multiple, size_minimum=minimum, square=square
    )
    for way in list_attempts(spec, None, 18):
        _, rows, columns = way.example
        assert rows % multiple == columns % multiple == 0
        assert min(rows, columns) >= minimum
        assert rows == columns or not square


@given(multiple=st.integers(2, 64))
def test_the_first_example_shows_no_size_twice(multiple: int) -> None:
    spec = ModelSpec("some", 2, "rgb", "rgb", size_multiple=multiple)
    rows, columns = (side // multiple for side in list_attempts(spec, None, 18)[0].example[1:])
    assert gcd(rows, columns) == 1
    assert min(rows, columns) > 1
