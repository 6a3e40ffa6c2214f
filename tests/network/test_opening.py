"""A network is opened once, whatever it takes to know how."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from networks import sub_pixel_network
from subpixel.errors import NetworkError, ProviderError, SpecError
from subpixel.network import opening
from subpixel.network.file_metadata import read_file_metadata
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.runtime.opening import Opened, open_session
from subpixel.spec import ModelSpec
from subpixel.system.processors import cores
from subpixel.zoo.manifest import find_bundled, read_manifest

PIXELS = np.random.default_rng(0).random((1, 3, 9, 7), np.float32)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Of each session that is opened: None where it is left to ONNX Runtime."""
    seen: list[int | None] = []

    def count(source: Path | bytes, *, threads: int | None, device: str, **_: bool) -> Opened:
        seen.append(threads)
        return open_session(source, device=device, threads=threads)

    monkeypatch.setattr(opening, "open_session", count)
    return seen


def _save(file: Path, **facts: int | None) -> Path:
    model = sub_pixel_network(3, 2)
    spec = ModelSpec("stated", 2, "rgb", "rgb", **facts)
    onnx.helper.set_model_props(model, {"theirs": "größer", **spec.to_metadata()})
    onnx.save(model, file)
    return file


@pytest.mark.parametrize("halo", [None, 1, 33])
def test_a_file_of_ours_is_opened_once(
    tmp_path: Path, threads: list[int | None], halo: int | None
) -> None:
    network = open_network(_save(tmp_path / "a.onnx", halo=halo), RunSettings("cpu"))
    assert network.workers == (cores() if halo == 1 else 1)
    assert threads == [1 if halo == 1 else None]


def test_a_whole_picture_is_computed_on_all_threads(
    tmp_path: Path, threads: list[int | None]
) -> None:
    file = _save(tmp_path / "a.onnx", halo=1)
    assert open_network(file, RunSettings("cpu", tile=0)).workers == 1
    assert open_network(file, RunSettings("cpu", threads=3)).workers == 3
    assert threads == [None, 1]


def test_metadata_is_what_onnx_reads(tmp_path: Path) -> None:
    for file in (_save(tmp_path / "a.onnx", halo=1), *(row.path for row in read_manifest())):
        model = onnx.load(file)
        assert read_file_metadata(file) == {p.key: p.value for p in model.metadata_props}


@pytest.mark.slow
def test_what_is_no_onnx_file_has_no_metadata(tmp_path: Path) -> None:
    """Cut short at any byte, or other content: it is left to those that read it whole."""
    file = tmp_path / "a.onnx"
    data = _save(file, halo=1).read_bytes()
    model = onnx.load(file)
    every = {p.key: p.value for p in model.metadata_props}
    for length in range(len(data)):
        file.write_bytes(data[:length])
        assert read_file_metadata(file).items() <= every.items()
    for content in (b"words, not numbers", bytes([15, 3]), b"\xff" * 12):
        file.write_bytes(content)
        assert read_file_metadata(file) == {}
        with pytest.raises(NetworkError):
            open_network(file)
    assert read_file_metadata(tmp_path / "missing.onnx") == {}


def test_a_key_that_stands_there_twice_is_left_to_others(tmp_path: Path) -> None:
    model = sub_pixel_network(3, 2)
    for value in ("one", "two"):
        model.metadata_props.add(key="k", value=value)
    onnx.save(model, tmp_path / "a.onnx")
    assert read_file_metadata(tmp_path / "a.onnx") == {}


def test_unreadable_facts_are_said_with_the_files_name(tmp_path: Path) -> None:
    model = sub_pixel_network(3, 2)
    onnx.helper.set_model_props(
        model, {**ModelSpec("x", 2, "rgb", "rgb").to_metadata(), "subpixel.scale": "many"}
    )
    file = tmp_path / "a.onnx"
    onnx.save(model, file)
    with pytest.raises(SpecError, match=r"a\.onnx: "):
        open_network(file)


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor stands for the GPU."""
    monkeypatch.setattr(
        opening,
        "open_session",
        lambda source, device, **options: open_session(source, device="cpu", **options),
    )


@pytest.mark.usefixtures("on_a_gpu")
@pytest.mark.parametrize("name", ["fast", "denoise-25"])
def test_where_integers_are_not_exact_the_float32_form_runs_and_that_is_said(name: str) -> None:
    network = open_network(f"{name}-int8", RunSettings("webgpu"), scale=2)
    assert (network.spec.name, network.spec.precision) == (name, "fp32")
    assert network.remark is not None
    assert network.remark.startswith(f"{name}, its float32 form: ")
    assert open_network(f"{name}-int8", RunSettings("cpu"), scale=2).remark is None


@pytest.mark.usefixtures("on_a_gpu")
def test_where_integers_are_not_exact_other_files_in_them_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.onnx"
    file.write_bytes(find_bundled("fast-int8", 2).path.read_bytes())
    with pytest.raises(ProviderError, match=r"own\.onnx is a network of 8-bit integers"):
        open_network(file, RunSettings("webgpu"))
    with pytest.raises(ProviderError, match="in fp32, not in int8"):
        open_network("fast-int8", RunSettings("webgpu", "int8"), scale=2)
