"""What is asked of a setting before it races."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from networks import sub_pixel_network
from subpixel.errors import NetworkError
from subpixel.imaging.metrics import psnr
from subpixel.network.settings import RunSettings
from subpixel.spec import ModelSpec
from subpixel.tune.trials import SettingTrials, page_of, race_picture
from subpixel.upscaling.tiles.flat import flat_blocks
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path
PLAIN = RunSettings("cpu", "fp32", tile=96).resolve()
PHOTO = np.random.default_rng(0).integers(0, 256, (150, 220, 3), dtype=np.uint8)
PICTURE = np.random.default_rng(1).integers(0, 256, (200, 330, 3), dtype=np.uint8)


def trials(file: Path = FAST) -> SettingTrials:
    return SettingTrials(lambda setting: file, Upscaler(FAST, device="cpu"), PHOTO, PICTURE)


def test_a_page_has_all_kinds_of_paper_and_the_photograph() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (256, 512, 3), dtype=np.uint8)
    page = page_of(photo)
    assert page.shape == photo.shape
    assert np.array_equal(page[64:192, 128:384], photo[64:192, 128:384])
    even, grained = flat_blocks(page, 0, 0), flat_blocks(page, 1, 0)
    assert even.sum() == 12
    assert grained.sum() == 24
    assert not (even & ~grained).any()


@pytest.mark.parametrize(
    ("megapixels_per_second", "side"), [(0.1, 256), (1.0, 512), (3.0, 1024), (11.0, 2048)]
)
def test_the_race_is_on_as_large_a_picture_as_goes_quickly(
    megapixels_per_second: float, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def enlarge(picture: np.ndarray) -> None:
        nonlocal now
        now += picture.shape[0] * picture.shape[1] / 1e6 / megapixels_per_second

    monkeypatch.setattr("time.perf_counter", lambda: now)
    picture = race_picture(PHOTO, enlarge)
    assert picture.shape == (side, side, 3)
    assert np.array_equal(picture[:150, :220], PHOTO)


def test_a_setting_is_held_to_the_fp32_file() -> None:
    run = trials(INT8)(RunSettings("cpu", "int8", tile=96).resolve())
    exact, reduced = Upscaler(FAST, device="cpu"), Upscaler(INT8, device="cpu")
    assert run.facts.psnr == pytest.approx(psnr(reduced(PHOTO), exact(PHOTO)))
    assert run.run() > 0
    assert run.run_page() > 0


def test_adaptive_is_held_to_it_on_a_page_as_well() -> None:
    found = trials()
    assert found(PLAIN).facts.flatness is None
    run = found(replace(PLAIN, adaptive=True))
    assert run.facts.flatness is not None
    assert run.facts.flatness.bound <= 1
    page = page_of(PHOTO)
    adaptive = Upscaler(FAST, device="cpu", tile=96, adaptive=run.facts.flatness)
    assert run.facts.psnr == pytest.approx(psnr(adaptive(page), Upscaler(FAST)(page)))
    assert 45 < run.facts.psnr < math.inf


def test_batches_are_as_good_as_one_tile_at_a_time() -> None:
    found = trials()
    assert found(replace(PLAIN, batch=4)).facts.psnr == found(PLAIN).facts.psnr
    assert found(PLAIN).facts.beside == 4


def _first_of_a_batch() -> onnx.ModelProto:
    """Right for one picture at a time; of more, the others come out as the first does."""
    model = sub_pixel_network(3, 2)
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([0]), "first"))
    graph.node[1].output[0] = "larger"
    graph.node.append(helper.make_node("Shape", ["larger"], ["shape"]))
    graph.node.append(helper.make_node("Gather", ["larger", "first"], ["one"], axis=0))
    graph.node.append(helper.make_node("Expand", ["one", "shape"], ["y"]))
    assert graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    return model


@pytest.mark.slow
def test_a_network_that_is_wrong_for_batches_is_found_out(tmp_path: Path) -> None:
    file = tmp_path / "first.onnx"
    onnx.save(_first_of_a_batch(), file)
    exact = Upscaler(file, device="cpu")
    found = SettingTrials(lambda setting: file, exact, PHOTO, PICTURE)
    assert found(PLAIN).facts.psnr == math.inf
    assert found(replace(PLAIN, batch=2)).facts.psnr < 30


def test_where_nothing_passes_for_flat_adaptive_is_refused(tmp_path: Path) -> None:
    """A network that makes everything a little brighter is nowhere near interpolation."""
    model = sub_pixel_network(3, 2)
    model.graph.initializer.append(numpy_helper.from_array(np.float32([0.05]), "more"))
    model.graph.node[1].output[0] = "larger"
    model.graph.node.append(helper.make_node("Add", ["larger", "more"], ["y"]))
    onnx.helper.set_model_props(model, ModelSpec("brighter", 2, "rgb", "rgb", halo=1).to_metadata())
    file = tmp_path / "brighter.onnx"
    onnx.save(model, file)
    found = SettingTrials(lambda setting: file, Upscaler(file, device="cpu"), PHOTO, PICTURE)
    with pytest.raises(NetworkError, match="would differ too much"):
        found(replace(PLAIN, adaptive=True))
