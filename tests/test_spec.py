import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import SpecError
from subpixel.spec import ModelSpec, spec_from_metadata

specs = st.builds(
    ModelSpec,
    name=st.text(),
    scale=st.integers(1, 8),
    colour=st.sampled_from(["luma", "rgb"]),
    interface=st.sampled_from(["luma", "rgb"]),
    architecture=st.text(),
    halo=st.none() | st.integers(0, 100),
    size_multiple=st.integers(1, 64),
    fixed_size=st.none() | st.tuples(st.integers(1, 512), st.integers(1, 512)),
    fixed_batch=st.none() | st.integers(1, 8),
    purpose=st.sampled_from(["super-resolution", "restoration", "face"]),
    size_minimum=st.integers(1, 64),
    square=st.booleans(),
    pads=st.booleans(),
    padding=st.sampled_from(["reflect", "edge", "zeros"]),
    size_maximum=st.none() | st.integers(128, 4096),
    precision=st.sampled_from(["fp32", "fp16", "bf16", "int8"]),
    samples=st.sampled_from(["float", "uint8"]),
    licence=st.text(),
    origin=st.text(),
)


@given(specs)
def test_facts_survive_the_file(spec: ModelSpec) -> None:
    assert spec_from_metadata(spec.to_metadata()) == spec


def test_a_strangers_metadata_says_nothing() -> None:
    assert spec_from_metadata({}) is None
    assert spec_from_metadata({"author": "someone", "scale": "4"}) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subpixel.scale": None}, "lack scale"),
        ({"subpixel.scale": "0"}, "scale is 0"),
        ({"subpixel.scale": '"3"'}, "scale is '3'"),
        ({"subpixel.scale": "{"}, "not JSON"),
        ({"subpixel.colour": '"cmyk"'}, "colour is 'cmyk'"),
        ({"subpixel.samples": '"uint16"'}, "samples is 'uint16'"),
        ({"subpixel.version": '"99"'}, "version '99'"),
        ({"subpixel.scale": "true"}, "scale is True"),
        ({"subpixel.scale": "null"}, "scale is None"),
        ({"subpixel.scale": "9" * 5000}, "not JSON"),
        ({"subpixel.origin": "[" * 100_000}, "not JSON"),
        ({"subpixel.halo": "1000000000000"}, "to 1048576"),
        ({"subpixel.halo": "NaN"}, "halo is nan"),
        ({"subpixel.size_minimum": "1000000000"}, "to 1024"),
        (
            {"subpixel.size_minimum": "30", "subpixel.size_multiple": "8"}
            | {"subpixel.size_maximum": "31"},
            "size_maximum is 31, and the smallest side .* is 32",
        ),
        ({"subpixel.fixed_size": "7"}, "fixed_size is 7; it must be a height and a width"),
        ({"subpixel.fixed_size": '"ab"'}, "a height and a width"),
        ({"subpixel.fixed_size": "[8, 8, 8]"}, "a height and a width"),
        ({"subpixel.fixed_size": "[0, 8]"}, "fixed_size is 0"),
        ({"subpixel.fixed_size": '["8", "8"]'}, "fixed_size is '8'"),
        ({"subpixel.pads": '"no"'}, "pads is 'no'; it must be true or false"),
        ({"subpixel.name": "5"}, "name is 5; it must be text"),
        ({"subpixel.licence": "null"}, "licence is None; it must be text"),
    ],
)
def test_wrong_facts_are_refused(change: dict[str, str | None], message: str) -> None:
    metadata = ModelSpec("net", 3, "luma", "rgb").to_metadata() | change
    with pytest.raises(SpecError, match=message):
        spec_from_metadata({key: value for key, value in metadata.items() if value is not None})


def test_a_file_that_says_nothing_of_its_samples_takes_floats() -> None:
    metadata = ModelSpec("net", 3, "luma", "rgb").to_metadata()
    del metadata["subpixel.samples"]
    spec = spec_from_metadata(metadata)
    assert spec is not None
    assert spec.samples == "float"


def test_facts_of_a_later_minor_version_are_passed_over() -> None:
    spec = ModelSpec("net", 3, "luma", "rgb")
    assert spec_from_metadata(spec.to_metadata() | {"subpixel.mood": json.dumps("good")}) == spec
