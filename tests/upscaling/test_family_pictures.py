"""Upscalers that choose a network of the family, in integers and in fp32."""

import io
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import subpixel
from rounding import likely_bound
from subpixel.errors import UsageError
from subpixel.graph.execute import runtime_engine
from subpixel.graph.passes.mix import mix_weights
from subpixel.media.image_file import open_picture
from subpixel.media.photograph import photograph
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.system.files.hashing import hash_file
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.family import POINTS
from subpixel.zoo.manifest import find_bundled

SCALE = 2
PICTURE = photograph()[40:104, 60:150]


def of(name: str) -> Path:
    return find_bundled(name, SCALE).path


def jpeg(quality: int) -> np.ndarray:
    stream = io.BytesIO()
    large = np.repeat(np.repeat(PICTURE, 2, axis=0), 2, axis=1)
    Image.fromarray(large).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_8_bits_go_through_the_point_s_integer_file(point: object) -> None:
    upscaler = Upscaler(scale=SCALE, denoise=point.strength, device="cpu", tuning=False)
    assert upscaler.spec.name == f"{point.name}-int8"
    expected = Upscaler(of(f"{point.name}-int8"), device="cpu")(PICTURE)
    assert np.array_equal(upscaler(PICTURE), expected)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_more_bits_go_through_weights_mixed_in_fp32(point: object) -> None:
    model = mix_weights(onnx.load(of("balanced")), onnx.load(of("denoise")), point.strength)
    pixels = PICTURE.astype(np.float32) / 255
    planes = pixels.transpose(2, 0, 1)[None]
    larger = runtime_engine()(model, {"input": planes})["output"][0].transpose(1, 2, 0)
    expected = np.clip(larger, 0, 1)
    upscaler = Upscaler(scale=SCALE, denoise=point.strength, device="cpu", tuning=False)
    within = likely_bound(model, planes[..., :24, :24])
    np.testing.assert_allclose(upscaler(pixels), expected, rtol=0, atol=within)
    exact = Upscaler(scale=SCALE, denoise=point.strength, device="cpu", precision="fp32")
    assert exact.spec.precision == "fp32"
    codes = np.rint(expected * 255)
    assert np.abs(exact(PICTURE).astype(int) - codes).max() <= 1


def test_the_integer_points_are_near_the_mixed_ones() -> None:
    for point in POINTS:
        rounded, exact = (
            Upscaler(scale=SCALE, denoise=point.strength, device="cpu", precision=precision)
            for precision in ("int8", "fp32")
        )
        error = rounded(PICTURE).astype(float) - exact(PICTURE)
        assert np.sqrt(np.mean(error**2)) < 1.5, point.name  # code values; 8 bits lose 0.1 dB


def test_each_picture_gets_its_own_network() -> None:
    upscaler = Upscaler(scale=SCALE, device="cpu", tuning=False)
    for quality, name in ((40, "denoise"), (91, "denoise-50"), (100, "balanced")):
        picture = jpeg(quality)
        expected = Upscaler(of(f"{name}-int8"), device="cpu")(picture)
        assert np.array_equal(upscaler(picture), expected), quality


def test_the_same_picture_from_a_file_and_from_memory(tmp_path: Path) -> None:
    """Where nothing but the pixels tells, and by every way in."""
    file = tmp_path / "a.png"
    Image.fromarray(jpeg(60)).save(file)
    upscaler = Upscaler(scale=SCALE, device="cpu", tuning=False)
    expected = Upscaler("denoise", scale=SCALE, device="cpu")(jpeg(60))
    upscaler.file(file, tmp_path / "b.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), expected)
    rows = np.concatenate(list(upscaler.rows(open_picture(file))))
    assert np.array_equal(rows, expected)
    assert np.array_equal(subpixel.upscale(jpeg(60), scale=SCALE, tuning=False), expected)
    assert np.array_equal(np.asarray(upscaler(Image.open(file))), expected)


def test_a_choice_that_was_made_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    Image.fromarray(PICTURE).save(file, quality=50)
    upscaler = Upscaler(scale=SCALE, device="cpu", tuning=False)
    sharp = Upscaler(scale=SCALE, denoise=0, device="cpu").choose(open_picture(file))
    upscaler.file(file, tmp_path / "b.png", choice=sharp)
    pixels = np.asarray(Image.open(file))
    expected = Upscaler("balanced", scale=SCALE, device="cpu")(pixels)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "b.png")), expected)


def test_a_named_network_is_what_every_picture_gets(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    Image.fromarray(PICTURE).save(file, quality=50)
    upscaler = Upscaler("balanced", scale=SCALE)
    assert upscaler.choose(open_picture(file)) is None
    with pytest.raises(UsageError, match="fast was named"):
        Upscaler("fast", denoise=0.5)


@pytest.mark.parametrize("name", ["balanced", "fast", "denoise", "espcn"])
def test_8_bits_are_computed_in_integers_by_default(name: str) -> None:
    upscaler = Upscaler(name, scale=SCALE, device="cpu", tuning=False)
    assert upscaler.spec.precision == "int8"
    assert np.array_equal(upscaler(PICTURE), Upscaler(of(f"{name}-int8"))(PICTURE))
    assert Upscaler(name, scale=SCALE, precision="fp32").spec.precision == "fp32"
    assert Upscaler(of(name)).spec.precision == "fp32", "a file is what it is"


def test_other_devices_than_the_processor_keep_fp32() -> None:
    pytest.importorskip("openvino")
    upscaler = Upscaler("fast", scale=SCALE, device="openvino", tuning=False)
    assert upscaler.spec.precision == "fp32"


def _tuning(settings: RunSettings, file: Path) -> Tuning:
    row = TunedSettings(settings.resolve(), file, hash_file(file), 2.0, 0.5, 0.1, 50.0)
    return Tuning(45.0, row, (row,))


def test_what_was_tuned_for_the_default_holds_for_its_family() -> None:
    found = _tuning(RunSettings("cpu", "fp32", tile=48, threads=1), of("balanced"))
    upscaler = Upscaler(scale=SCALE, tuning=found)
    picture = open_picture_of(jpeg(60))
    choice = upscaler.choose(picture)
    assert choice is not None
    settings = upscaler.settings(picture.header, choice)
    assert (settings.precision, settings.tile, settings.threads) == ("fp32", 48, 1)
    whole = Upscaler("denoise", scale=SCALE, precision="fp32", tile=0, tuning=False)(jpeg(60))
    assert np.abs(upscaler(jpeg(60)).astype(int) - whole).max() <= 1


def test_a_file_that_was_made_for_the_default_is_not_taken_for_the_others(tmp_path: Path) -> None:
    made = tmp_path / "made.onnx"
    made.write_bytes(of("balanced").read_bytes())
    upscaler = Upscaler(scale=SCALE, tuning=_tuning(RunSettings("cpu", "fp32", tile=48), made))
    assert upscaler.spec.precision == "fp32"
    expected = Upscaler("denoise", scale=SCALE, device="cpu", tuning=False)(jpeg(60))
    assert np.array_equal(upscaler(jpeg(60)), expected)


def open_picture_of(pixels: np.ndarray) -> subpixel.Picture:
    return subpixel.Picture(pixels[None])
