from pathlib import Path

import numpy as np
import onnx
import pytest

from networks import classifier, sub_pixel_network
from rounding import dot_bound, graph_bound
from subpixel.errors import NetworkError, UsageError
from subpixel.network.identify import describe
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.spec import ModelSpec

PIXELS = np.random.default_rng(0).random((1, 3, 9, 7), np.float32)


def _saved(model: onnx.ModelProto, folder: Path) -> Path:
    file = folder / "theirs.onnx"
    onnx.save(model, file)
    return file


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_third_party_network_is_found_out_by_running_it(
    tmp_path: Path, channels: int, scale: int
) -> None:
    network = open_network(_saved(sub_pixel_network(channels, scale), tmp_path), RunSettings("cpu"))
    spec = network.spec
    assert (spec.scale, spec.interface, spec.size_multiple) == (scale, "rgb", 1)
    assert spec.colour == ("luma" if channels == 1 else "rgb")
    # a wrapped luma network reaches as far as its bicubic chroma does
    assert spec.halo == (2 if channels == 1 else 1)
    assert network.op(np.zeros((2, 3, 5, 4), np.float32)).shape == (2, 3, 5 * scale, 4 * scale)


def test_a_fixed_size_and_a_fixed_batch_are_noticed(tmp_path: Path) -> None:
    file = _saved(sub_pixel_network(3, size=(24, 32), batch=1), tmp_path)
    spec, declared = describe(file)
    assert (spec.fixed_size, spec.fixed_batch, declared) == ((24, 32), 1, False)


def _unshuffling(multiple: int) -> onnx.ModelProto:
    """SpaceToDepth in front, and back, as in networks that work at a fraction of the size."""
    model = sub_pixel_network(3, 2)
    down = onnx.helper.make_node("SpaceToDepth", ["x"], ["deep_x"], blocksize=multiple)
    up = onnx.helper.make_node("DepthToSpace", ["deep_x"], ["x_again"], blocksize=multiple)
    model.graph.node[0].input[0] = "x_again"
    nodes = [down, up, *model.graph.node]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


@pytest.mark.parametrize("multiple", [2, 4, 8])
def test_a_size_multiple_is_found(tmp_path: Path, multiple: int) -> None:
    spec, _ = describe(_saved(_unshuffling(multiple), tmp_path))
    assert (spec.size_multiple, spec.scale) == (multiple, 2)


def test_a_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no super-resolution network: it turns the shape"):
        open_network(_saved(classifier(), tmp_path))


def test_a_network_of_four_channels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="4 channels"):
        open_network(_saved(sub_pixel_network(channels=4), tmp_path))


def test_facts_in_the_file_are_believed(tmp_path: Path) -> None:
    model = sub_pixel_network(3, 2)
    stated = ModelSpec("stated", 2, "rgb", "rgb", halo=7, licence="CC0-1.0")
    onnx.helper.set_model_props(model, stated.to_metadata())
    assert describe(_saved(model, tmp_path)) == (stated, True)


def test_a_files_scale_can_not_be_asked_away(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="enlarges by 2, not by 4"):
        open_network(_saved(sub_pixel_network(3, 2), tmp_path), scale=4)


def test_names_and_scales_that_are_not_there() -> None:
    with pytest.raises(UsageError, match="neither a bundled network"):
        open_network("no-such-network")
    with pytest.raises(UsageError, match="it has 2, 3, 4"):
        open_network("fast", scale=5)


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x08\x12"])
def test_files_that_hold_no_network(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.onnx"
    file.write_bytes(content)
    with pytest.raises(NetworkError):
        open_network(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"missing\.onnx: there is no such file"):
        open_network(tmp_path / "missing.onnx")


@pytest.mark.slow
def test_a_result_of_0_to_255_is_brought_to_0_to_1(tmp_path: Path) -> None:
    model = sub_pixel_network(3, 2)
    expected = open_network(_saved(model, tmp_path)).op(PIXELS)
    model.graph.node[-1].output[0] = "unit"
    add = onnx.helper.make_node("Mul", ["unit", "white"], ["y"])
    model.graph.node.append(add)
    white = onnx.numpy_helper.from_array(np.array(255, np.float32), "white")
    model.graph.initializer.append(white)
    network = open_network(_saved(model, tmp_path))
    within = graph_bound(sub_pixel_network(3, 2), PIXELS) + dot_bound(3, 1)  # times 255, by 255
    np.testing.assert_allclose(network.op(PIXELS), expected, rtol=0, atol=within)
    assert network.remark is not None
    assert "values in 0..1 to 0..255" in network.remark


@pytest.mark.parametrize("channels", [1, 3])
def test_parameters_in_a_second_file_are_found_beside_the_first(
    tmp_path: Path, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyTorch's exporter writes them by default; wherever the caller stands."""
    file = tmp_path / "net.onnx"
    model = sub_pixel_network(channels, 2)
    onnx.save(model, file, save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    network = open_network(file)
    assert network.op(np.zeros((1, 3, 4, 5), np.float32)).shape == (1, 3, 8, 10)


def test_a_bare_luma_network_reaches_as_far_as_the_chroma_around_it(tmp_path: Path) -> None:
    model = sub_pixel_network(1, 2)
    stated = ModelSpec("stated", 2, "luma", "luma", halo=1)
    onnx.helper.set_model_props(model, stated.to_metadata())
    assert open_network(_saved(model, tmp_path)).spec == ModelSpec(
        "stated", 2, "luma", "rgb", halo=2
    )
