from pathlib import Path

import onnx
import pytest

from graphs import Graph, nearest
from subpixel.errors import NetworkError, SpecError
from subpixel.graph.metadata import load_model, model_bytes, read_spec, with_spec
from subpixel.spec import ModelSpec
from subpixel.zoo.manifest import find_bundled

SPEC = ModelSpec("test", 3, "luma", "luma", halo=5, licence="CC0-1.0", origin="drawn by hand")


def test_facts_survive_the_way_through_a_file(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(with_spec(nearest(3), SPEC).SerializeToString())
    assert read_spec(load_model(file)) == SPEC


def test_only_our_own_metadata_is_replaced_and_the_given_model_is_not_touched() -> None:
    model = nearest(3)
    model.producer_name, model.doc_string = "someone", "their words"
    for key, value in (("author", "someone"), ("subpixel.name", "old"), ("subpixel.gone", "1")):
        model.metadata_props.add(key=key, value=value)
    before = model.SerializeToString()
    result = with_spec(model, SPEC)
    props = {prop.key: prop.value for prop in result.metadata_props}
    assert props == {"author": "someone", **SPEC.to_metadata()}
    assert (result.producer_name, result.doc_string) == ("someone", "their words")
    assert result.graph == model.graph
    assert model.SerializeToString() == before


def test_a_strangers_file_has_no_facts() -> None:
    model = nearest(2)
    model.metadata_props.add(key="author", value="someone")
    assert read_spec(model) is None


def test_unreadable_facts_are_an_error() -> None:
    model = nearest(2)
    model.metadata_props.add(key="subpixel.scale", value="two")
    with pytest.raises(SpecError, match="not JSON"):
        read_spec(model)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"net\.onnx: can't be read: No such file"):
        load_model(tmp_path / "net.onnx")


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_truncated_file(tmp_path: Path, length: int) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(nearest(3).SerializeToString()[:length])
    assert_one_line(file)


@pytest.mark.parametrize("content", [b"no network\n", b"\x89PNG\r\n\x1a\n" + bytes(64), bytes(99)])
def test_a_file_that_is_no_network(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(content)
    assert_one_line(file)


def assert_one_line(file: Path) -> None:
    with pytest.raises(NetworkError) as caught:
        load_model(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_external_parameters_are_taken_inside(tmp_path: Path) -> None:
    file = external(tmp_path)
    (parameter,) = load_model(file).graph.initializer
    assert parameter.data_location == onnx.TensorProto.DEFAULT
    assert len(parameter.raw_data) == 64 * 9 * 4


def test_external_parameters_that_are_missing_or_cut_short(tmp_path: Path) -> None:
    file = external(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"short")
    assert_one_line(file)
    (tmp_path / "weights.bin").unlink()
    assert_one_line(file)


def external(folder: Path) -> Path:
    """A network whose parameters lie in ``weights.bin`` beside it."""
    graph = Graph()
    model = graph.model(graph.conv("input", 64), into=64)
    file = folder / "net.onnx"
    onnx.save_model(
        model, file, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    return file


def test_a_file_beyond_protobufs_limit(tmp_path: Path) -> None:
    """A hole of 2 GiB takes no room, and is not read."""
    with (tmp_path / "net.onnx").open("wb") as stream:
        stream.truncate(2**31)
    with pytest.raises(NetworkError, match=r"net\.onnx: is 2\.1 GB; .* at most 2\.1 GB"):
        load_model(tmp_path / "net.onnx")


def test_parameters_beyond_protobufs_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie in a file beside the network, whose own file is small."""
    file = tmp_path / "net.onnx"
    graph = Graph()
    model = graph.model(graph.shuffle(graph.conv("input", 32, pads=[1, 1, 1, 1]), 2))
    onnx.save(model, file, save_as_external_data=True, location="w", size_threshold=0)
    loaded = load_model(file)
    assert model_bytes(loaded, file) == loaded.SerializeToString()
    monkeypatch.setattr("subpixel.graph.metadata.MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(NetworkError, match=r"net\.onnx: has .* of parameters"):
        model_bytes(loaded, file)


@pytest.mark.parametrize("place", ["input", "output", "initializer"])
def test_a_type_that_onnx_does_not_have_is_damage(tmp_path: Path, place: str) -> None:
    model = load_model(find_bundled("fast", 2).path)
    if place == "initializer":
        model.graph.initializer[0].data_type = -5
    else:
        getattr(model.graph, place)[0].type.tensor_type.elem_type = -(1 << 31)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(NetworkError, match="a type that ONNX doesn't have"):
        load_model(tmp_path / "net.onnx")
