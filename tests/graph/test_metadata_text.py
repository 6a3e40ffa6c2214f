"""Metadata that is no UTF-8, which protobuf gives as bytes."""

import onnx

from graphs_of_facts import identity_file
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.spec import ModelSpec

SPEC = ModelSpec("same", 1, "rgb", "rgb", halo=0, purpose="restoration")


def _with_key(key: bytes) -> onnx.ModelProto:
    """A file with one entry of metadata of so many bytes, put in behind protobuf's back."""
    model = identity_file()
    model.metadata_props.add(key="x" * len(key), value="1")
    data = model.SerializeToString().replace(b"x" * len(key), key)
    return onnx.load_from_string(data)


def test_a_key_that_is_no_text_is_no_fact() -> None:
    assert read_spec(_with_key(b"\xff\xfe\xfd-key")) is None


def test_it_stays_beside_facts() -> None:
    model = with_spec(_with_key(b"\xff\xfe\xfd-key"), SPEC)
    assert read_spec(model) == SPEC
    assert b"\xff\xfe\xfd-key" in model.SerializeToString()
