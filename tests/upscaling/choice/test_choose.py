"""Which network a picture gets, and that the reason given is true."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from subpixel.errors import PictureError, UsageError
from subpixel.media.image_file import open_picture
from subpixel.media.photograph import photograph
from subpixel.media.picture import Header, Picture, Rows
from subpixel.upscaling.choice.choose import NetworkChoice, choose_network, fix_choice
from subpixel.upscaling.choice.look import look_at_pixels

PHOTO = photograph()


def clean() -> np.ndarray:
    height, width = (side // 2 * 2 for side in PHOTO.shape[:2])
    halves = PHOTO[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    return np.rint(halves).astype(np.uint8)


def saved(pixels: np.ndarray, file: Path, **options: object) -> Path:
    Image.fromarray(pixels).save(file, **options)
    return file


def choose(file: Path) -> NetworkChoice:
    return choose_network(open_picture(file))


def through_jpeg(quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(clean()).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize(
    ("quality", "network"),
    [(30, "denoise"), (75, "denoise"), (82, "denoise-75"), (91, "denoise-50"), (95, "denoise-25")],
)
def test_a_jpeg_s_quality_decides(quality: int, network: str, tmp_path: Path) -> None:
    choice = choose(saved(clean(), tmp_path / "a.jpg", quality=quality))
    assert choice.network == network
    assert choice.jpeg_quality == quality
    assert f"a JPEG of quality {quality}, by its tables" in choice.reason


def test_the_best_jpegs_and_what_was_no_jpeg_are_left_sharp(tmp_path: Path) -> None:
    assert choose(saved(clean(), tmp_path / "a.jpg", quality=99)).network == "balanced"
    for name in ("a.png", "a.tif", "a.bmp.png"):
        choice = choose(saved(clean(), tmp_path / name))
        assert (choice.network, choice.strength, choice.jpeg_quality) == ("balanced", 0.0, None)
        assert choice.reason == "no JPEG damage is seen"


@pytest.mark.parametrize(
    ("quality", "networks"),
    [(30, {"denoise"}), (65, {"denoise-75", "denoise-50"}), (80, {"denoise-25"})],
)
def test_an_avif_s_quantizer_decides(quality: int, networks: set[str], tmp_path: Path) -> None:
    """From one version to another Pillow makes another quantiser of a quality."""
    choice = choose(saved(clean(), tmp_path / "a.avif", quality=quality))
    assert choice.network in networks
    assert "an AVIF of quantiser" in choice.reason
    assert choice.jpeg_quality is None


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_a_jpeg_that_was_saved_again_is_recognised(name: str, tmp_path: Path) -> None:
    choice = choose(saved(through_jpeg(60), tmp_path / name, quality=97))
    assert choice.network == "denoise"
    assert choice.jpeg_quality is not None
    assert abs(choice.jpeg_quality - 60) <= 2
    assert "by its pixels" in choice.reason


def as_jpeg(pixels: np.ndarray, quality: int) -> Image.Image:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return Image.open(stream)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_jpeg_that_was_made_smaller_is_recognised(name: str, tmp_path: Path) -> None:
    image = as_jpeg(PHOTO, 20)
    small = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.BICUBIC)
    small.save(tmp_path / name, quality=96)
    choice = choose(tmp_path / name)
    assert choice.strength >= 0.75
    assert "once a JPEG that was made smaller, by its pixels" in choice.reason


def draw_shapes() -> np.ndarray:
    """Ellipses and lines, each pixel the mean of what it covers, as screens draw."""
    large = Image.new("RGB", (240 * 8, 160 * 8), (250, 245, 230))
    pen = ImageDraw.Draw(large)
    for i in range(6):
        box = (i * 300, 100 + 90 * i, i * 300 + 260, 500 + 120 * i)
        pen.ellipse(box, fill=(40 * i, 90, 200 - 30 * i))
        pen.line((0, 200 * i, 1900, 150 * i + 90), fill=(20, 20, 30), width=24)
    return np.asarray(large.reduce(8))


def test_drawings_are_told_and_photographs_are_none(tmp_path: Path) -> None:
    choice = choose(saved(draw_shapes(), tmp_path / "a.png"))
    assert (choice.network, choice.jpeg_quality) == ("denoise-25", None)
    assert choice.reason == "sharp edges between even areas, as in drawings and screenshots"
    deep = draw_shapes().astype(np.uint16) * 257
    assert choose_network(Picture(deep[None], bit_depth=16)).network == "denoise-25"
    assert choose(saved(clean(), tmp_path / "b.png")).network == "balanced"
    Image.fromarray(clean()).quantize(255).save(tmp_path / "c.png")
    assert look_at_pixels(open_picture(tmp_path / "c.png")).drawn_share < 0.03


def test_drawn_squares_are_no_seams(tmp_path: Path) -> None:
    squares = np.random.default_rng(3).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    drawn = np.kron(squares, np.ones((6, 6, 1), np.uint8))
    source = open_picture(saved(drawn, tmp_path / "a.png"))
    assert look_at_pixels(source).seams is None
    assert choose_network(source).network == "denoise-25"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_arrays_of_any_kind_are_looked_at(dtype: type, channels: int) -> None:
    rgb = through_jpeg(60)
    if channels < 3:
        rgb = np.asarray(Image.fromarray(rgb).convert("L"))[..., None]
    opaque = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    codes = rgb if channels % 2 else np.concatenate([rgb, opaque], axis=2)
    scale = {np.uint8: 1, np.uint16: 257, np.float32: 1 / 255}[dtype]
    picture = Picture((codes[None] * np.array(scale, dtype)).astype(dtype))
    assert choose_network(picture).network == "denoise"


@pytest.mark.parametrize(("quality", "network"), [(10, "denoise"), (60, "denoise-75")])
def test_a_webp_s_quantiser_decides(quality: int, network: str, tmp_path: Path) -> None:
    choice = choose(saved(clean(), tmp_path / "a.webp", quality=quality))
    assert choice.network == network
    assert "a WebP of quantiser" in choice.reason
    lossless = choose(saved(clean(), tmp_path / "b.webp", lossless=True))
    assert lossless.network == "balanced"


def test_pixels_of_a_coarse_jpeg_are_not_decoded_for_it(tmp_path: Path) -> None:
    file = saved(clean(), tmp_path / "a.jpg", quality=40)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    assert choose(file).network == "denoise"
    saved(clean(), file, quality=95)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError, match="can't be read"):
        choose(file)


def test_pictures_of_every_size_are_looked_at() -> None:
    random = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 3000), (3000, 1), (33, 40), (513, 2050)):
        frames = random.integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        assert choose_network(Picture(frames)).strength == 0


def test_of_an_animation_the_first_frame_is_looked_at() -> None:
    jpeg = through_jpeg(50)
    clean_frame = np.array(clean())
    assert choose_network(Picture(np.stack([jpeg, clean_frame]))).network == "denoise"
    assert choose_network(Picture(np.stack([clean_frame, jpeg]))).network == "balanced"


class Camera:
    """Frames without end, none of which may be taken away by a look."""

    header = Header((None, 8, 8, 3), np.dtype(np.uint8))
    memory = 0

    def chunks(self) -> Iterator[Rows]:
        raise AssertionError("a frame was taken")


def test_frames_without_end_are_not_looked_at() -> None:
    choice = choose_network(Camera())
    assert choice.network == "balanced"
    assert "without end" in choice.reason


def test_a_strength_picks_the_nearest_point() -> None:
    assert fix_choice("auto", None) is fix_choice("fast", None) is None
    near = fix_choice("auto", 0.6)
    assert near is not None
    assert (near.network, near.strength) == ("denoise-50", 0.5)
    assert near.reason == "strength 0.5, the nearest there is to 0.6"
    exact = fix_choice("balanced", 0.75)
    assert exact is not None
    assert (exact.network, exact.reason) == ("denoise-75", "strength 0.75")
    named = fix_choice("denoise-25", None)
    assert named is not None
    assert named.strength == 0.25


@pytest.mark.parametrize("model", ["fast", "denoise", Path("net.onnx"), "balanced-int8"])
def test_a_strength_beside_another_network_is_refused(model: str | Path) -> None:
    with pytest.raises(UsageError, match=r"balanced and denoise, and .* was named"):
        fix_choice(model, 0.5)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_is_refused(strength: float) -> None:
    with pytest.raises(UsageError, match="0 to 1"):
        fix_choice("auto", strength)
