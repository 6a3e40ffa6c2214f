"""Networks on the bytes of image files, under ONNX Runtime with its Extensions."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

from subpixel.cli.main import run
from subpixel.errors import NetworkError, ProviderError, TargetExistsError
from subpixel.graph.execute import runtime_engine
from subpixel.graph.metadata import load_model, read_spec
from subpixel.graph.passes.image_files import with_image_files
from subpixel.media.photograph import photograph
from subpixel.publish.image_files import publish_image_files
from subpixel.runtime.image_files import run_image_file
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

NETWORKS = {name: find_bundled(name, 2).path for name in ("fast", "fast-int8")}


def encode(pixels: NDArray[np.uint8], form: str, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, form)
    return stream.getvalue()


def decode(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def test_the_graph_is_valid_and_says_what_it_is() -> None:
    spec = read_spec(load_model(NETWORKS["fast"]))
    assert spec is not None
    model = with_image_files(load_model(NETWORKS["fast"]), spec)
    assert read_spec(model) is None
    assert "bytes of a PNG or JPEG" in model.doc_string
    facts = {prop.key: prop.value for prop in model.metadata_props}
    assert facts == {
        "image_files.name": "fast",
        "image_files.scale": "2",
        "image_files.licence": "Apache-2.0",
    }
    names = [tensor.name for tensor in model.graph.initializer]
    assert len(names) == len(set(names))
    assert {opset.domain: opset.version for opset in model.opset_import}[""] == 18


@pytest.mark.parametrize("change", [{"fixed_size": (8, 8)}, {"fixed_batch": 2}, {"square": True}])
def test_a_network_of_some_sizes_alone_is_refused(change: dict[str, object]) -> None:
    model = load_model(NETWORKS["fast"])
    spec = read_spec(model)
    assert spec is not None
    with pytest.raises(NetworkError, match="doesn't take one RGB picture of any size"):
        with_image_files(model, replace(spec, **change))  # type: ignore[arg-type]


def test_without_the_extra_the_message_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subpixel.system.extras.find_spec", lambda name: None)
    with pytest.raises(ProviderError, match="'bytes'"):
        publish_image_files(NETWORKS["fast"], tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    pytest.importorskip("onnxruntime_extensions", reason="needs the extra bytes")
    folder = tmp_path_factory.mktemp("image files")
    for name, network in NETWORKS.items():
        publish_image_files(network, folder / f"{name}.onnx")
    return {name: (folder / f"{name}.onnx").read_bytes() for name in NETWORKS}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (23, 31), (64, 17)])
def test_a_png_of_any_size_becomes_what_upscale_makes(
    files: dict[str, bytes], name: str, size: tuple[int, int]
) -> None:
    crop = photograph()[100 : 100 + size[0], 150 : 150 + size[1]]
    larger = decode(run_image_file(files[name], encode(crop, "PNG")))
    expected = Upscaler(NETWORKS[name], device="cpu", tuning=False)(crop)
    assert np.abs(larger.astype(int) - expected).max() <= (name == "fast")


def test_a_grey_png_is_taken_as_rgb(files: dict[str, bytes]) -> None:
    grey = photograph()[100:120, 150:180, 1]
    larger = decode(run_image_file(files["fast-int8"], encode(grey, "PNG", "L")))
    upscaler = Upscaler(NETWORKS["fast-int8"], device="cpu", tuning=False)
    assert np.array_equal(larger, upscaler(np.repeat(grey[..., None], 3, axis=2)))


def test_a_jpeg_is_decoded_as_by_others(files: dict[str, bytes]) -> None:
    """Decoders differ by a few code values in chroma, and enlarging adds no more than that."""
    data = encode(photograph()[:67, :101], "JPEG")
    decoded = np.asarray(Image.open(io.BytesIO(data)))
    larger = decode(run_image_file(files["fast-int8"], data)).astype(int)
    expected = Upscaler(NETWORKS["fast-int8"], device="cpu", tuning=False)(decoded)
    assert np.abs(larger - expected).mean() < 1


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_that_is_decoded_wrong_is_an_error(files: dict[str, bytes], mode: str) -> None:
    with pytest.raises(NetworkError, match="out of data bounds"):
        run_image_file(files["fast-int8"], encode(photograph()[:8, :9], "JPEG", mode))


@pytest.mark.slow
def test_what_is_no_picture_ends_the_process(files: dict[str, bytes], tmp_path: Path) -> None:
    """As the documents say. When this fails the decoder was mended: take the warning away."""
    (tmp_path / "network.onnx").write_bytes(files["fast-int8"])
    program = (
        "from pathlib import Path; from subpixel.runtime.image_files import run_image_file\n"
        "try: run_image_file(Path('network.onnx').read_bytes(), b'RIFF no picture')\n"
        "except Exception: print('an exception')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Not a JPEG file" in done.stderr


def test_the_inner_network_is_the_same(files: dict[str, bytes]) -> None:
    """Taken out of the file again, between its first and last nodes of ours."""
    model = onnx.load_from_string(files["fast"])
    source, result = "network/input", "network/output"
    graph = model.graph
    inner = onnx.helper.make_graph(
        [n for n in graph.node if n.name.startswith("network/") and n.output[0] != source],
        "inner",
        [onnx.helper.make_tensor_value_info(source, onnx.TensorProto.FLOAT, [None, 3, None, None])],
        [onnx.helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, None)],
        graph.initializer,
    )
    inner = onnx.helper.make_model(
        inner, opset_imports=model.opset_import[:1], ir_version=model.ir_version
    )
    pixels = np.random.default_rng(0).random((1, 3, 9, 8), np.float32)
    ours = runtime_engine()(inner, {source: pixels})[result]
    expected = runtime_engine()(load_model(NETWORKS["fast"]), {"input": pixels})["output"]
    assert np.array_equal(ours, expected)


def test_from_the_command_line(
    files: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.onnx"
    line = ["export", "fast-int8", "--scale", "2", "--interface", "bytes", "-o", str(out)]
    assert run(line) == 0
    assert out.read_bytes() == files["fast-int8"]
    assert capsys.readouterr().out == f"wrote     {out}\n"
    assert run(line) == 1
    assert run([*line, "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"passed": True, "path": str(out)}
    assert run([*line, "--keep-failed"]) == 2
    with pytest.raises(TargetExistsError):
        publish_image_files(NETWORKS["fast"], out)


@pytest.mark.slow
def test_a_checkpoint_from_the_command_line(files: dict[str, bytes], tmp_path: Path) -> None:
    assert files
    pytest.importorskip("torch")
    weights = Path(__file__).resolve().parents[2] / "weights" / "fast-x2.safetensors"
    out = tmp_path / "out.onnx"
    assert run(["export", str(weights), "--interface", "bytes", "-o", str(out)]) == 0
    crop = photograph()[100:123, 150:181]
    larger = decode(run_image_file(out.read_bytes(), encode(crop, "PNG"))).astype(int)
    expected = Upscaler(NETWORKS["fast"], device="cpu", tuning=False)(crop)
    assert np.abs(larger - expected).max() <= 1
